"""The outbox is part of the transaction of the event, bounded, and added to a store of an earlier release."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.store import notices as outbox
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.notice_records import NoticeEvent
from saasus_mcp.store.records import DAY, HOUR
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.databases import execute
from tests.support.saas_store import open_saas_store


def event(id: str, at: float = NOW) -> NoticeEvent:
    return NoticeEvent(id, "frozen", "default", at, {})


def route(store: Store, now: float = NOW) -> None:
    store.notices.route(["default"], lambda _: ["ops"], now)


def test_an_event_and_its_approval_are_stored_together_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="full")

    monkeypatch.setattr("saasus_mcp.store.approvals.add_event", fail)
    with pytest.raises(StoreError):
        store.request_approval(pending_approval(), 5)
    assert store.list_approvals(NOW) == []


def test_the_same_event_is_added_and_sent_once(store: Store) -> None:
    for _ in range(2):
        store.notices.add(event("one"))
        route(store)
    assert store.notices.claim("ops", NOW, 30) is not None
    assert store.notices.claim("ops", NOW, 30) is None


def test_a_channel_that_is_added_later_gets_no_earlier_event(store: Store) -> None:
    store.notices.add(event("one"))
    route(store)
    store.notices.route(["default"], lambda _: ["ops", "new"], NOW)
    assert store.notices.claim("new", NOW, 30) is None


def test_only_the_holder_of_a_claim_ends_it(store: Store) -> None:
    store.notices.add(event("one"))
    route(store)
    first = store.notices.claim("ops", NOW, 30)
    second = store.notices.claim("ops", NOW + 31, 30)
    assert first is not None
    assert second is not None
    assert (first.attempts, second.attempts) == (1, 2)
    store.notices.finish(first, "failed", NOW + 32, "timeout")
    assert store.notices.channel_states()[0].counts == {"pending": 1}
    store.notices.finish(second, "sent", NOW + 33)
    [state] = store.notices.channel_states()
    assert (state.counts, state.sent_at) == ({"sent": 1}, NOW + 33)


def test_the_outbox_is_bounded_in_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_UNROUTED", 3)
    for number in range(5):
        store.notices.add(event(f"event-{number}", NOW + number))
    monkeypatch.setattr(outbox, "MAX_PENDING", 2)
    route(store)
    [state] = store.notices.channel_states()
    assert (state.counts, state.error) == ({"pending": 2, "dropped": 1}, ""), "a dropped notice is no failure"
    assert getattr(store.notices.claim("ops", NOW, 30), "event", None) == event("event-2", NOW + 2), (
        "the oldest are gone"
    )


def test_the_outbox_is_bounded_in_age(store: Store) -> None:
    store.notices.add(event("one"))
    route(store)
    store.finish_call("call", {}, NOW + 7 * DAY + HOUR + 1)
    assert store.notices.channel_states() == []


def test_a_store_of_an_earlier_release_gets_the_outbox(tmp_path: Path) -> None:
    store = open_saas_store(tmp_path, "saas")
    for table in ("notices", "notice_deliveries", "mutes"):
        execute(store, f"DROP TABLE {table}")
    store.close()
    opened = open_saas_store(tmp_path, "saas")
    opened.request_approval(pending_approval(), 5)
    route(opened)
    assert opened.notices.due_channels(["ops"], NOW) == {"ops"}
    opened.close()
