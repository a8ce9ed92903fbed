"""Check the size and nesting of a request's JSON body before anything parses it."""

from __future__ import annotations

from starlette.types import Message, Receive

from saasus_mcp.common.json_bounds import find_excess


class BodyTooLarge(Exception):
    """The body exceeds a limit. The text says which one, and how to send less."""


def limit_body(receive: Receive) -> Receive:
    """Return `receive` with the limits of `common.json_bounds` applied to the body.

    Raises:
        BodyTooLarge: the body exceeds a limit; raised in place of its last part.
    """
    parts: list[bytes] = []
    complete = False

    async def receive_within_limits() -> Message:
        nonlocal complete
        message = await receive()
        if message["type"] != "http.request" or complete:
            return message
        parts.append(message.get("body", b""))
        complete = not message.get("more_body", False)
        if complete:
            excess = find_excess(b"".join(parts))
            parts.clear()
            if excess is not None:
                raise BodyTooLarge(excess)
        return message

    return receive_within_limits
