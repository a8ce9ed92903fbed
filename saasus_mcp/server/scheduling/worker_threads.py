"""Large work runs in threads of its own, so that neither the event loop nor another caller waits for it.

One principal has one thread at a time and the process has at most four. With two, another caller's small reads took five times as
long, since the threads share one interpreter lock with the event loop. The threads are not those of
`anyio.to_thread.run_sync`, which the store and the console use: large work cannot exhaust those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync

THREADS_PER_PRINCIPAL = 1
MAX_THREADS = 4
LARGE_BYTES = 64 * 1024
"""Bytes of text from which work on it is large. Work on less takes a few milliseconds."""
LARGE_VALUES = 2_000
"""JSON values from which work on them is large."""

T = TypeVar("T")


@dataclass(slots=True)
class _Turn:
    """The limit of one principal, and how many calls use it."""

    limit: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(THREADS_PER_PRINCIPAL))
    users: int = 0


@dataclass(slots=True)
class _Turns:
    """The limits of one event loop."""

    threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(MAX_THREADS))
    by_principal: dict[str, _Turn] = field(default_factory=dict)


_TURNS: RunVar[_Turns] = RunVar("saasus_mcp.large_work")


async def run_in_worker(principal: str, work: Callable[[], T]) -> T:
    """Run work in a thread, in the principal's turn. It has no deadline of its own: bound it by the size of its input.

    Args:
        principal: the id of the caller.
        work: runs to its end, also where the client goes away meanwhile.
    """
    turns = _turns()
    turn = turns.by_principal.setdefault(principal, _Turn())
    turn.users += 1
    try:
        async with turn.limit:
            return await run_sync(work, limiter=turns.threads)
    finally:
        turn.users -= 1
        if not turn.users:
            turns.by_principal.pop(principal, None)


def is_large(value: object) -> bool:
    """Whether work on a JSON value is large. The answer itself takes at most `LARGE_VALUES` steps."""
    waiting, values, text = [value], 0, 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            text += len(each)
            if (
                len(each) > LARGE_VALUES
            ):  # it may be JSON text, which is parsed where the schema wants an object or a list
                values += each.count(",") + each.count("[") + each.count("{")
        elif isinstance(each, dict | list):
            values += len(each)
            waiting.extend(each.values() if isinstance(each, dict) else each)
        if text > LARGE_BYTES or values > LARGE_VALUES:
            return True
    return False


def _turns() -> _Turns:
    try:
        return _TURNS.get()
    except LookupError:
        turns = _Turns()
        _TURNS.set(turns)
        return turns
