"""How long the event loop is blocked."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from tests.support.timing import cpu_seconds

BEAT = 0.001


@dataclass
class LoopDelays:
    """The longest delays of a task that runs all the time.

    Attributes:
        longest: seconds for which no other task could run.
        cpu: seconds of this thread's CPU in that time; less where other programs had the processor.
    """

    longest: float = 0.0
    cpu: float = 0.0


@asynccontextmanager
async def measure_delays() -> AsyncIterator[LoopDelays]:
    """Measure the longest stall of the event loop until the block ends.

    Look at `cpu` where the machine is busy: what another process takes is no stall of this one. Work in a thread holds the
    loop up for the switch interval of the interpreter at a time (5 ms), which is neither.
    """
    seen = LoopDelays()

    async def beat() -> None:
        last, used = time.monotonic(), time.thread_time()
        while True:
            await anyio.sleep(BEAT)
            now, spent = time.monotonic(), time.thread_time()
            seen.longest, seen.cpu = max(seen.longest, now - last - BEAT), max(seen.cpu, spent - used)
            last, used = now, spent

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        await anyio.sleep(BEAT)
        yield seen
        await anyio.sleep(2 * BEAT)
        tasks.cancel_scope.cancel()


def time_unit() -> float:
    """Seconds of the CPU that parsing 60,000 small values takes on this machine now: a measure for what a stall may be."""
    text = json.dumps([["a", 1]] * 20_000)
    return cpu_seconds(lambda: json.loads(text))
