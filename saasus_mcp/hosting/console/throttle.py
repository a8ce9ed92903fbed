"""Holding guesses off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MAX_FAILURES = 10
WINDOW_SECONDS = 60.0


class GuessThrottle:
    """Counts what failed: after ten failures within a minute nothing more is tried until the first of them is that old."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: deque[float] = deque(maxlen=MAX_FAILURES)

    @property
    def is_blocked(self) -> bool:
        """Whether the next attempt must wait."""
        return len(self._failed) == MAX_FAILURES and self._clock() - self._failed[0] < WINDOW_SECONDS

    def record_failure(self) -> None:
        """One more failure."""
        self._failed.append(self._clock())
