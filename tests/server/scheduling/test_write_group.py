"""Writes of jobs that share a transaction: each is written wholly or not at all, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from sqlalchemy import Connection

from saasus_mcp.server.scheduling.write_group import WriteGroup
from saasus_mcp.store.errors import AlreadyUsed, StoreError
from saasus_mcp.store.store import Store
from tests.support.outages import lose_commits
from tests.support.saas_store import open_saas_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_saas_store(tmp_path, "saas-under-test")
    yield opened
    opened.close()


def recorded(store: Store) -> list[str]:
    return [record["call"] for record in store.audit_log.list_records()]


async def run_all(group: WriteGroup, store: Store, calls: int, used: frozenset[int] = frozenset()) -> dict[int, str]:
    """Run a write for each call at the same time, and return the errors of those that failed. Those of used proofs fail."""
    errors: dict[int, str] = {}

    def write(number: int, connection: Connection) -> None:
        store.audit_log.append(connection, f"c{number}", "begun", {}, at=1.0)
        if number in used:
            raise AlreadyUsed.of("store.step_used", step=str(number))

    async def run(number: int) -> None:
        try:
            await group.run(partial(write, number), durable=True)
        except StoreError as error:
            errors[number] = type(error).__name__

    async with anyio.create_task_group() as tasks:
        for number in range(calls):
            tasks.start_soon(run, number)
    return errors


async def test_writes_that_wait_at_the_same_time_share_few_transactions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    together = store.write_together

    def counted(writes: list[object], *, durable: bool) -> None:
        sizes.append(len(writes))
        together(writes, durable=durable)  # type: ignore[arg-type]  # as they are

    monkeypatch.setattr(store, "write_together", counted)
    assert await run_all(WriteGroup(store), store, 30) == {}
    assert sum(sizes) == 30
    assert len(sizes) <= 2, "the first begins alone, and the others wait for it"
    assert sorted(recorded(store)) == sorted(f"c{number}" for number in range(30))
    assert store.audit_log.find_breaks() == []


async def test_a_write_that_fails_leaves_nothing_and_takes_nobody_with_it(store: Store) -> None:
    used = frozenset({1, 7, 8})
    errors = await run_all(WriteGroup(store), store, 12, used)
    assert errors == dict.fromkeys(used, "AlreadyUsed")
    assert sorted(recorded(store)) == sorted(f"c{number}" for number in range(12) if number not in used)
    assert store.audit_log.find_breaks() == []


@pytest.mark.parametrize("written", [True, False])
async def test_after_a_lost_commit_nobody_learns_that_nothing_was_written(store: Store, *, written: bool) -> None:
    group, failures = WriteGroup(store), []

    async def run(number: int) -> None:
        try:
            await group.run(partial(store.audit_log.append, call=f"c{number}", event="begun", record={}, at=1.0))
        except StoreError as error:
            failures.append(error.may_have_written)

    await run(0)  # registers the key of the store, in a transaction of its own
    with lose_commits(store, written=written, of="write_together"):
        await run(1)
    assert failures == [True]
    assert recorded(store) == (["c0", "c1"] if written else ["c0"])


async def test_a_write_of_a_cancelled_job_is_run_to_its_end(store: Store) -> None:
    group = WriteGroup(store)

    async def run(number: int) -> None:
        await group.run(partial(store.audit_log.append, call=f"c{number}", event="begun", record={}, at=1.0))

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(run, number)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert sorted(recorded(store)) == ["c0", "c1", "c2"]


async def test_where_no_thread_can_be_started_everybody_learns_that_nothing_was_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, outcomes = WriteGroup(store), list[bool]()

    async def run(number: int) -> None:
        try:
            await group.run(partial(store.audit_log.append, call=f"c{number}", event="begun", record={}, at=1.0))
        except StoreError as error:
            outcomes.append(error.may_have_written)

    async def find_no_thread(_: partial[None]) -> None:
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    await run(0)  # registers the key of the store
    with monkeypatch.context() as broken:
        broken.setattr(to_thread, "run_sync", find_no_thread)
        async with anyio.create_task_group() as tasks:
            for number in (1, 2, 3):
                tasks.start_soon(run, number)
    assert outcomes == [False, False, False]
    await run(4)
    assert recorded(store) == ["c0", "c4"]


async def test_nobody_learns_that_a_write_succeeded_whose_writer_was_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, writing, may_go_on = WriteGroup(store), asyncio.Event(), threading.Event()
    loop, run_sync, outcomes = asyncio.get_running_loop(), to_thread.run_sync, list[str]()

    async def run(number: int) -> None:
        append = partial(store.audit_log.append, call=f"c{number}", event="begun", record={}, at=1.0)
        try:
            await group.run(append)
        except StoreError as error:
            outcomes.append("perhaps written" if error.may_have_written else "not written")
        else:
            outcomes.append("written")

    async def run_later(write: partial[None]) -> None:
        def wait_and_write() -> None:
            loop.call_soon_threadsafe(writing.set)
            may_go_on.wait()
            write()

        monkeypatch.undo()
        await run_sync(wait_and_write)

    await run(0)  # registers the key of the store
    monkeypatch.setattr(to_thread, "run_sync", run_later)
    tasks = [asyncio.create_task(run(number)) for number in (1, 2, 3)]
    await writing.wait()
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    may_go_on.set()
    assert isinstance(results[0], asyncio.CancelledError)
    assert outcomes == ["written", "perhaps written", "perhaps written"]
    await run(4)
    assert store.audit_log.find_breaks() == []
