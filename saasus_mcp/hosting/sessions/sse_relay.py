"""Messages of the older SSE transport that arrive at another worker than the one that holds the stream."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TypeVar

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
from saasus_mcp.hosting.sessions.exchange import body_receiver
from saasus_mcp.hosting.sessions.mailbox_service import REFRESH_SECONDS, TAKE_SECONDS
from saasus_mcp.hosting.sessions.message_collector import MessageCollector
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.store import StoreError
from saasus_mcp.store.mailboxes import Mailbox, MailboxFull, MailboxMessage, MailboxStore

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""Seconds between two looks into the mailboxes: half of it is added to a message that arrives at another worker."""
MAX_SEEN = 1_000
"""Messages that are remembered as taken. One that is posted again comes within seconds."""
Handle = Callable[[Scope, Receive, Send], Awaitable[None]]
T = TypeVar("T")


class SseRelay:
    """Passes messages to the worker that holds their stream, through the store, while `run` is entered.

    A message is authenticated where it arrives, and handled as of that caller. It counts only for a stream of the same principal
    and program: their digest is the session of the stream's mailbox.

    Args:
        deliver: handles a message of a stream of this worker.
        body_limit: bytes of a message.
    """

    def __init__(self, profile: ServedProfile, deliver: Handle, body_limit: int) -> None:
        self._pipeline = profile.pipeline
        self._deliver = deliver
        self._streams: dict[str, Scope] = {}
        self._opened: set[str] = set()
        self._collector = MessageCollector(POLL_SECONDS, lambda: bool(self._streams), self._take_messages)
        self._seen: deque[str] = deque(maxlen=MAX_SEEN)
        self._refreshed_at = 0.0
        self._tasks: TaskGroup | None = None
        self.forward = RequestBodyLimitMiddleware(self._forward, body_limit)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Look for messages until the block ends."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._collector.run)
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
                self._collector.wake()
                try:
                    await self._open(opened)
                except StoreError as error:
                    log.warning("a stream takes messages through this worker only, for now: %s", error)
            await send(part)

        try:
            yield send_and_open
        finally:
            for identifier in opened:
                del self._streams[identifier]
                self._opened.discard(identifier)
                with anyio.CancelScope(shield=True):
                    await self._close(identifier)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a message for a stream of another worker: 202 once that one has taken it."""
        request = Request(scope, receive)
        identifier = request.query_params.get("session_id", "")
        response = await self._pass_to_holder(identifier, scope, await request.body())
        await response(scope, receive, send)

    async def _pass_to_holder(self, identifier: str, scope: Scope, body: bytes) -> Response:
        try:
            jsonrpc_message_adapter.validate_json(body, by_name=False)
        except ValidationError:
            return Response("Could not parse message", HTTPStatus.BAD_REQUEST)  # as the SDK answers
        caller: Caller = scope[CALLER_KEY]
        owner = owner_digest(caller)
        content = [caller.to_json(), scope[NARROWING_KEY].to_json(), REQUEST_ID.get(), body.hex()]
        sealed = self._pipeline.encryptor.encrypt(content, _purpose(identifier))
        posted = MailboxMessage(secrets.token_hex(16), identifier, sealed)
        try:
            return await self._post(posted, owner)
        except MailboxFull as error:
            return unavailable_response(error)
        except StoreError:
            return unavailable_response(message("hosting.message_not_delivered"))

    async def _post(self, posted: MailboxMessage, owner: str) -> Response:
        """Return 202 once the message is taken, 503 if it is not in time, and 404 if no worker has this stream of the caller.

        Raises:
            StoreError: the store fails, or too many messages wait.
        """
        if await self._put(posted, owner):
            if await self._wait_for(posted.id):
                return Response("Accepted", HTTPStatus.ACCEPTED)
            if posted.mailbox in await self._run(lambda store: store.find(owner)):
                return unavailable_response(message("hosting.stream_busy"))
        return error_response(HTTPStatus.NOT_FOUND, message("hosting.stream_unknown"))

    async def _put(self, posted: MailboxMessage, owner: str) -> bool:
        """Put a message into the mailbox of a stream. Return False if no worker that is alive has it.

        After a commit whose end is unknown, it is put there again: the holder takes a message once, however often it comes.

        Raises:
            StoreError: the store fails, or too many messages wait.
        """
        give_up_at = anyio.current_time() + TAKE_SECONDS
        while True:
            try:
                return await self._run(lambda store: store.post(posted, owner))
            except StoreError as error:
                if not error.may_have_written or anyio.current_time() >= give_up_at:
                    raise
            await anyio.sleep(POLL_SECONDS)

    async def _wait_for(self, posted: str) -> bool:
        """Return whether a message is taken in time. Otherwise it is taken back."""
        with anyio.move_on_after(TAKE_SECONDS):
            while await self._run(lambda store: store.is_waiting(posted)):  # noqa: ASYNC110 - the store tells nobody
                await anyio.sleep(POLL_SECONDS / 2)
        return not await self._run(lambda store: store.take(posted))

    async def _open(self, identifiers: Collection[str]) -> None:
        """Open the mailboxes that are not open yet.

        Raises:
            StoreError: the store fails.
        """
        new = [each for each in identifiers if each not in self._opened and each in self._streams]
        if new:
            rows = [Mailbox(each, owner_digest(self._streams[each][CALLER_KEY]), "") for each in new]
            self._opened.update(new)
            try:
                await self._run(lambda store: store.open(rows))
            except StoreError:
                self._opened.difference_update(new)
                raise

    async def _close(self, identifier: str) -> None:
        try:
            await self._run(lambda store: store.close([identifier]))
        except StoreError:
            log.warning("a mailbox could not be closed, and expires")

    async def _take_messages(self) -> None:
        identifiers = list(self._streams)
        await self._open(identifiers)
        now = anyio.current_time()
        if now - self._refreshed_at >= REFRESH_SECONDS:
            await self._run(lambda store: store.refresh(identifiers))
            self._refreshed_at = now
        for found in await self._run(lambda store: store.list_messages(identifiers)):
            stream = self._streams.get(found.mailbox)
            content = self._pipeline.encryptor.decrypt(found.sealed, _purpose(found.mailbox))
            if stream is None or content is None:
                continue  # the worker that has it takes it back
            caller = Caller.from_json(content[0])
            if owner_digest(caller) != owner_digest(stream[CALLER_KEY]):
                continue  # the store was changed: `post` lets nobody else in
            if await self._run(lambda store, found=found: store.take(found.id)) and self._tasks is not None:  # type: ignore[misc]
                if found.id in self._seen:  # posted again after a commit whose end the sender did not know
                    continue
                self._seen.append(found.id)
                narrowing = Narrowing.from_json(content[1]) & stream[NARROWING_KEY]
                scope = _message_scope(stream, found.mailbox, caller, narrowing)
                self._tasks.start_soon(self._pass_on, scope, content[2], bytes.fromhex(content[3]))

    async def _pass_on(self, scope: Scope, request_id: str, body: bytes) -> None:
        REQUEST_ID.set(request_id)  # of this task: the log names the request that brought the message
        try:
            await self._deliver(scope, body_receiver(body), _discard)
        except Exception:  # one message must not end the streams of others
            log.exception("a message of another worker could not be passed on")

    async def _run(self, query: Callable[[MailboxStore], T]) -> T:
        return await self._pipeline.store_executor(lambda: query(self._pipeline.store.mailboxes))


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


async def _discard(_: AsgiMessage) -> None:
    pass


def _purpose(identifier: str) -> str:
    return f"message for the stream {identifier}"
