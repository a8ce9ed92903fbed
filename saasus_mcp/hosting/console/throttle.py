"""Holding guesses off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MOST = 10
SECONDS = 60.0


class Throttle:
    """Counts what failed: after ten failures within a minute nothing more is tried until the first of them is that old."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: deque[float] = deque(maxlen=MOST)

    @property
    def holds(self) -> bool:
        """Whether the next attempt must wait."""
        return len(self._failed) == MOST and self._clock() - self._failed[0] < SECONDS

    def fail(self) -> None:
        """One more failure."""
        self._failed.append(self._clock())
