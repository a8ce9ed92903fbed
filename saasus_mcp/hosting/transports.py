"""The transports of MCP before one profile: Streamable HTTP in both protocol eras, and legacy SSE."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal

from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from saasus_mcp.hosting.answers import BAD_REQUEST, FORBIDDEN, NOT_ALLOWED, NOT_FOUND, TOO_LARGE, no_place, refusal
from saasus_mcp.hosting.bodies import TooMuch, counted
from saasus_mcp.hosting.guard import CALLER
from saasus_mcp.hosting.narrowing import NARROWING, Connected, Requests
from saasus_mcp.hosting.profiles import NoProfile, Served, choose
from saasus_mcp.hosting.sessions import IDLE_SECONDS, MOST_SESSIONS, Sessions
from saasus_mcp.hosting.shares import NoPlace
from saasus_mcp.server.narrowing import NarrowingError

# It logs what a client sent where that cannot be read: arguments, and the secrets in them.
logging.getLogger("mcp.server.sse").setLevel(logging.CRITICAL)

Kind = Literal["streamable", "sse", "messages"]
METHODS: Mapping[Kind, tuple[str, ...]] = {
    "streamable": ("GET", "POST", "DELETE"),
    "sse": ("GET",),
    "messages": ("POST",),
}
SESSION = "mcp-session-id"
VERSION = "mcp-protocol-version"
SUCCESSES = range(200, 300)


class Transports:
    """Everything that reaches one profile's server, while `run` is entered.

    Args:
        sessions: counts those of older protocols, of all profiles.
    """

    def __init__(self, server: Server[Any], profile: str, body_limit: int, sessions: Sessions) -> None:
        self._server = server
        self._manager = StreamableHTTPSessionManager(
            server,
            max_request_body_size=body_limit,
            max_sessions=MOST_SESSIONS,
            session_idle_timeout=IDLE_SECONDS,
        )
        self._sse = SseServerTransport(f"/messages/{profile}/", max_request_body_size=body_limit)
        self._sessions = sessions
        self._connected = Connected()

    def run(self) -> AbstractAsyncContextManager[None]:
        """Serve; once only."""
        return self._manager.run()

    async def handle(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Host, Origin and caller were looked at before.

        Raises:
            NoPlace: it would open a session, and there is no place for one.
        """
        if kind == "streamable":
            await self._streamable(scope, receive, send)
        elif kind == "messages":
            await self._sse.handle_post_message(self._connected.message(scope), receive, send)
        else:
            with self._connected.opening(scope, send) as noting:
                async with self._sse.connect_sse(scope, receive, noting) as (reading, writing):
                    await self._server.run(reading, writing, self._server.create_initialization_options())

    async def _streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, owner = Headers(scope=scope), scope[CALLER].principal.id
        session, answer = headers.get(SESSION), _Heard(send)
        if headers.get(VERSION, HANDSHAKE_PROTOCOL_VERSIONS[0]) not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._manager.handle_request(scope, receive, send)  # protocols without sessions
        elif session is not None:
            with self._sessions.used(session, owner):
                await self._manager.handle_request(scope, receive, answer)
            if answer.status == NOT_FOUND or (scope["method"] == "DELETE" and answer.status in SUCCESSES):
                self._sessions.ended(session, owner)
        elif scope["method"] == "POST":
            with self._sessions.opening(owner):
                await self._manager.handle_request(scope, receive, answer)
                if answer.session and answer.status in SUCCESSES:
                    self._sessions.opened(answer.session, owner, partial(self._end, answer.session, scope.get("user")))
            await self._sessions.end_surplus(owner)
        else:
            await self._manager.handle_request(scope, receive, send)

    async def _end(self, session: str, user: object) -> None:
        """End a session in the way that its client would."""
        headers = [(SESSION.encode(), session.encode())]
        scope: Scope = {"type": "http", "method": "DELETE", "path": "/mcp", "query_string": b"", "headers": headers}
        await self._manager.handle_request({**scope, **({"user": user} if user else {})}, _nothing, _unheard)


class _Heard:
    """The way of an answer to the client, which notes its status and the session that it opens."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.session = ""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.session = Headers(raw=message["headers"]).get(SESSION, "")
        await self._send(message)


async def _nothing() -> Message:
    """A request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def _unheard(_: Message) -> None:
    """An answer that nobody waits for."""


class Entrance:
    """Sends a caller's request to the profile that its path names."""

    def __init__(
        self,
        kind: Kind,
        served: Mapping[str, Served],
        transports: Mapping[str, Transports],
        narrowings: Requests,
    ) -> None:
        self._narrowings = narrowings
        self._kind: Kind = kind
        self._served = served
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            chosen = choose(self._served, scope[CALLER], scope["path_params"].get("profile"))
        except NoProfile as none:
            await refusal(BAD_REQUEST if none.several else FORBIDDEN, str(none))(scope, receive, send)
            return
        try:
            scope = {**scope, NARROWING: self._narrowings.of(scope)}
        except NarrowingError as error:
            await refusal(BAD_REQUEST, str(error))(scope, receive, send)
            return
        if scope["method"] not in METHODS[self._kind]:
            allowed = {"Allow": ", ".join(METHODS[self._kind])}
            await refusal(NOT_ALLOWED, "Method not allowed for this path.", allowed)(scope, receive, send)
            return
        arriving = counted(receive) if scope["method"] == "POST" else receive
        try:
            await self._transports[chosen.name].handle(self._kind, scope, arriving, send)
        except TooMuch as excess:
            await refusal(TOO_LARGE, str(excess))(scope, receive, send)
        except NoPlace as none:
            await no_place(none)(scope, receive, send)
