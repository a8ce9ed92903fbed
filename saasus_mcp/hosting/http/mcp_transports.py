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

from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.profile_access import ProfileUnavailable, ServedProfile, resolve_profile
from saasus_mcp.hosting.http.body_limit import BodyTooLarge, limit_body
from saasus_mcp.hosting.http_errors import (
    BAD_REQUEST,
    CONTENT_TOO_LARGE,
    FORBIDDEN,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    capacity_response,
    error_response,
)
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from saasus_mcp.hosting.limits.session_limit import IDLE_SECONDS, MAX_SESSIONS, SessionLimiter
from saasus_mcp.hosting.request_narrowing import NARROWING_KEY, NarrowingReader, SseNarrowings
from saasus_mcp.server.surface.narrowing import NarrowingError

# It logs what a client sent where that cannot be read: arguments, and the secrets in them.
logging.getLogger("mcp.server.sse").setLevel(logging.CRITICAL)

TransportKind = Literal["streamable", "sse", "messages"]
ALLOWED_METHODS: Mapping[TransportKind, tuple[str, ...]] = {
    "streamable": ("GET", "POST", "DELETE"),
    "sse": ("GET",),
    "messages": ("POST",),
}
SESSION_HEADER = "mcp-session-id"
VERSION_HEADER = "mcp-protocol-version"
SUCCESS_STATUSES = range(200, 300)


class ProfileTransports:
    """Everything that reaches one profile's server, while `run` is entered.

    Args:
        sessions: counts those of older protocols, of all profiles.
    """

    def __init__(self, server: Server[Any], profile: str, body_limit: int, sessions: SessionLimiter) -> None:
        self._server = server
        self._manager = StreamableHTTPSessionManager(
            server,
            max_request_body_size=body_limit,
            max_sessions=MAX_SESSIONS,
            session_idle_timeout=IDLE_SECONDS,
        )
        self._sse = SseServerTransport(f"/messages/{profile}/", max_request_body_size=body_limit)
        self._sessions = sessions
        self._connected = SseNarrowings()

    def run(self) -> AbstractAsyncContextManager[None]:
        """Serve; once only."""
        return self._manager.run()

    async def handle_request(self, kind: TransportKind, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Host, Origin and caller were looked at before.

        Raises:
            NoPlace: it would open a session, and there is no place for one.
        """
        if kind == "streamable":
            await self._streamable(scope, receive, send)
        elif kind == "messages":
            await self._sse.handle_post_message(self._connected.narrow_message(scope), receive, send)
        else:
            with self._connected.track_connection(scope, send) as noting:
                async with self._sse.connect_sse(scope, receive, noting) as (reading, writing):
                    await self._server.run(reading, writing, self._server.create_initialization_options())

    async def _streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, owner = Headers(scope=scope), scope[CALLER_KEY].principal.id
        session, answer = headers.get(SESSION_HEADER), _Heard(send)
        if headers.get(VERSION_HEADER, HANDSHAKE_PROTOCOL_VERSIONS[0]) not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._manager.handle_request(scope, receive, send)  # protocols without sessions
        elif session is not None:
            with self._sessions.track_request(session, owner):
                await self._manager.handle_request(scope, receive, answer)
            if answer.status == NOT_FOUND or (scope["method"] == "DELETE" and answer.status in SUCCESS_STATUSES):
                self._sessions.remove(session, owner)
        elif scope["method"] == "POST":
            with self._sessions.reserve(owner):
                await self._manager.handle_request(scope, receive, answer)
                if answer.session and answer.status in SUCCESS_STATUSES:
                    self._sessions.add(answer.session, owner, partial(self._end, answer.session, scope.get("user")))
            await self._sessions.end_surplus(owner)
        else:
            await self._manager.handle_request(scope, receive, send)

    async def _end(self, session: str, user: object) -> None:
        """End a session in the way that its client would."""
        headers = [(SESSION_HEADER.encode(), session.encode())]
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
            self.session = Headers(raw=message["headers"]).get(SESSION_HEADER, "")
        await self._send(message)


async def _nothing() -> Message:
    """A request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def _unheard(_: Message) -> None:
    """An answer that nobody waits for."""


class ProfileRouter:
    """Sends a caller's request to the profile that its path names."""

    def __init__(
        self,
        kind: TransportKind,
        served: Mapping[str, ServedProfile],
        transports: Mapping[str, ProfileTransports],
        narrowings: NarrowingReader,
    ) -> None:
        self._narrowings = narrowings
        self._kind: TransportKind = kind
        self._served = served
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            chosen = resolve_profile(self._served, scope[CALLER_KEY], scope["path_params"].get("profile"))
        except ProfileUnavailable as none:
            await error_response(BAD_REQUEST if none.ambiguous else FORBIDDEN, str(none))(scope, receive, send)
            return
        try:
            scope = {**scope, NARROWING_KEY: self._narrowings.read(scope)}
        except NarrowingError as error:
            await error_response(BAD_REQUEST, str(error))(scope, receive, send)
            return
        if scope["method"] not in ALLOWED_METHODS[self._kind]:
            allowed = {"Allow": ", ".join(ALLOWED_METHODS[self._kind])}
            await error_response(METHOD_NOT_ALLOWED, "Method not allowed for this path.", allowed)(scope, receive, send)
            return
        arriving = limit_body(receive) if scope["method"] == "POST" else receive
        try:
            await self._transports[chosen.name].handle_request(self._kind, scope, arriving, send)
        except BodyTooLarge as excess:
            await error_response(CONTENT_TOO_LARGE, str(excess))(scope, receive, send)
        except CapacityExceeded as none:
            await capacity_response(none)(scope, receive, send)
