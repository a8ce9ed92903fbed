"""The MCP transports of one profile: Streamable HTTP for all protocol versions, and legacy SSE."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from saasus_mcp.common.json_bounds import find_excess
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.profile_access import ProfileUnavailable, ServedProfile, resolve_profile
from saasus_mcp.hosting.http_errors import capacity_response, error_response
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from saasus_mcp.hosting.limits.session_limit import IDLE_SECONDS, MAX_SESSIONS, SessionLimiter
from saasus_mcp.hosting.request_narrowing import NARROWING_KEY, NarrowingReader, SseNarrowings
from saasus_mcp.server.surface.narrowing import NarrowingError

# This logger writes what a client sent if it cannot be parsed: arguments, and the secrets in them.
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
    """Passes requests to the MCP server of one profile, while `run` is entered.

    Args:
        sessions: counts the sessions of older protocols, of all profiles.
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
        self._narrowings = SseNarrowings()

    def run(self) -> AbstractAsyncContextManager[None]:
        """Return the context in which requests are served. It can be entered once."""
        return self._manager.run()

    async def handle_request(self, kind: TransportKind, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request whose host, origin and caller have been checked.

        Raises:
            CapacityExceeded: the request would open a session, and there is no room for one.
        """
        if kind == "streamable":
            await self._handle_streamable(scope, receive, send)
        elif kind == "messages":
            await self._sse.handle_post_message(self._narrowings.narrow_message(scope), receive, send)
        else:
            with self._narrowings.track_connection(scope, send) as tracked_send:
                async with self._sse.connect_sse(scope, receive, tracked_send) as (reading, writing):
                    await self._server.run(reading, writing, self._server.create_initialization_options())

    async def _handle_streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, owner = Headers(scope=scope), scope[CALLER_KEY].principal.id
        session, response = headers.get(SESSION_HEADER), _RecordedResponse(send)
        if headers.get(VERSION_HEADER, HANDSHAKE_PROTOCOL_VERSIONS[0]) not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._manager.handle_request(scope, receive, send)  # protocols without sessions
        elif session is not None:
            with self._sessions.track_request(session, owner):
                await self._manager.handle_request(scope, receive, response)
            deleted = scope["method"] == "DELETE" and response.status in SUCCESS_STATUSES
            if deleted or response.status == HTTPStatus.NOT_FOUND:
                self._sessions.remove(session, owner)
        elif scope["method"] == "POST":
            with self._sessions.reserve(owner):
                await self._manager.handle_request(scope, receive, response)
                if response.session and response.status in SUCCESS_STATUSES:
                    end = partial(self._end_session, response.session, scope.get("user"))
                    self._sessions.add(response.session, owner, end)
            await self._sessions.end_surplus(owner)
        else:
            await self._manager.handle_request(scope, receive, send)

    async def _end_session(self, session: str, user: object) -> None:
        """End a session by the request that its client would send."""
        headers = [(SESSION_HEADER.encode(), session.encode())]
        scope: Scope = {"type": "http", "method": "DELETE", "path": "/mcp", "query_string": b"", "headers": headers}
        await self._manager.handle_request(
            {**scope, **({"user": user} if user else {})}, _receive_empty_body, _discard_response
        )


class _RecordedResponse:
    """Sends a response and records its status and the session that it opens."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.session = ""

    async def __call__(self, part: AsgiMessage) -> None:
        if part["type"] == "http.response.start":
            self.status = part["status"]
            self.session = Headers(raw=part["headers"]).get(SESSION_HEADER, "")
        await self._send(part)


async def _receive_empty_body() -> AsgiMessage:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _discard_response(_: AsgiMessage) -> None:
    pass


class ProfileRouter:
    """Sends a caller's request to the profile in its path."""

    def __init__(
        self,
        kind: TransportKind,
        profiles: Mapping[str, ServedProfile],
        transports: Mapping[str, ProfileTransports],
        narrowings: NarrowingReader,
    ) -> None:
        self._kind: TransportKind = kind
        self._profiles = profiles
        self._transports = transports
        self._narrowings = narrowings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            profile = resolve_profile(self._profiles, scope[CALLER_KEY], scope["path_params"].get("profile"))
            scope = {**scope, NARROWING_KEY: self._narrowings.read(scope)}
        except ProfileUnavailable as error:
            status = HTTPStatus.BAD_REQUEST if error.ambiguous else HTTPStatus.FORBIDDEN
            await error_response(status, error)(scope, receive, send)
            return
        except NarrowingError as error:
            await error_response(HTTPStatus.BAD_REQUEST, error)(scope, receive, send)
            return
        methods = ALLOWED_METHODS[self._kind]
        if scope["method"] not in methods:
            text = message("hosting.method_not_allowed")
            response = error_response(HTTPStatus.METHOD_NOT_ALLOWED, text, {"Allow": ", ".join(methods)})
            await response(scope, receive, send)
            return
        receive = limit_body(receive) if scope["method"] == "POST" else receive
        try:
            await self._transports[profile.name].handle_request(self._kind, scope, receive, send)
        except BodyTooLarge as error:
            await error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error)(scope, receive, send)
        except CapacityExceeded as error:
            await capacity_response(error)(scope, receive, send)


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
