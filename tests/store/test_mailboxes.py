"""Mailboxes: a message reaches the replica that works on its request, once, or is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.store import mailboxes as module
from saasus_mcp.store.database import retention
from saasus_mcp.store.mailboxes import ALIVE_SECONDS, MAX_WAITING, Mailbox, MailboxFull, MailboxMessage
from saasus_mcp.store.store import Store
from tests.support.databases import open_stores

BOX = Mailbox("a" * 32, "session", "request")


@pytest.fixture
def store(where: Path | str) -> Iterator[Store]:
    with closing(open_stores(where, (bytes(32),))) as stores, closing(stores.open_saas("saas")) as opened:
        yield opened


def letter(number: int, mailbox: str = BOX.id) -> MailboxMessage:
    return MailboxMessage(f"{number:032}", mailbox, f"letter {number}".encode())


def test_messages_arrive_in_order_and_each_is_taken_once(store: Store) -> None:
    boxes = store.mailboxes
    boxes.open([BOX])
    assert all(boxes.post(letter(number), "session") for number in range(3))
    assert [each.sealed for each in boxes.list_messages([BOX.id])] == [b"letter 0", b"letter 1", b"letter 2"]
    assert boxes.is_waiting(letter(1).id)
    assert [boxes.take(letter(1).id), boxes.take(letter(1).id)] == [True, False]
    assert not boxes.is_waiting(letter(1).id)
    assert [each.id for each in boxes.list_messages([BOX.id, "b" * 32])] == [letter(0).id, letter(2).id]


def test_only_the_session_of_a_mailbox_can_post_to_it_or_find_it(store: Store) -> None:
    boxes = store.mailboxes
    boxes.open([BOX, Mailbox("b" * 32, "session", "another")])
    assert not boxes.post(letter(0), "another session")
    assert not boxes.post(letter(0, "c" * 32), "session")
    assert boxes.find("session", "request") == [BOX.id]
    assert sorted(boxes.find("session")) == [BOX.id, "b" * 32]
    assert boxes.find("another session") == []


def test_a_mailbox_that_is_closed_takes_nothing(store: Store) -> None:
    boxes = store.mailboxes
    boxes.open([BOX])
    boxes.close([BOX.id])
    assert (boxes.post(letter(0), "session"), boxes.find("session")) == (False, [])


def test_a_mailbox_takes_a_limited_number_of_messages(store: Store) -> None:
    store.mailboxes.open([BOX])
    assert all(store.mailboxes.post(letter(number), "session") for number in range(MAX_WAITING))
    with pytest.raises(MailboxFull):
        store.mailboxes.post(letter(MAX_WAITING), "session")
    assert store.mailboxes.take(letter(0).id)
    assert store.mailboxes.post(letter(MAX_WAITING), "session")


def test_a_replica_that_says_nothing_has_stopped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(module, "shared_time", lambda _: now)
    boxes = store.mailboxes
    boxes.open([BOX])
    now += ALIVE_SECONDS - 1
    assert boxes.post(letter(0), "session")
    boxes.refresh([BOX.id])
    now += ALIVE_SECONDS - 1
    assert boxes.post(letter(1), "session")
    now += 1
    assert (boxes.post(letter(2), "session"), boxes.find("session")) == (False, [])


def test_an_ended_session_stays_ended_until_its_id_expires(store: Store) -> None:
    boxes = store.mailboxes
    assert not boxes.has_ended("session")
    for _ in range(2):
        boxes.end_session("session", 2_000.0)
    assert boxes.has_ended("session")
    for now, ended in ((1_999.0, True), (2_001.0, False)):
        with store._database.transaction() as connection:
            retention.purge_expired(connection, now)
        assert boxes.has_ended("session") == ended
