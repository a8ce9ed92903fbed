"""Slots: each principal has a share, waits behind its own calls, and is served in turn."""

from __future__ import annotations

from contextlib import ExitStack

import anyio
import pytest

from saasus_mcp.server.scheduling.fair_queue import JOB_SLOTS, REQUESTS_PER_SLOT, FairQueue, TooManyCalls, job_queue
from saasus_mcp.server.scheduling.processor_turns import CURRENT_TURN, ProcessorTurn, release_turn


async def queue_up(queue: FairQueue, tasks: anyio.abc.TaskGroup, principal: str, count: int, order: list[str]) -> None:
    """Start calls of a principal that wait for a slot, note when they get it, and release it at once."""

    async def one() -> None:
        with await queue.acquire(principal):
            order.append(principal)

    for _ in range(count):
        tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()


async def test_a_principal_waits_behind_its_own_calls_only() -> None:
    queue = FairQueue(total=10, per_principal=2)
    held = [await queue.acquire("alice") for _ in range(2)]
    with pytest.raises(TooManyCalls) as refused:
        await queue.acquire("alice", max_wait=0.01)
    assert refused.value.message.id == "server.too_many_calls"
    assert "2秒後にもう一度" in refused.value.text("ja")
    await queue.acquire("bob", max_wait=0.01)
    held[0].release()
    await queue.acquire("alice", max_wait=0.01)


async def test_jobs_hold_a_few_slots_beside_those_of_their_principal() -> None:
    queue, jobs = FairQueue(), job_queue("alice")
    held = [await queue.acquire(jobs) for _ in range(JOB_SLOTS)]
    assert queue.take_free(jobs) is None
    await queue.acquire("alice", max_wait=0.01)
    async with anyio.create_task_group() as tasks:
        await queue_up(queue, tasks, jobs, 1, order := list[str]())
        assert order == []
        held[0].release()
    assert order == [jobs]


async def test_a_waiting_call_goes_before_the_fiftieth_of_another() -> None:
    queue, order = FairQueue(total=1, per_principal=1), list[str]()
    first = await queue.acquire("carol")
    async with anyio.create_task_group() as tasks:
        await queue_up(queue, tasks, "alice", 50, order)
        await queue_up(queue, tasks, "bob", 2, order)
        first.release()
    assert order[:4] == ["alice", "bob", "alice", "bob"]
    assert len(order) == 52


async def test_released_twice_it_is_one_slot() -> None:
    queue = FairQueue(total=1, per_principal=1)
    with await queue.acquire("alice") as slot:
        slot.release()
    await queue.acquire("alice")
    with pytest.raises(TooManyCalls):
        await queue.acquire("bob", max_wait=0.01)


async def test_a_call_that_is_given_up_leaves_its_slot_to_the_next() -> None:
    queue = FairQueue(total=1, per_principal=1)
    first = await queue.acquire("alice")
    async with anyio.create_task_group() as tasks:
        await queue_up(queue, tasks, "bob", 1, [])
        first.release()  # bob has the slot now, and never comes to know
        tasks.cancel_scope.cancel()
    await queue.acquire("alice", max_wait=0.01)


async def test_so_many_requests_may_be_under_way() -> None:
    queue = FairQueue(per_principal=1)
    with ExitStack() as under_way:
        for _ in range(REQUESTS_PER_SLOT):
            under_way.enter_context(queue.count_request("alice"))
        with pytest.raises(TooManyCalls) as refused, queue.count_request("alice"):
            pass
        assert refused.value.message.id == "server.too_many_requests"
        with queue.count_request("bob"):
            pass
    with queue.count_request("alice"):
        pass


async def test_a_request_that_waits_for_the_api_frees_its_turn() -> None:
    queue, order = FairQueue(total=8, per_principal=1), list[str]()
    answered = anyio.Event()

    async def calls() -> None:
        async with ProcessorTurn(queue, "alice"):
            order.append("begun")
            async with release_turn():
                await answered.wait()
            order.append("answered")

    async def next_one() -> None:
        async with ProcessorTurn(queue, "alice"):
            order.append("next")
            answered.set()
            await anyio.wait_all_tasks_blocked()
            order.append("next is over")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calls)
        tasks.start_soon(next_one)
    assert order == ["begun", "next", "next is over", "answered"]


async def test_parts_of_a_request_that_wait_at_once_take_one_turn_again() -> None:
    queue = FairQueue(total=8, per_principal=1)

    async def part() -> None:
        async with release_turn():
            await anyio.lowlevel.checkpoint()

    async with ProcessorTurn(queue, "alice"):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(part)
            tasks.start_soon(part)
        with pytest.raises(TooManyCalls):
            await queue.acquire("alice", max_wait=0.01)
    await queue.acquire("alice", max_wait=0.01)


async def test_without_turns_nothing_is_waited_for() -> None:
    assert CURRENT_TURN.get() is None
    async with release_turn():
        pass
