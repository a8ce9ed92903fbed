"""What a request's body holds, checked when all of it is there and before anything parses it."""

from __future__ import annotations

from starlette.types import Message, Receive

from saasus_mcp.common.json_bounds import find_excess


class BodyTooLarge(Exception):
    """The body holds more than is parsed; the message says what, and how to send less."""


def limit_body(receive: Receive) -> Receive:
    """The messages of a request whose body is held to the limits of `saasus.json_bounds`.

    Raises:
        TooMuch: the body is over a limit; raised in place of its last part.
    """
    parts: list[bytes] = []
    over = False

    async def within() -> Message:
        nonlocal over
        message = await receive()
        if message["type"] != "http.request" or over:
            return message
        parts.append(message.get("body", b""))
        over = not message.get("more_body", False)
        if over:
            why = find_excess(b"".join(parts))
            parts.clear()
            if why is not None:
                raise BodyTooLarge(why)
        return message

    return within
