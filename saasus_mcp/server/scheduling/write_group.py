"""Writes of jobs to a file, run in a thread. Those that wait at the same time share one transaction, and so one wait for the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from saasus_mcp.store.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from saasus_mcp.store.store import Store

MAX_TOGETHER = 32
"""Writes in one transaction. Others that wait to write, such as those of a client's call, get their turn after it."""


@dataclass(slots=True, eq=False)
class _Write:
    """A write that waits, or has ended.

    Attributes:
        durable: whether it waits for the disk.
        error: why it failed.
    """

    run: Callable[[Connection], None]
    durable: bool
    ended: bool = False
    error: Exception | None = None


class WriteGroup:
    """Runs the writes of jobs to one store. Each is written wholly or not at all, whatever becomes of the others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Write] = []
        self._turn = anyio.Lock()  # fair: the first in the queue writes for all that wait

    async def run(self, write: Callable[[Connection], None], *, durable: bool = False) -> None:
        """Run a write to its end, even if its job is cancelled.

        Raises:
            StoreError: as `Store.write_together`, or what the write raised. The writes of others are not affected.
        """
        own = _Write(write, durable)
        self._waiting.append(own)
        with anyio.CancelScope(shield=True):
            async with self._turn:
                while own in self._waiting:
                    together, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
                    try:
                        await to_thread.run_sync(partial(self._write, together))
                    except RuntimeError:  # no thread can be started, so nothing was written
                        for each in together:
                            each.error, each.ended = StoreError.of("store.busy"), True
        if not own.ended:  # the task that wrote for it was ended meanwhile
            error = StoreError.of("store.busy")
            error.may_have_written = True
            raise error
        if own.error is not None:
            raise own.error

    def _write(self, writes: Sequence[_Write]) -> None:
        """Run writes in one transaction, without those that fail."""
        left, begun = list(writes), list[_Write]()

        def begin(each: _Write, connection: Connection) -> None:
            begun.append(each)
            each.run(connection)

        while left:
            begun.clear()
            try:
                self._store.write_together(
                    [partial(begin, each) for each in left], durable=any(each.durable for each in left)
                )
            except Exception as error:  # noqa: BLE001 - raised to the one whose write failed
                is_own = begun and not (isinstance(error, StoreError) and error.may_have_written)
                for each in begun[-1:] if is_own else left:
                    each.error = error
                left = [each for each in left if each.error is None]
            else:
                break
        for each in writes:
            each.ended = True
