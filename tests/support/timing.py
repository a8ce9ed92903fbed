"""The CPU time of a function. The time on the clock would grow with whatever else runs on the machine."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_seconds(work: Callable[[], object], runs: int = 3, enough: float = 0.0) -> float:
    """Return the CPU seconds of this thread in the fastest of several runs, or in the first that takes less than `enough`."""
    best = float("inf")
    for _ in range(runs):
        begun = time.thread_time()
        work()
        best = min(best, time.thread_time() - begun)
        if best < enough:
            break
    return best
