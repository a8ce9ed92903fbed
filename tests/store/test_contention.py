"""Many servers at one store: nobody waits in a circle, and what was decided holds from the moment it is said to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from saasus_mcp.store.database.locks import delete_unlocked
from saasus_mcp.store.database.schema import secrets
from saasus_mcp.store.errors import BudgetExceeded, StoreError, TooManyJobs, WritesFrozen
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import (
    BudgetCost,
    CallOutcome,
    Commitment,
    Freeze,
    HiddenSecret,
    ProofUse,
    StoredResult,
    UndoEntry,
)
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.databases import POSTGRESQL, open_stores
from tests.support.processes import TIMEOUT

RECORD = {"operation": "auth.DeleteTenant"}
PENDING = pending_approval(bound="d" * 64)
SERVERS, TURNS = 3, 12
Work = Callable[[Store, str], object]


@pytest.fixture
def several(where: Path | str) -> Iterator[list[Store]]:
    """Yield the stores of several servers, of one SaaS."""
    with ExitStack() as until:
        each = [until.enter_context(closing(open_stores(where))) for _ in range(SERVERS)]
        yield [until.enter_context(closing(kept.open_saas("saas"))) for kept in each]


def together(several: list[Store], works: list[Work]) -> list[StoreError]:
    """Return the errors of servers that repeat all of it at the same time."""
    start, wrong = threading.Barrier(len(several) * len(works)), []

    def run(store: Store, work: Work, server: int) -> None:
        start.wait()
        for turn in range(TURNS):
            try:
                work(store, f"{server}-{turn}")
            except StoreError as error:
                wrong.append(error)

    threads = [
        threading.Thread(target=run, args=(store, work, server))
        for server, store in enumerate(several)
        for work in works
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return wrong


def write(store: Store, turn: str) -> None:
    """Return a write with all that it takes: budgets, an approval, the journal."""
    code = f"W{turn}"
    store.request_approval(replace(PENDING, code=code, binding=code, principal=f"local:{turn}"), 5)
    store.decide_approval(code, "approved", by="local:person", at=NOW, expires_at=NOW + 900)
    costs = (BudgetCost("local:me", "writes", 1, 9999, 60), BudgetCost("local:me", "destructive", 1, 9999, 3600))
    entry = UndoEntry(f"call-{turn}", NOW, "auth.UpdateRole", "local:me", "default", {}, None)
    commitment = Commitment(writes=True, costs=costs, undo_entry=entry)
    store.commit(f"call-{turn}", RECORD, NOW, ProofUse("approval", code), commitment=commitment)
    store.finish_call(f"call-{turn}", RECORD, NOW, CallOutcome(changed=turn.endswith(("1", "3"))))


def ask(store: Store, turn: str) -> None:
    store.request_approval(replace(PENDING, code=f"A{turn}", binding="the same"), 5)
    store.list_approvals(NOW + 1)
    store.void_approval(f"A{turn}")


def keep(store: Store, turn: str) -> None:
    """Return a secret and a large answer, each of which drives older ones out."""
    store.add_secrets([HiddenSecret(f"s{turn}", "local:me", "default", b"x", NOW)], NOW)
    store.take_secrets({f"s{turn}": {"action": "reveal"}}, NOW - 1)
    store.results.add(StoredResult(f"r{turn}", "local:me", "default", "auth.GetRoles", NOW, NOW, b"x" * 1000))


def look_after(store: Store, _: str) -> None:
    """Run the actions of an operator, and the reads beside them."""
    store.audit_log.purge(NOW - 1, by="local:me", at=NOW)
    store.undo_log.purge(NOW - 1)
    store.unfreeze()
    assert store.active_freeze() is None
    assert store.audit_log.find_breaks() == []


@pytest.mark.slow
def test_a_call_that_waits_for_another_proceeds(several: list[Store]) -> None:
    assert together(several, [write, ask, keep, look_after]) == []
    assert (
        len([record for record in several[0].audit_log.list_records() if record["event"] == "ended"]) == SERVERS * TURNS
    )
    assert several[0].audit_log.find_breaks() == []
    [used] = several[0].budget_usage({"writes": 60}, NOW)
    assert used.amount == sum(turn % 10 in (1, 3) for turn in range(TURNS)) * SERVERS


def test_a_read_does_not_wait_for_a_write(several: list[Store]) -> None:
    writer, reader, *_ = several
    writer.request_approval(PENDING, 5)
    writer.add_secrets([HiddenSecret("s", "local:me", "default", b"x", NOW + 1)], NOW)
    writer.results.add(StoredResult("r", "local:me", "default", "auth.GetRoles", NOW, NOW + 1, b"x"))
    with writer._database.transaction():
        assert [each.code for each in reader.list_approvals(NOW)] == [PENDING.code]
        assert reader.find_rejected(PENDING.subject, NOW) is None
        assert reader.get_secret("s", NOW) is not None
        assert reader.results.get("r", "local:me", "default", NOW) is not None
        assert [each.id for each in reader.results.list_results("local:me", "default", NOW)] == ["r"]
        assert reader.active_freezes() == []
        assert reader.budget_usage({"writes": 60}, NOW) == []


def test_jobs_started_on_several_servers_at_once_respect_the_limit(several: list[Store]) -> None:
    refused: list[TooManyJobs] = []

    def start(store: Store, turn: str) -> None:
        grant = JobGrant("job_x", "local:me", "default", "p", "none", "", False, {}, most_running=3)
        try:
            store.commit(f"job-{turn}", RECORD, NOW, commitment=Commitment(grant=grant))
        except TooManyJobs as held:
            refused.append(held)

    assert together(several, [start]) == []
    assert len([record for record in several[0].audit_log.list_records() if record["event"] == "begun"]) == 3
    assert len(refused) == SERVERS * TURNS - 3


def test_results_kept_by_several_servers_stay_within_the_limit(
    several: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.store.stored_results.MAX_RESULTS", 4)

    def keep_on(store: Store, turn: str) -> None:
        store.results.add(StoredResult(f"r{turn}", "local:me", "default", "auth.GetRoles", NOW, NOW + 60, b"x"))

    assert together(several, [keep_on]) == []
    assert len(several[0].results.list_results("local:me", "default", NOW)) == 4


def test_once_a_freeze_is_made_no_write_follows(several: list[Store]) -> None:
    stop = threading.Event()

    def write_on(store: Store, server: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                store.commit(f"{server}-{number}", RECORD, NOW, commitment=Commitment(writes=True))
            except WritesFrozen:
                return

    writing = [threading.Thread(target=write_on, args=(store, server)) for server, store in enumerate(several[1:])]
    for thread in writing:
        thread.start()
    try:
        while len(several[0].audit_log.list_records()) < 20:
            pass
        several[0].freeze(Freeze(NOW, "local:operator", "an incident"))
        then = len(several[0].audit_log.list_records())
        for thread in writing:
            thread.join(60)
    finally:
        stop.set()
    assert then >= 20
    assert len(several[0].audit_log.list_records()) == then


class Held:
    """A part of an audit record that is written when the test says so: until then, its call is within its transaction."""

    def __init__(self) -> None:
        self.reached, self.leave = threading.Event(), threading.Event()

    def __str__(self) -> str:
        self.reached.set()
        self.leave.wait(60)
        return "held"


@pytest.fixture(autouse=True)
def _long_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call be held for as long as the other one takes on a busy machine. If that waits for a lock, PostgreSQL still ends it."""
    monkeypatch.setattr("saasus_mcp.store.database.postgres.IDLE_TRANSACTION_SECONDS", 0)


def meanwhile(store: Store, commitment: Commitment, other: Callable[[], object], longest: float = 0.3) -> list[object]:
    """Return the result of `other`, started during a commit, and whether it ended before the commit.

    Args:
        longest: seconds that the call takes, unless `other` is done sooner.
    """
    held, found = Held(), []

    def try_other() -> None:
        try:
            found.append(other())
        except StoreError as error:
            found.append(type(error))

    first = threading.Thread(
        target=store.commit, args=("first", {"held": held}, NOW), kwargs={"commitment": commitment}
    )
    second = threading.Thread(target=try_other)
    first.start()
    held.reached.wait(60)
    second.start()
    second.join(longest)
    early = bool(found)
    held.leave.set()
    for thread in (first, second):
        thread.join(60)
    return [early, *found]


def test_a_freeze_waits_for_a_write_that_was_admitted(several: list[Store]) -> None:
    here, there, _ = several
    freeze = Freeze(NOW, "local:operator", "")
    assert meanwhile(here, Commitment(writes=True), lambda: there.freeze(freeze)) == [False, None]


def test_a_call_waits_for_what_another_takes_of_its_budget(several: list[Store]) -> None:
    here, there, _ = several
    last = Commitment(costs=(BudgetCost("local:me", "writes", 1, 1, 60),))
    assert meanwhile(here, last, lambda: there.commit("second", RECORD, NOW, commitment=last)) == [
        False,
        BudgetExceeded,
    ]


def test_a_call_waits_for_nobody_elses_budget(several: list[Store], where: Path | str) -> None:
    here, there, _ = several
    mine, yours = (Commitment(costs=(BudgetCost(who, "writes", 1, 1, 60),)) for who in ("local:me", "local:you"))
    waited = isinstance(where, Path)  # a file has one writer at a time
    given = meanwhile(
        here, mine, lambda: there.commit("second", RECORD, NOW, commitment=yours), longest=0.3 if waited else TIMEOUT
    )
    assert given == [not waited, None]


def test_a_call_waits_for_no_call_of_another_saas(several: list[Store], where: Path | str) -> None:
    last = Commitment(writes=True, costs=(BudgetCost("local:me", "writes", 1, 1, 60),))
    with closing(open_stores(where)) as kept, closing(kept.open_saas("another-saas")) as other:
        given = meanwhile(
            several[0], last, lambda: other.commit("second", RECORD, NOW, commitment=last), longest=TIMEOUT
        )
    assert given == [True, None]


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
def test_a_write_waits_for_no_other_write_though_both_ask_whether_writes_are_frozen(several: list[Store]) -> None:
    here, there, _ = several
    write = Commitment(writes=True)
    given = meanwhile(here, write, lambda: there.commit("second", RECORD, NOW, commitment=write), longest=TIMEOUT)
    assert given == [True, None]


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
def test_a_freeze_of_everything_waits_for_a_write_that_was_admitted(several: list[Store], where: str) -> None:
    with closing(open_stores(where)) as kept:
        freeze = Freeze(NOW, "local:operator", "")
        assert meanwhile(several[0], Commitment(writes=True), lambda: kept.set_freeze(freeze)) == [False, None]


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
def test_an_expiry_handled_by_another_call_is_left_to_it(several: list[Store]) -> None:
    here, there, _ = several
    old, new = (HiddenSecret(name, "local:me", "default", b"x", at) for name, at in (("old", NOW), ("new", NOW + 900)))
    here.add_secrets([old], NOW - 1)
    with here._database.transaction() as connection:
        connection.execute(delete_unlocked(secrets, secrets.c.expires_at <= NOW))
        there.add_secrets([new], NOW)
    assert there.get_secret("new", NOW) is not None
    assert there.get_secret("old", NOW - 1) is None
