"""Threads for large work, so that neither the event loop nor another caller waits for it.

A principal has one thread at a time and the process at most four. With two per principal, another caller's small reads took
five times as long, because the threads share one interpreter lock with the event loop. The threads are separate from those
of `anyio.to_thread.run_sync`, which the store and the console use, so that large work cannot exhaust these.
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
"""Bytes of text from which work is large. Work on less takes a few milliseconds."""
LARGE_VALUES = 2_000
"""JSON values from which work is large."""

T = TypeVar("T")


@dataclass(slots=True)
class _PrincipalLimit:
    """The limit of one principal, and the number of calls that use it."""

    semaphore: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(THREADS_PER_PRINCIPAL))
    users: int = 0


@dataclass(slots=True)
class _ThreadLimits:
    """The limits of one event loop."""

    threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(MAX_THREADS))
    by_principal: dict[str, _PrincipalLimit] = field(default_factory=dict)


_LIMITS: RunVar[_ThreadLimits] = RunVar("saasus_mcp.large_work")


async def run_in_worker(principal: str, work: Callable[[], T]) -> T:
    """Run work in a thread when it is the principal's turn. It has no deadline, so limit the size of its input.

    Args:
        principal: the id of the caller.
        work: runs to its end, even if the client goes away.
    """
    limits = _limits()
    limit = limits.by_principal.setdefault(principal, _PrincipalLimit())
    limit.users += 1
    try:
        async with limit.semaphore:
            return await run_sync(work, limiter=limits.threads)
    finally:
        limit.users -= 1
        if not limit.users:
            limits.by_principal.pop(principal, None)


async def run_by_size(principal: str, value: object, work: Callable[[], T]) -> T:
    """Run work on a JSON value: in a worker thread if the value is large, else here."""
    return await run_in_worker(principal, work) if is_large(value) else work()


def is_large(value: object) -> bool:
    """Return whether work on a JSON value is large. The check visits at most `LARGE_VALUES` values."""
    stack, values, text = [value], 0, 0
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            text += len(each)
            if len(each) > LARGE_VALUES:  # the text may be the JSON of an object or a list, which is parsed
                values += each.count(",") + each.count("[") + each.count("{")
        elif isinstance(each, dict | list):
            values += len(each)
            stack.extend(each.values() if isinstance(each, dict) else each)
        if text > LARGE_BYTES or values > LARGE_VALUES:
            return True
    return False


def _limits() -> _ThreadLimits:
    try:
        return _LIMITS.get()
    except LookupError:
        limits = _ThreadLimits()
        _LIMITS.set(limits)
        return limits
