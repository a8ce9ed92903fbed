"""Waiting for a store: at once where it is a file of this machine, in a thread where it is a database over the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio
from anyio import to_thread

from saasus_mcp.server.scheduling.processor_turns import release_turn

T = TypeVar("T")


class StoreExecutor(Protocol):
    """Runs what waits for a store. It runs to its end, also where the client has gone meanwhile."""

    async def __call__(self, work: Callable[[], T]) -> T: ...


async def run_inline(work: Callable[[], T]) -> T:
    """Here and now: a file answers sooner than a thread would begin."""
    return work()


async def run_in_thread(work: Callable[[], T]) -> T:
    """In a thread: a database that does not answer holds up those who wait for it and nobody else."""
    with anyio.CancelScope(shield=True):
        async with release_turn():
            given = await to_thread.run_sync(work)
    return given
