"""The execution of store queries: inline for a file on this machine, in a thread for a database on the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio
from anyio import to_thread

from saasus_mcp.server.scheduling.processor_turns import release_turn

T = TypeVar("T")


class StoreExecutor(Protocol):
    """Runs a query of the store to its end, even if the client has gone."""

    async def __call__(self, query: Callable[[], T]) -> T: ...


async def run_inline(query: Callable[[], T]) -> T:
    """Run the query in the event loop: a file answers before a thread would start."""
    return query()


async def run_in_thread(query: Callable[[], T]) -> T:
    """Run the query in a thread: a database that does not answer delays only the requests that wait for it."""
    with anyio.CancelScope(shield=True):
        async with release_turn():
            result = await to_thread.run_sync(query)
    return result
