"""When a call must be over. Everything that a call does at the API shares one deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import anyio

CALL_SECONDS = 50.0
"""Seconds for a whole call unless a setting says otherwise: most clients give up after 60."""
PRELIMINARY = 0.5
"""The share of the time left that reads before a call may take."""
RESERVE = 0.25
"""The share of the time left that is kept after a write, to read back what became of it..."""
LONGEST_RESERVE = 10.0
"""...and at most so many seconds of it."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the event loop's clock.

    Attributes:
        at: the moment, in seconds; infinite where there is no limit.
    """

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The moment that is so many seconds away."""
        return cls(anyio.current_time() + seconds)

    def seconds_left(self) -> float:
        """Return the seconds left; 0 where the time is over."""
        return max(0.0, self.at - anyio.current_time())

    def postponed(self, seconds: float) -> Deadline:
        """The deadline later by so many seconds, for example those that a person took to answer."""
        return Deadline(self.at + seconds)

    def for_preliminary_reads(self) -> Deadline:
        """When reads that prepare a call must be over, so that there is time for the call itself."""
        return Deadline(self.at - self.seconds_left() * (1 - PRELIMINARY)) if self.at < math.inf else self

    def for_send(self) -> Deadline:
        """When the send of a write must be over, so that there is time to read back what became of it."""
        reserve = min(LONGEST_RESERVE, self.seconds_left() * RESERVE)
        return Deadline(self.at - reserve) if self.at < math.inf else self


NO_DEADLINE = Deadline()
