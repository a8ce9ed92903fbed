"""The transports of MCP before one profile: Streamable HTTP in both protocol eras, and legacy SSE."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import anyio
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Message, Receive, Scope, Send

from saasus_mcp.hosting.answers import BAD_REQUEST, FORBIDDEN, NOT_ALLOWED, TIMED_OUT, TOO_LARGE, refusal
from saasus_mcp.hosting.bodies import TooMuch, counted
from saasus_mcp.hosting.guard import CALLER
from saasus_mcp.hosting.profiles import NoProfile, Served, choose

# It logs what a client sent where that cannot be read: arguments, and the secrets in them.
logging.getLogger("mcp.server.sse").setLevel(logging.CRITICAL)

Kind = Literal["streamable", "sse", "messages"]
METHODS: Mapping[Kind, tuple[str, ...]] = {
    "streamable": ("GET", "POST", "DELETE"),
    "sse": ("GET",),
    "messages": ("POST",),
}
MOST_SESSIONS = 10_000
BODY_SECONDS = 30.0
"""For which a request's body may take to arrive."""


class Transports:
    """Everything that reaches one profile's server, while `run` is entered."""

    def __init__(self, server: Server[Any], profile: str, body_limit: int) -> None:
        self._server = server
        self._sessions = StreamableHTTPSessionManager(
            server, max_request_body_size=body_limit, max_sessions=MOST_SESSIONS
        )
        self._sse = SseServerTransport(f"/messages/{profile}/", max_request_body_size=body_limit)

    def run(self) -> AbstractAsyncContextManager[None]:
        """Serve; once only."""
        return self._sessions.run()

    async def handle(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Host, Origin and caller were looked at before."""
        if kind == "streamable":
            await self._sessions.handle_request(scope, receive, send)
        elif kind == "messages":
            await self._sse.handle_post_message(scope, receive, send)
        else:
            async with self._sse.connect_sse(scope, receive, send) as (reading, writing):
                await self._server.run(reading, writing, self._server.create_initialization_options())


class _Late(Exception):
    """The request's body did not arrive in time."""


class _Gone(Exception):
    """The client left before its request's body was there."""


class Entrance:
    """Sends a caller's request to the profile that its path names."""

    def __init__(self, kind: Kind, served: Mapping[str, Served], transports: Mapping[str, Transports]) -> None:
        self._kind: Kind = kind
        self._served = served
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            chosen = choose(self._served, scope[CALLER], scope["path_params"].get("profile"))
        except NoProfile as none:
            await refusal(BAD_REQUEST if none.several else FORBIDDEN, str(none))(scope, receive, send)
            return
        if scope["method"] not in METHODS[self._kind]:
            allowed = {"Allow": ", ".join(METHODS[self._kind])}
            await refusal(NOT_ALLOWED, "This path does not take that method.", allowed)(scope, receive, send)
            return
        arriving = counted(_in_time(receive)) if scope["method"] == "POST" else receive
        try:
            await self._transports[chosen.name].handle(self._kind, scope, arriving, send)
        except _Late:
            await refusal(TIMED_OUT, "The request did not arrive in time.")(scope, receive, send)
        except TooMuch as excess:
            await refusal(TOO_LARGE, str(excess))(scope, receive, send)
        except _Gone:
            return  # there is nobody to answer, and nothing to log


def _in_time(receive: Receive) -> Receive:
    """Messages of a request whose body must all arrive soon; what comes after it may take as long as it likes."""
    arrived, until = False, anyio.current_time() + BODY_SECONDS

    async def within() -> Message:
        nonlocal arrived
        if arrived:
            return await receive()
        with anyio.move_on_at(until) as waiting:
            message = await receive()
        if waiting.cancelled_caught:
            raise _Late
        if message["type"] == "http.disconnect":
            raise _Gone
        arrived = not message.get("more_body", False)
        return message

    return within
