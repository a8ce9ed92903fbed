"""The deadline that all requests of one call share."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Self

CALL_SECONDS = 50.0
"""Default time limit of a call in seconds. Most clients give up after 60."""
PRELIMINARY = 0.5
"""The share of the remaining time that reads before a call may take."""
RESERVE = 0.25
"""The share of the remaining time that is reserved for verification after a write."""
MAX_RESERVE = 10.0
"""The limit of that reserve, in seconds."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time on the event loop's clock, in seconds. Infinite without a limit."""

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline in so many seconds from now."""
        return cls(asyncio.get_running_loop().time() + seconds)

    def seconds_left(self) -> float:
        """Return the seconds left, or 0 after the deadline."""
        return max(0.0, self.at - asyncio.get_running_loop().time())

    def postponed(self, seconds: float) -> Deadline:
        """Return the deadline extended by so many seconds, such as the time that a person took to answer."""
        return Deadline(self.at + seconds)

    def for_preliminary_reads(self) -> Deadline:
        """Return the deadline of the reads before a call, which leaves time for the call itself."""
        return Deadline(self.at - self.seconds_left() * (1 - PRELIMINARY)) if self.at < math.inf else self

    def for_send(self) -> Deadline:
        """Return the deadline for sending a write, which leaves time for verification."""
        reserve = min(MAX_RESERVE, self.seconds_left() * RESERVE)
        return Deadline(self.at - reserve) if self.at < math.inf else self


NO_DEADLINE = Deadline()
