"""Approvals that a clock has ended, or has made too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from saasus_mcp.store.database import engine
from saasus_mcp.store.errors import AlreadyUsed
from saasus_mcp.store.records import CLOCK_TOLERANCE, DAY, ProofUse
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.databases import POSTGRESQL

RECORD = {"operation": "auth.DeleteTenant"}
PENDING = pending_approval(bound="d" * 64)


@pytest.fixture(autouse=True)
def late_shared_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of a shared database agree with the latest time of these tests."""
    monkeypatch.setattr(engine, "shared_time", lambda _: NOW + 900)


AHEAD = NOW + DAY
MADE_AHEAD = replace(PENDING, requested_at=AHEAD, expires_at=AHEAD + 900)
USE = ProofUse("approval", PENDING.code)


def test_an_approval_that_was_made_while_the_clock_was_ahead_is_void_once_it_is_right(store: Store) -> None:
    assert store.request_approval(MADE_AHEAD, 5)
    assert store.decide_approval(PENDING.code, "approved", by="a", at=AHEAD, expires_at=AHEAD + 900)
    with pytest.raises(AlreadyUsed):
        store.commit("c-1", RECORD, NOW, USE)
    assert [each.status for each in store.list_approvals(NOW)] == ["stale"]
    again = store.request_approval(replace(PENDING, code="JKLM-2345"), 5)
    assert again is not None
    assert again.code == "JKLM-2345"


SEEN_AHEAD: dict[str, Callable[[Store], object]] = {
    "in a list": lambda store: store.list_approvals(NOW),
    "by its code": lambda store: store.find_approval(PENDING.code, NOW),
    "by a decision": lambda store: store.decide_approval(PENDING.code, "rejected", by="a", at=NOW),
    "by another request": lambda store: store.request_approval(replace(PENDING, code="EFGH-6789", binding="2" * 64), 5),
    "when the store is cleaned up": lambda store: store.finish_call("c-0", {"ok": True}, NOW),
}


@pytest.mark.parametrize("see", SEEN_AHEAD.values(), ids=SEEN_AHEAD)
@pytest.mark.parametrize("approved", [True, False])
def test_an_approval_that_was_seen_as_made_ahead_stays_void_when_its_time_comes(
    store: Store, see: Callable[[Store], object], approved: bool
) -> None:
    assert store.request_approval(MADE_AHEAD, 5)
    if approved:
        assert store.decide_approval(PENDING.code, "approved", by="a", at=AHEAD, expires_at=AHEAD + 900)
    see(store)
    assert not store.decide_approval(PENDING.code, "approved", by="a", at=AHEAD)
    with pytest.raises(AlreadyUsed):
        store.commit("c-2", RECORD, AHEAD, USE)


def test_an_approval_of_a_clock_that_is_a_tolerated_time_ahead_is_used(store: Store) -> None:
    ahead = NOW + CLOCK_TOLERANCE
    assert store.request_approval(replace(PENDING, requested_at=ahead, expires_at=ahead + 900), 5)
    assert store.decide_approval(PENDING.code, "approved", by="a", at=ahead, expires_at=ahead + 900)
    assert [each.status for each in store.list_approvals(NOW)] == ["approved"]
    store.commit("c-1", RECORD, NOW, USE)


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
@pytest.mark.parametrize("see", SEEN_AHEAD.values(), ids=SEEN_AHEAD)
def test_a_slow_clock_of_one_process_voids_no_approval_for_the_others(
    shared: tuple[Store, Store], see: Callable[[Store], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, slow = shared
    monkeypatch.setattr(engine, "shared_time", lambda _: AHEAD)
    assert here.request_approval(MADE_AHEAD, 5)
    see(slow)
    assert [each.status for each in slow.list_approvals(NOW) if each.code == PENDING.code] == ["stale"]
    assert here.decide_approval(PENDING.code, "approved", by="a", at=AHEAD)
    here.commit("c-1", RECORD, AHEAD, USE)


SEEN: dict[str, Callable[[Store], object]] = {
    "in a list": lambda store: store.list_approvals(NOW + 900),
    "by its code": lambda store: store.find_approval(PENDING.code, NOW + 900),
    "by a decision": lambda store: store.decide_approval(PENDING.code, "approved", by="a", at=NOW + 900),
    "by another request": lambda store: store.request_approval(
        replace(PENDING, code="EFGH-6789", binding="2" * 64, requested_at=NOW + 900, expires_at=NOW + 1800), 5
    ),
}


@pytest.mark.parametrize("see", SEEN.values(), ids=SEEN)
def test_an_approval_that_was_seen_as_expired_stays_so_when_the_clock_goes_back(
    store: Store, see: Callable[[Store], object]
) -> None:
    assert store.request_approval(PENDING, 5)
    see(store)
    assert not store.decide_approval(PENDING.code, "approved", by="a", at=NOW, expires_at=NOW + 900)
    found = store.find_approval(PENDING.code, NOW)
    assert found is not None
    assert found.status == "stale"
    again = store.request_approval(replace(PENDING, code="JKLM-2345"), 5)
    assert again is not None
    assert again.code == "JKLM-2345"


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
@pytest.mark.parametrize("see", SEEN.values(), ids=SEEN)
def test_a_fast_clock_of_one_process_ends_no_approval_for_the_others(
    shared: tuple[Store, Store], see: Callable[[Store], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, fast = shared
    monkeypatch.setattr(engine, "shared_time", lambda _: NOW)
    assert here.request_approval(PENDING, 5)
    see(fast)
    assert [each.status for each in fast.list_approvals(NOW + 900) if each.code == PENDING.code] == ["stale"]
    assert here.decide_approval(PENDING.code, "approved", by="a", at=NOW)
    here.commit("c-1", RECORD, NOW, ProofUse("approval", PENDING.code))


def test_a_consent_that_was_seen_as_expired_is_not_used_when_the_clock_goes_back(store: Store) -> None:
    assert store.request_approval(PENDING, 5)
    assert store.decide_approval(PENDING.code, "approved", by="a", at=NOW, expires_at=NOW + 900)
    assert [each.status for each in store.list_approvals(NOW + 900)] == ["stale"]
    with pytest.raises(AlreadyUsed):
        store.commit("c-1", RECORD, NOW, ProofUse("approval", PENDING.code))


def test_an_approval_that_was_seen_as_expired_is_reported_once(store: Store) -> None:
    assert store.request_approval(PENDING, 5)
    for _ in range(2):
        store.list_approvals(NOW + 900)
        store.notices.add_expired_approvals(NOW, NOW + 900)
    store.notices.route(["default"], lambda _: ["ops"], NOW + 900)
    kinds = []
    while (claimed := store.notices.claim("ops", NOW + 900, 30)) is not None:
        kinds.append(claimed.event.kind)
    assert kinds == ["approval_requested", "approval_expired"]
