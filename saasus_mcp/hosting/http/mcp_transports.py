"""The MCP transports of one profile: Streamable HTTP for all protocol versions, and legacy SSE."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from anyio.to_thread import run_sync
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import RequestBodyLimitMiddleware, StreamableHTTPSessionManager
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import QueryParams
from starlette.types import Message, Receive, Scope, Send

from saasus_mcp.common.json_bounds import find_excess
from saasus_mcp.common.json_members import RepeatedMember, parse_members
from saasus_mcp.common.messages import Message as Text
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.profile_access import ProfileUnavailable, ServedProfile, resolve_profile
from saasus_mcp.hosting.http.short_reads import ShortReads
from saasus_mcp.hosting.http_errors import error_response
from saasus_mcp.hosting.plain_exchange import PROGRESS, end_with_client
from saasus_mcp.hosting.raw_headers import header_values
from saasus_mcp.hosting.request_narrowing import NARROWING_KEY, NarrowingReader, SseNarrowings
from saasus_mcp.hosting.sessions.exchange import replay
from saasus_mcp.hosting.sessions.session_server import SessionServer
from saasus_mcp.hosting.sessions.sse_relay import SseRelay
from saasus_mcp.hosting.sessions.unread_messages import MAX_UNREAD, UnreadMessages
from saasus_mcp.saasus.deadline import CALL_SECONDS
from saasus_mcp.server.surface.narrowing import NarrowingError

# This logger writes what a client sent if it cannot be parsed: arguments, and the secrets in them.
logging.getLogger("mcp.server.sse").setLevel(logging.CRITICAL)

TransportKind = Literal["streamable", "sse", "messages"]
ALLOWED_METHODS: Mapping[TransportKind, tuple[str, ...]] = {
    "streamable": ("GET", "POST", "DELETE"),
    "sse": ("GET",),
    "messages": ("POST",),
}
VERSION_HEADER = b"mcp-protocol-version"
LARGE_BODY = 64 * 1024
"""Bytes of a body above which a thread looks for fields that are sent twice, so that other requests go on meanwhile."""
SESSION_ID_PATTERN = re.compile(r"[0-9a-f]{32}")
"""The id of an SSE stream. A message with another one is answered by the SDK."""


class ProfileTransports:
    """Passes requests to the MCP server of one profile, while `run` is entered."""

    def __init__(self, server: Server[Any], profile: ServedProfile, body_limit: int, *, workers: int = 1) -> None:
        self._server = server
        self._manager = StreamableHTTPSessionManager(server, max_request_body_size=body_limit)
        self._reads = StreamableHTTPSessionManager(server, json_response=True, max_request_body_size=body_limit)
        self._short_reads = ShortReads(server, profile.pipeline.catalogue)
        self._is_short = profile.pipeline.call_seconds <= CALL_SECONDS
        self._body_limit = body_limit
        self._sessions = SessionServer(server, profile)
        self._session_app = RequestBodyLimitMiddleware(self._sessions.handle_request, body_limit)
        self._sse = SseServerTransport(f"/messages/{profile.name}/", max_request_body_size=body_limit)
        self._narrowings, self._unread = SseNarrowings(), UnreadMessages()
        self._relay = SseRelay(profile, self._take_message, body_limit, self._unread) if workers > 1 else None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve requests until the block ends. It can be entered once."""
        relay = self._relay.run() if self._relay else nullcontext()
        async with self._manager.run(), self._reads.run(), self._short_reads.run(), self._sessions.run(), relay:
            yield

    async def end_questions(self) -> None:
        """End the open questions, because the server stops."""
        await self._sessions.end_questions(str(message("hosting.question_ended")))

    async def handle_request(self, kind: TransportKind, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request whose host, origin and caller have been checked."""
        if kind == "streamable":
            versions = header_values(scope, VERSION_HEADER)
            has_session = not versions or versions[0] in HANDSHAKE_PROTOCOL_VERSIONS
            await (self._session_app if has_session else self._handle_modern)(scope, receive, send)
        elif kind == "messages":
            await self._handle_message(scope, receive, send)
        else:
            async with self._relay.hold(scope, send) if self._relay else nullcontext(send) as relayed_send:
                await self._serve_stream(scope, receive, relayed_send)

    async def _handle_modern(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request of a protocol without sessions.

        A short read that asks for no progress is answered by plain JSON: the stream that the SDK prepares otherwise, for
        notifications and signs of life to proxies, takes a fifth of the function calls of a small read.
        """
        manager = self._manager
        if self._is_short and isinstance(receive, LimitedBody) and self._short_reads.names_read(scope):
            part = await receive()
            body = part.get("body", b"")
            if not part.get("more_body") and PROGRESS not in body:
                manager = self._reads
                end_with_client(scope)
                read = self._short_reads.recognize(scope, receive.value) if len(body) <= self._body_limit else None
                if read is not None:
                    await self._short_reads.answer(read, scope, receive, send)
                    return
            receive = replay(part, receive)
        await manager.handle_request(scope, receive, send)

    async def _handle_message(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a message for a stream of this worker, or pass it to the one that holds the stream."""
        if self._relay is not None:
            found = SESSION_ID_PATTERN.fullmatch(QueryParams(scope["query_string"]).get("session_id", ""))
            if found and scope["method"] == "POST" and not self._relay.holds(found[0]):
                await self._relay.forward(scope, receive, send)
                return
        if self._unread.is_full(scope[CALLER_KEY].principal.id):
            text = message("hosting.stream_unread", limit=MAX_UNREAD)
            await error_response(HTTPStatus.TOO_MANY_REQUESTS, text)(scope, receive, send)
            return
        await self._take_message(scope, receive, send)

    async def _take_message(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._sse.handle_post_message(self._narrowings.narrow_message(scope), receive, send)

    async def _serve_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._narrowings.track_connection(scope, send) as tracked_send:
            async with self._sse.connect_sse(scope, receive, tracked_send) as (reading, writing):
                counted = self._unread.counted(scope[CALLER_KEY].principal.id, writing)
                await self._server.run(reading, counted, self._server.create_initialization_options())


@dataclass(frozen=True, eq=False, slots=True)
class ProfileRouter:
    """Sends a caller's request to the profile in its path."""

    kind: TransportKind
    profiles: Mapping[str, ServedProfile]
    transports: Mapping[str, ProfileTransports]
    narrowings: NarrowingReader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            profile = resolve_profile(self.profiles, scope[CALLER_KEY], scope["path_params"].get("profile"))
            scope = {**scope, NARROWING_KEY: self.narrowings.read(scope)}
        except ProfileUnavailable as error:
            status = HTTPStatus.BAD_REQUEST if error.ambiguous else HTTPStatus.FORBIDDEN
            await error_response(status, error)(scope, receive, send)
            return
        except NarrowingError as error:
            await error_response(HTTPStatus.BAD_REQUEST, error)(scope, receive, send)
            return
        methods = ALLOWED_METHODS[self.kind]
        if scope["method"] not in methods:
            text = message("hosting.method_not_allowed")
            response = error_response(HTTPStatus.METHOD_NOT_ALLOWED, text, {"Allow": ", ".join(methods)})
            await response(scope, receive, send)
            return
        receive = LimitedBody(receive) if scope["method"] == "POST" else receive
        try:
            await self.transports[profile.name].handle_request(self.kind, scope, receive, send)
        except BodyRefused as error:
            await error_response(error.status, error)(scope, receive, send)


class BodyRefused(Exception):
    """The body exceeds a limit, is no text, or has two readings. The text says which, and what to send instead."""

    def __init__(self, status: HTTPStatus, text: Text) -> None:
        super().__init__(text)
        self.status = status


class LimitedBody:
    """A `receive` that applies the limits of `common.json_bounds` to the body, and refuses fields that are sent twice.

    Attributes:
        value: the JSON of a small body. None before all of it has arrived, if it is not JSON, and of a large one, which takes
            many times its size.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._parts: list[bytes] = []
        self._is_complete = False
        self.value: Any = None

    async def __call__(self) -> Message:
        """Return the next part.

        Raises:
            BodyRefused: the body exceeds a limit, has a NUL byte or a field twice; raised in place of its last part.
        """
        part = await self._receive()
        if part["type"] != "http.request" or self._is_complete:
            return part
        self._parts.append(part.get("body", b""))
        self._is_complete = not part.get("more_body", False)
        if self._is_complete:
            await self._check(b"".join(self._parts))
            self._parts.clear()
        return part

    async def _check(self, body: bytes) -> None:
        excess = find_excess(body)
        if excess is not None:
            status = HTTPStatus.BAD_REQUEST if b"\0" in body else HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise BodyRefused(status, excess)
        try:
            if len(body) > LARGE_BODY:
                await run_sync(parse_members, body)
            else:
                self.value = parse_members(body)
        except RepeatedMember as error:
            name = Quoted(error.name, bare=True)
            raise BodyRefused(HTTPStatus.BAD_REQUEST, message("arguments.message_repeats_field", name=name)) from None
