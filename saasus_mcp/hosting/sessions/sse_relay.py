"""Messages of the older SSE transport that arrive at another worker than the one that holds the stream."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp.server.streamable_http_manager import RequestBodyLimitMiddleware
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from saasus_mcp.common.messages import message
from saasus_mcp.common.request_id import REQUEST_ID
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.http_errors import error_response, unavailable_response
from saasus_mcp.hosting.request_narrowing import ENDPOINT_PATTERN, NARROWING_KEY
from saasus_mcp.hosting.sessions.client_session import owner_digest
from saasus_mcp.hosting.sessions.exchange import body_receiver, discard
from saasus_mcp.hosting.sessions.mailbox_service import MailboxService
from saasus_mcp.hosting.sessions.unread_messages import UnreadMessages
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.mailboxes import Mailbox, MailboxFull

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""Seconds between two looks into the mailboxes: half of it is added to a message that arrives at another worker."""
Handle = Callable[[Scope, Receive, Send], Awaitable[None]]


class SseRelay:
    """Passes messages to the worker that holds their stream, through the store, while `run` is entered.

    A message is authenticated where it arrives, and handled as of that caller. It counts only for a stream of the same principal
    and program: their digest is the session of the stream's mailbox.

    Args:
        body_limit: bytes of a message.
        unread: what waits on the streams of this worker.
    """

    def __init__(self, profile: ServedProfile, deliver: Handle, body_limit: int, unread: UnreadMessages) -> None:
        self._deliver, self._unread = deliver, unread
        self._streams: dict[str, Scope] = {}
        self._mailboxes = MailboxService(profile, "message for the stream", POLL_SECONDS)
        self._tasks: TaskGroup | None = None
        self.forward = RequestBodyLimitMiddleware(self._forward, body_limit)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Look for messages until the block ends."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._mailboxes.run, lambda: bool(self._streams), self._take_messages)
            yield
            self._tasks.cancel_scope.cancel()

    def holds(self, identifier: str) -> bool:
        """Return whether a stream is one of this worker."""
        return identifier in self._streams

    @asynccontextmanager
    async def hold(self, scope: Scope, send: Send) -> AsyncIterator[Send]:
        """Take messages for a stream while it is open.

        Yields a `send` that reads the stream's id from the response, and opens its mailbox before any client can know the id.
        """
        opened: list[str] = []

        async def send_and_open(part: AsgiMessage) -> None:
            found = ENDPOINT_PATTERN.search(part.get("body", b"")) if not opened else None
            if found:
                opened.append(found[1].decode())
                self._streams[opened[0]] = scope
                self._mailboxes.wake()
                try:
                    await self._open_mailboxes()
                except StoreError as error:
                    log.warning("a stream takes messages through this worker only, for now: %s", error)
            await send(part)

        try:
            yield send_and_open
        finally:
            for identifier in opened:
                del self._streams[identifier]
                with anyio.CancelScope(shield=True):
                    await self._mailboxes.close(identifier)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a message for a stream of another worker: 202 once that one has taken it."""
        request = Request(scope, receive)
        identifier = request.query_params.get("session_id", "")
        response = await self._pass_to_holder(identifier, scope, await request.body())
        await response(scope, receive, send)

    async def _pass_to_holder(self, identifier: str, scope: Scope, body: bytes) -> Response:
        """Return 202 once the message is taken, 503 if it is not in time, and 404 if no worker has this stream of the caller."""
        try:
            jsonrpc_message_adapter.validate_json(body, by_name=False)
        except ValidationError:
            return Response("Could not parse message", HTTPStatus.BAD_REQUEST)  # as the SDK answers
        caller: Caller = scope[CALLER_KEY]
        owner = owner_digest(caller)
        content = [caller.to_json(), scope[NARROWING_KEY].to_json(), REQUEST_ID.get(), body.hex()]
        try:
            if await self._mailboxes.post(identifier, owner, content):
                return Response("Accepted", HTTPStatus.ACCEPTED)
            if identifier in await self._mailboxes.find(owner):
                return unavailable_response(message("hosting.stream_busy"))
        except MailboxFull as error:
            return unavailable_response(error)
        except StoreError:
            return unavailable_response(message("hosting.message_not_delivered"))
        return error_response(HTTPStatus.NOT_FOUND, message("hosting.stream_unknown"))

    async def _open_mailboxes(self) -> None:
        """Open the mailboxes of the streams of this worker that are not open yet. Raise StoreError if the store fails."""
        streams = self._streams.items()
        await self._mailboxes.open([Mailbox(each, owner_digest(scope[CALLER_KEY]), "") for each, scope in streams])

    async def _take_messages(self) -> None:
        await self._open_mailboxes()
        async for identifier, (sender, narrowing, request_id, body) in self._mailboxes.take_messages(self._can_take):
            stream = self._streams.get(identifier)
            if stream is not None and self._tasks is not None:
                narrowed = Narrowing.from_json(narrowing) & stream[NARROWING_KEY]
                scope = _message_scope(stream, identifier, Caller.from_json(sender), narrowed)
                self._tasks.start_soon(self._pass_on, scope, request_id, bytes.fromhex(body))

    def _can_take(self, identifier: str, content: Any) -> bool:
        """Return whether the owner of a stream sent a message, and reads. `post` lets nobody else in, unless the store was changed."""
        stream, sender = self._streams.get(identifier), Caller.from_json(content[0])
        is_owner = stream is not None and owner_digest(sender) == owner_digest(stream[CALLER_KEY])
        return is_owner and not self._unread.is_full(sender.principal.id)

    async def _pass_on(self, scope: Scope, request_id: str, body: bytes) -> None:
        REQUEST_ID.set(request_id)  # of this task: the log names the request that brought the message
        try:
            await self._deliver(scope, body_receiver(body), discard)
        except Exception:  # one message must not end the streams of others
            log.exception("a message of another worker could not be passed on")


def _message_scope(stream: Scope, identifier: str, caller: Caller, narrowing: Narrowing) -> Scope:
    """Return the scope of a message as it would be here: of the caller who sent it, with the groups and claims of that token."""
    scope: Scope = {
        **stream,
        "method": "POST",
        "query_string": f"session_id={identifier}".encode(),
        "headers": [(b"content-type", b"application/json")],
        CALLER_KEY: caller,
        NARROWING_KEY: narrowing,
    }
    return scope
