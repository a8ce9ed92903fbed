"""Sessions of the older protocols: so many for each principal, and the one that is idle longest gives way to a new one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from saasus_mcp.hosting.limits.request_pool import CapacityExceeded

MAX_SESSIONS = 10_000
"""Open at once, of all principals: about 50 KiB of memory each."""
IDLE_SECONDS = 30 * 60.0
"""After which a session that is not used ends."""
EndSession = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class TrackedSession:
    """One session.

    Attributes:
        end: ends it.
        used_at: when a request of it last ended.
        requests: of it under way, open streams included.
    """

    owner: str
    end: EndSession
    used_at: float
    active_requests: int = 0


class SessionLimiter:
    """Knows the open sessions of every profile, by what passes: the SDK that keeps them counts nobody's.

    Args:
        each: sessions of one principal.
    """

    def __init__(self, per_principal: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each = per_principal
        self._clock = clock
        self._open: dict[str, TrackedSession] = {}
        self._owned: Counter[str] = Counter()
        self._opening: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether nobody can open one."""
        self._forget_expired()
        return len(self._open) >= MAX_SESSIONS

    @contextmanager
    def reserve(self, owner: str) -> Iterator[None]:
        """Count a session that is being opened.

        Raises:
            NoPlace: the owner's sessions are all in use, or all sessions are taken.
        """
        if self.full:
            raise CapacityExceeded
        if self._owned[owner] + self._opening[owner] >= self._each and self._in_use(owner) >= self._each:
            raise CapacityExceeded(self._each, "sessions_per_caller")
        self._opening[owner] += 1
        try:
            yield
        finally:
            _less(self._opening, owner)

    def add(self, identifier: str, owner: str, end: EndSession) -> None:
        """Note a session that was opened."""
        self._open[identifier] = TrackedSession(owner, end, self._clock())
        self._owned[owner] += 1

    async def end_surplus(self, owner: str) -> None:
        """End the sessions of an owner that are beyond their share: those that were idle longest."""
        surplus = self._owned[owner] - self._each
        if surplus <= 0:
            return
        idle = [name for name, each in self._open.items() if each.owner == owner and not each.active_requests]
        for name in idle[:surplus]:
            session = self._open[name]
            self._forget(name)
            await session.end()

    @contextmanager
    def track_request(self, identifier: str, owner: str) -> Iterator[None]:
        """Note that a request of a session is under way; that somebody else names it means nothing."""
        session = self._open.get(identifier)
        if session is None or session.owner != owner:
            yield
            return
        session.active_requests += 1
        try:
            yield
        finally:
            session.active_requests -= 1
            session.used_at = self._clock()
            if self._open.get(identifier) is session:
                self._open[identifier] = self._open.pop(identifier)  # the last to be ended

    def remove(self, identifier: str, owner: str) -> None:
        """Forget a session that its owner ended, or that is gone."""
        if identifier in self._open and self._open[identifier].owner == owner:
            self._forget(identifier)

    def _in_use(self, owner: str) -> int:
        """How many of an owner's sessions cannot be ended for a new one."""
        used = sum(each.active_requests > 0 for each in self._open.values() if each.owner == owner)
        return used + self._opening[owner]

    def _forget(self, identifier: str) -> None:
        _less(self._owned, self._open.pop(identifier).owner)

    def _forget_expired(self) -> None:
        """Forget those that the SDK has ended because nobody used them."""
        until = self._clock() - IDLE_SECONDS
        for name, each in list(self._open.items()):
            if each.used_at >= until:
                return
            if not each.active_requests:
                self._forget(name)


def _less(counts: Counter[str], owner: str) -> None:
    counts[owner] -= 1
    if not counts[owner]:
        del counts[owner]
