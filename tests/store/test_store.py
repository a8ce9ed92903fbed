"""The store: all or nothing in one transaction, a yes that is used once however it is raced, and times that end."""

from __future__ import annotations

import gc
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from saasus_mcp.store.database import engine
from saasus_mcp.store.errors import AlreadyUsed, StoreError
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import ApprovalStatus, Commitment, HiddenSecret, ProofUse
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.databases import execute, open_stores

RECORD = {"operation": "auth.DeleteTenant"}

PENDING = pending_approval(bound="d" * 64)


@pytest.fixture(autouse=True)
def late_shared_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of a shared database agree with the latest time of these tests."""
    monkeypatch.setattr(engine, "shared_time", lambda _: NOW + 900)


def approved(store: Store, code: str = "ABCD-2345", at: float = NOW) -> None:
    assert store.request_approval(replace(PENDING, code=code, binding=f"of {code}"), 99)
    assert store.decide_approval(code, "approved", by="local:person", at=at, expires_at=at + 900)


def raced(*attempts: Callable[[], Any]) -> list[Any]:
    """Return the results of threads that start together."""
    start, results = threading.Barrier(len(attempts)), []

    def run(attempt: Callable[[], Any]) -> None:
        start.wait()
        try:
            results.append(attempt())
        except StoreError as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


# -- commit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["confirmation", "approval"])
def test_a_yes_is_used_once(store: Store, kind: Any) -> None:
    approved(store)
    spend = ProofUse(kind, "ABCD-2345")
    store.commit("c-1", RECORD, NOW, spend)
    for _ in range(2):
        with pytest.raises(AlreadyUsed):
            store.commit("c-2", RECORD, NOW, spend)
    assert [(record["call"], record["event"]) for record in store.audit_log.list_records()] == [("c-1", "begun")]


@pytest.mark.parametrize("kind", ["confirmation", "approval"])
def test_of_two_processes_that_use_one_yes_at_once_one_wins(shared: tuple[Store, Store], kind: Any) -> None:
    for turn in range(10):
        code = f"AAAA-{turn:04d}"
        approved(shared[0], code)
        spend = ProofUse(kind, code)
        attempts = [
            (lambda store=store, call=f"{code}-{index}", spend=spend: store.commit(call, RECORD, NOW, spend))
            for index, store in enumerate(shared * 2)
        ]
        results = raced(*attempts)
        assert results.count(None) == 1
        assert sum(isinstance(result, AlreadyUsed) for result in results) == 3
        assert sum(record["call"].startswith(code) for record in shared[0].audit_log.list_records()) == 1


@pytest.mark.parametrize("status", ["pending", "rejected", "used", "stale"])
def test_an_approval_that_is_not_in_force_is_no_yes(store: Store, status: ApprovalStatus) -> None:
    assert store.request_approval(PENDING, 5)
    store.decide_approval(PENDING.code, status, by="local:person", at=NOW, expires_at=NOW + 900)
    with pytest.raises(AlreadyUsed):
        store.commit("c-1", RECORD, NOW, ProofUse("approval", PENDING.code))
    assert store.audit_log.list_records() == []


def test_a_yes_to_a_plan_is_no_yes_to_a_call_that_is_no_step_of_it(store: Store) -> None:
    with pytest.raises(AlreadyUsed):
        store.commit("call-1", {}, NOW, ProofUse("grant", "job-1"))
    assert store.audit_log.list_records() == []


def test_the_end_of_a_job_is_reported_once_and_stays(store: Store) -> None:
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, {})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    store.finish_job("job-1", "done", {"rows": 3}, record={"status": "done"}, at=NOW)
    store.finish_job("job-1", "failed", {}, record={"status": "failed"}, at=NOW + 1)
    job = store.jobs.get("job-1")
    assert job is not None
    assert (job.status, job.report) == ("done", {"rows": 3})
    assert [record["status"] for record in store.audit_log.list_records() if record["event"] == "ended"] == ["done"]


def test_a_rejection_that_says_no_end_of_its_wait_lasts_as_long_as_the_request(store: Store) -> None:
    assert store.request_approval(PENDING, 5)
    store.decide_approval(PENDING.code, "rejected", by="local:person", at=NOW)
    assert store.find_rejected(PENDING.subject, PENDING.expires_at - 1) is not None
    assert store.find_rejected(PENDING.subject, PENDING.expires_at) is None
    assert store.find_rejected("", NOW) is None


def test_an_approval_that_was_never_asked_for_is_no_yes(store: Store) -> None:
    with pytest.raises(AlreadyUsed):
        store.commit("c-1", RECORD, NOW, ProofUse("approval", "ZZZZ-9999"))


def test_an_approval_that_has_expired_is_no_yes(store: Store) -> None:
    approved(store)
    with pytest.raises(AlreadyUsed):
        store.commit("c-1", RECORD, NOW + 900, ProofUse("approval", PENDING.code))
    store.commit("c-1", RECORD, NOW + 899, ProofUse("approval", PENDING.code))


def test_a_yes_is_not_used_up_when_the_audit_cannot_be_begun(store: Store) -> None:
    approved(store)

    class Unwritable:
        def __str__(self) -> str:
            raise ValueError("cannot be written")

    with pytest.raises(ValueError, match="cannot be written"):
        store.commit("c-1", {"bad": Unwritable()}, NOW, ProofUse("approval", PENDING.code))
    store.commit("c-2", RECORD, NOW, ProofUse("approval", PENDING.code))
    assert [record["call"] for record in store.audit_log.list_records()] == ["c-2"]


def test_the_audit_keeps_the_order_and_the_words_of_what_happened(store: Store) -> None:
    store.commit("c-1", {"name": "株式会社"}, NOW)
    store.record_refusal("c-2", {"refused": "denied"}, NOW + 1)
    store.finish_call("c-1", {"ok": True}, NOW + 2)
    assert store.audit_log.list_records() == [
        {"call": "c-1", "event": "begun", "at": NOW, "name": "株式会社"},
        {"call": "c-2", "event": "refused", "at": NOW + 1, "refused": "denied"},
        {"call": "c-1", "event": "ended", "at": NOW + 2, "ok": True},
    ]


# -- approvals ---------------------------------------------------------------------------------------------------------


def test_asking_again_finds_what_is_pending_or_approved(store: Store) -> None:
    assert store.request_approval(PENDING, 5) == PENDING
    again = replace(PENDING, code="EFGH-6789", requested_at=NOW + 1)
    assert store.request_approval(again, 5) == PENDING
    store.decide_approval(PENDING.code, "approved", by="local:person", at=NOW, expires_at=NOW + 900)
    found = store.request_approval(again, 5)
    assert found is not None
    assert (found.code, found.status, found.decided_by, found.decided_at) == (
        PENDING.code,
        "approved",
        "local:person",
        NOW,
    )


def test_two_processes_that_ask_at_once_get_one_code(shared: tuple[Store, Store]) -> None:
    wanted = [replace(PENDING, code=f"AAAA-{index:04d}") for index in range(4)]
    results = raced(
        *[(lambda store=shared[index % 2], one=one: store.request_approval(one, 5)) for index, one in enumerate(wanted)]
    )
    assert len({result.code for result in results}) == 1


def test_a_principal_has_so_many_pending_and_not_one_more(store: Store) -> None:
    asked = [replace(PENDING, code=f"AAAA-{index:04d}", binding=str(index) * 64) for index in range(7)]
    assert [store.request_approval(one, 5) is not None for one in asked] == [True] * 5 + [False] * 2
    assert store.request_approval(replace(asked[6], code="BBBB-2", binding="o" * 64, principal="local:other"), 5)
    store.decide_approval(asked[0].code, "approved", by="x", at=NOW, expires_at=NOW + 900)
    assert store.request_approval(asked[5], 5), "what is decided is no longer pending"
    assert store.request_approval(replace(asked[6], requested_at=NOW + 900), 5), "what expired is no longer pending"


def test_many_processes_cannot_flood_past_the_limit(shared: tuple[Store, Store]) -> None:
    asked = [replace(PENDING, code=f"AAAA-{index:04d}", binding=str(index) * 64) for index in range(8)]
    results = raced(
        *[(lambda store=shared[index % 2], one=one: store.request_approval(one, 5)) for index, one in enumerate(asked)]
    )
    assert sum(result is not None for result in results) == 5
    assert sum(approval.status == "pending" for approval in shared[0].list_approvals(NOW)) == 5


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_decision_is_made_once(store: Store, decision: ApprovalStatus) -> None:
    assert store.request_approval(PENDING, 5)
    assert store.decide_approval(PENDING.code, decision, by="a", at=NOW, expires_at=NOW + 600, reason="why")
    assert not store.decide_approval(PENDING.code, "approved", by="b", at=NOW, expires_at=NOW + 600)
    [found] = store.list_approvals(NOW)
    assert (found.status, found.decided_by, found.reason) == (decision, "a", "why")


def test_a_decision_on_an_expired_or_unknown_approval_has_no_effect(store: Store) -> None:
    assert store.request_approval(PENDING, 5)
    assert not store.decide_approval(PENDING.code, "approved", by="a", at=NOW + 900, expires_at=NOW + 1800)
    assert not store.decide_approval("ZZZZ-9999", "approved", by="a", at=NOW, expires_at=NOW + 900)
    assert [approval.status for approval in store.list_approvals(NOW + 900)] == ["stale"]


def test_a_withdrawn_approval_is_void_and_a_used_one_stays_used(store: Store) -> None:
    approved(store)
    store.void_approval(PENDING.code)
    with pytest.raises(AlreadyUsed):
        store.commit("c-1", RECORD, NOW, ProofUse("approval", PENDING.code))
    approved(store, "EFGH-6789")
    store.commit("c-2", RECORD, NOW, ProofUse("approval", "EFGH-6789"))
    store.void_approval("EFGH-6789")
    assert {one.code: one.status for one in store.list_approvals(NOW)} == {"ABCD-2345": "stale", "EFGH-6789": "used"}


def test_approvals_are_found_newest_first_and_by_binding(store: Store) -> None:
    for index in range(3):
        store.request_approval(
            replace(PENDING, code=f"AAAA-{index}", binding=str(index) * 64, requested_at=NOW + index), 5
        )
    assert [one.code for one in store.list_approvals(NOW)] == ["AAAA-2", "AAAA-1", "AAAA-0"]
    assert [one.code for one in store.list_approvals(NOW, "1" * 64)] == ["AAAA-1"]


def test_another_process_finds_what_was_asked(shared: tuple[Store, Store]) -> None:
    assert shared[0].request_approval(PENDING, 5)
    assert shared[1].list_approvals(NOW) == [PENDING]
    assert shared[1].decide_approval(PENDING.code, "approved", by="terminal", at=NOW, expires_at=NOW + 900)
    shared[0].commit("c-1", RECORD, NOW, ProofUse("approval", PENDING.code))
    assert shared[1].list_approvals(NOW)[0].status == "used"


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_there_until_it_is_taken_or_its_time_is_over(store: Store) -> None:
    secret = HiddenSecret("id-1", "local:me", "default", b"\x00sealed", NOW + 900)
    store.add_secrets([secret, replace(secret, id="id-2")], NOW)
    assert store.get_secret("id-1", NOW + 899) == secret
    assert store.get_secret("id-1", NOW + 900) is None
    assert store.take_secrets({"id-1": {"action": "reveal"}, "id-9": {"action": "reveal"}}, NOW) == ["id-1"]
    assert [record["action"] for record in store.audit_log.list_records()] == ["reveal"], (
        "what was not there is not recorded"
    )
    assert store.get_secret("id-1", NOW) is None
    assert store.get_secret("id-3", NOW) is None
    store.add_secrets([replace(secret, id="id-4", expires_at=NOW + 9000)], NOW + 900)
    assert store.get_secret("id-2", NOW) is None, "what is over is forgotten for good"


def test_one_principal_cannot_fill_the_store_with_secrets(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.store.hidden_secrets.MAX_HIDDEN_SECRETS", 3)
    secret = HiddenSecret("id-0", "local:me", "default", b"sealed", NOW + 900)
    store.add_secrets([replace(secret, id=f"id-{number}") for number in range(3)], NOW)
    with pytest.raises(StoreError) as caught:
        store.add_secrets([replace(secret, id="id-4")], NOW)
    assert caught.value.message.id == "store.too_many_secrets"
    store.add_secrets([replace(secret, id="id-5", principal="local:you")], NOW)
    store.add_secrets([replace(secret, id="id-6", expires_at=NOW + 2000)], NOW + 901)


def test_of_two_processes_that_take_one_secret_at_once_one_gets_it(shared: tuple[Store, Store]) -> None:
    for turn in range(10):
        secret = HiddenSecret(f"id-{turn}", "local:me", "default", b"sealed", NOW + 900)
        shared[0].add_secrets([secret], NOW)
        told = {secret.id: {"action": "reveal"}}
        results = raced(*[(lambda store=store, told=told: store.take_secrets(told, NOW)) for store in shared * 2])
        assert sorted(results) == [[], [], [], [secret.id]]


# -- files -------------------------------------------------------------------------------------------------------------


def test_two_processes_can_make_the_store_at_once(where: Path | str) -> None:
    with ExitStack() as until:
        each = [until.enter_context(closing(open_stores(where))) for _ in range(4)]
        for turn in range(5):
            results = raced(*[lambda kept=kept, saas=f"saas-{turn}": kept.open_saas(saas) for kept in each])
            assert all(isinstance(result, Store) for result in results), results
            for opened in results:
                opened.close()


def test_a_store_that_is_lost_midway_is_an_error_and_nothing_else(
    shared: tuple[Store, Store], where: Path | str
) -> None:
    store, other = shared
    execute(other, "DROP TABLE audit")
    with pytest.raises(StoreError) as caught:
        store.commit("c-1", RECORD, NOW)
    assert caught.value.message.id == ("store.unusable" if isinstance(where, Path) else "store.database_failed")


def test_a_store_in_memory_leaves_no_connection_open_once_nobody_has_it() -> None:
    opened: list[sqlite3.Connection] = []

    def connected(dbapi_connection: sqlite3.Connection, _: object) -> None:
        opened.append(dbapi_connection)

    event.listen(Pool, "connect", connected)
    try:
        store = Store.in_memory()
        store.unfreeze()
        del store
        gc.collect()
    finally:
        event.remove(Pool, "connect", connected)
    [left] = opened
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        left.execute("SELECT 1")
