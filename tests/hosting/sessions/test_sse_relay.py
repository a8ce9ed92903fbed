"""Messages of the older SSE that arrive at another worker than the one that holds the stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.request_id import REQUEST_ID
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.request_narrowing import NARROWING_KEY
from saasus_mcp.hosting.sessions import mailbox_service, unread_messages
from saasus_mcp.hosting.sessions.exchange import body_receiver
from saasus_mcp.hosting.sessions.sse_relay import SseRelay
from saasus_mcp.hosting.sessions.unread_messages import UnreadMessages
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING
from saasus_mcp.store import mailboxes as stored
from saasus_mcp.store.errors import StoreError, StoreUnavailable
from saasus_mcp.store.mailboxes import MailboxMessage, MailboxStore
from tests.support.hosting_server import build_server
from tests.support.processes import TIMEOUT

STREAM = "a" * 32
BODY = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()


def caller(name: str = "alice", *groups: str, **claims: Any) -> Caller:
    return Caller(Principal(f"token:{name}", frozenset(groups), claims), "caller", client_id=name)


def scope_of(who: Caller) -> Scope:
    query = f"session_id={STREAM}".encode()
    return {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": query,
        "headers": [],
        CALLER_KEY: who,
        NARROWING_KEY: NO_NARROWING,
    }


@dataclass
class Workers:
    """One worker that holds a stream of alice, and another one."""

    holder: SseRelay
    other: SseRelay
    handled: list[tuple[Caller, str]] = field(default_factory=list)

    async def send(self, who: Caller, body: bytes = BODY) -> tuple[int, dict[bytes, bytes]]:
        """Send a message to the other worker. Return status and headers of the response."""
        parts: list[Message] = []

        async def keep(part: Message) -> None:
            parts.append(part)

        with anyio.fail_after(TIMEOUT):
            await self.other.forward(scope_of(who), body_receiver(body), keep)
        return parts[0]["status"], dict(parts[0]["headers"])


@asynccontextmanager
async def start_workers(catalogue: Catalogue, opener: Caller, *, collects: bool = True) -> AsyncIterator[Workers]:
    profile = build_server(catalogue).served["default"]

    async def handle(scope: Scope, _: Receive, __: Send) -> None:
        workers.handled.append((scope[CALLER_KEY], REQUEST_ID.get()))

    async def drop(_: Message) -> None:
        pass

    unread = UnreadMessages()
    workers = Workers(SseRelay(profile, handle, 10_000, unread), SseRelay(profile, handle, 10_000, unread))
    async with workers.holder.hold(scope_of(opener), drop) as send:
        await send({"type": "http.response.body", "body": f"data: /messages/default/?session_id={STREAM}\r\n".encode()})
        if not collects:
            yield workers
            return
        async with workers.holder.run():
            yield workers


async def test_a_message_is_handled_as_of_the_caller_that_sent_it(catalogue: Catalogue) -> None:
    sender = caller("alice", "now", department="sales")
    async with start_workers(catalogue, caller("alice", "before")) as workers:
        REQUEST_ID.set("request-of-the-message")
        assert (await workers.send(sender))[0] == 202
    assert workers.handled == [(sender, "request-of-the-message")]


async def test_a_message_of_another_principal_is_refused_as_if_there_was_no_stream(catalogue: Catalogue) -> None:
    async with start_workers(catalogue, caller()) as workers:
        assert (await workers.send(caller("bob")))[0] == 404
    assert workers.handled == []


async def test_a_burst_of_messages_is_taken(catalogue: Catalogue) -> None:
    count, statuses = 40, list[int]()
    async with start_workers(catalogue, caller()) as workers, anyio.create_task_group() as together:

        async def one() -> None:
            statuses.append((await workers.send(caller()))[0])

        for _ in range(count):
            together.start_soon(one)
    assert (statuses, len(workers.handled)) == ([202] * count, count)


async def test_a_message_that_finds_no_room_can_be_sent_again(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MAX_WAITING", 0)
    async with start_workers(catalogue, caller()) as workers:
        status, headers = await workers.send(caller())
    assert (status, b"retry-after" in headers) == (503, True)


async def test_a_message_for_a_stream_that_is_not_read_is_not_taken(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_service, "TAKE_SECONDS", 0.1)
    monkeypatch.setattr(unread_messages, "MAX_UNREAD", 0)
    async with start_workers(catalogue, caller()) as workers:
        assert (await workers.send(caller()))[0] == 503
    assert workers.handled == []


async def test_a_message_that_is_not_taken_in_time_is_taken_back_and_can_be_sent_again(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_service, "TAKE_SECONDS", 0.01)
    async with start_workers(catalogue, caller(), collects=False) as workers:
        status, headers = await workers.send(caller())
    assert (status, b"retry-after" in headers) == (503, True)
    assert workers.handled == []


async def test_a_body_that_is_no_message_is_refused_where_it_arrives(catalogue: Catalogue) -> None:
    async with start_workers(catalogue, caller()) as workers:
        assert (await workers.send(caller(), b"{"))[0] == 400
    assert workers.handled == []


async def test_a_stream_that_was_opened_without_the_store_takes_messages_once_it_works(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, fails = MailboxStore.open, [True]

    def open_once_it_works(store: MailboxStore, opened: Any) -> None:
        if fails.pop() if fails else False:
            raise StoreError.of("store.mailbox_full")
        works(store, opened)

    monkeypatch.setattr(MailboxStore, "open", open_once_it_works)
    async with start_workers(catalogue, caller()) as workers:
        with anyio.fail_after(TIMEOUT):
            while (await workers.send(caller()))[0] != 202:  # noqa: ASYNC110 - the relay looks by itself
                await anyio.sleep(0.01)
    assert len(workers.handled) == 1


@pytest.mark.parametrize("meanwhile", ["taken", "waiting", "not written"])
async def test_a_message_whose_commit_failed_with_an_unknown_end_is_handled_once(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    post, is_waiting = MailboxStore.post, MailboxStore.is_waiting
    posted: list[str] = []

    def lose_the_first_end(store: MailboxStore, message: MailboxMessage, session: str) -> bool:
        if posted and meanwhile == "taken" and is_waiting(store, message.id):
            raise unknown_end()
        posted.append(message.id)
        if len(posted) == 1 and meanwhile == "not written":
            raise unknown_end()
        found = post(store, message, session)
        if len(posted) == 1:
            raise unknown_end()
        return found

    monkeypatch.setattr(MailboxStore, "post", lose_the_first_end)
    async with start_workers(catalogue, caller()) as workers:
        assert (await workers.send(caller()))[0] == 202
        monkeypatch.setattr(MailboxStore, "post", post)
        assert (await workers.send(caller()))[0] == 202
    assert len(set(posted)) == 1
    assert len(workers.handled) == 2, "each of two messages once"


def unknown_end() -> StoreError:
    error = StoreUnavailable.of("store.database_failed")
    error.may_have_written = True
    return error
