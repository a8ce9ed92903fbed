"""Threads for large work: few per principal and in total, released in order."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

from saasus_mcp.server.scheduling import worker_threads


async def test_of_one_principal_one_runs_at_once() -> None:
    free, begun = threading.Event(), threading.Semaphore(0)
    running: list[int] = []

    def work() -> None:
        running.append(1)
        begun.release()
        free.wait(20)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(worker_threads.run_in_worker, "token:alice", work)
        await anyio.to_thread.run_sync(
            lambda: [begun.acquire(timeout=20) for _ in range(worker_threads.THREADS_PER_PRINCIPAL)]
        )
        await anyio.wait_all_tasks_blocked()
        assert len(running) == worker_threads.THREADS_PER_PRINCIPAL
        free.set()
    assert len(running) == 6


async def test_a_failure_is_raised_and_gives_the_turn_back() -> None:
    def fails() -> None:
        raise ValueError("broken")

    for _ in range(5):
        with pytest.raises(ValueError, match="broken"):
            await worker_threads.run_in_worker("token:alice", fails)
    with anyio.fail_after(20):
        assert await worker_threads.run_in_worker("token:alice", lambda: 1) == 1
    assert worker_threads._limits().by_principal == {}


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ({"a": "x" * 1_000}, False),
        ({"a": "x" * (worker_threads.LARGE_BYTES + 1)}, True),
        ({"a": [1] * worker_threads.LARGE_VALUES}, True),
        ({"a": ["x" * 100] * 1_000}, True),
        ([[[[[]]]]], False),
        (None, False),
        ({"a": "[" + "1," * worker_threads.LARGE_VALUES + "1]"}, True),
        ({"a": "[1,2]", "b": "a, b"}, False),
    ],
    ids=range(8),
)
def test_the_size_that_counts_as_large(value: Any, large: bool) -> None:
    assert worker_threads.is_large(value) is large
