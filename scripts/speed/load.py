"""Calls one after another or many at once, and what they took."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scripts.speed.servers import Send

WARM = 30


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one kind of call in one run: milliseconds, and calls a second."""

    p50: float
    p99: float
    rate: float


async def load(send: Send, calls: int, at_once: int, warm: int = WARM) -> Taken:
    """Make so many calls, so many of them at once."""
    for _ in range(warm):
        await send()
    times: list[float] = []
    left = calls

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            before = time.perf_counter()
            await send()
            times.append((time.perf_counter() - before) * 1000)

    before = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return summarize(times, time.perf_counter() - before)


def summarize(times: Sequence[float], elapsed: float) -> Taken:
    """Return what calls took that were made within some seconds."""
    return Taken(statistics.median(times), statistics.quantiles(times, n=100)[98], len(times) / elapsed)


def middle(rounds: Sequence[Taken]) -> dict[str, float]:
    """Return the medians of several runs, and how far the medians of single runs lie apart."""
    fields = [asdict(each) for each in rounds]
    found = {name: statistics.median(each[name] for each in fields) for name in ("p50", "p99", "rate")}
    return found | {"least": min(each.p50 for each in rounds), "most": max(each.p50 for each in rounds)}
