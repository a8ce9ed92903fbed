"""Limit the sessions of older MCP protocols per principal. The session that is idle longest gives way to a new one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from saasus_mcp.hosting.limits.request_pool import CapacityExceeded

MAX_SESSIONS = 10_000
"""Open sessions of all principals: about 50 KiB of memory each."""
IDLE_SECONDS = 30 * 60.0
"""An unused session ends after this time."""
EndSession = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class TrackedSession:
    """One session.

    Attributes:
        end: ends the session.
        used_at: when its last request ended.
        active_requests: its running requests, including open streams.
    """

    owner: str
    end: EndSession
    used_at: float
    active_requests: int = 0


class SessionLimiter:
    """Tracks the open sessions of every profile, because the SDK that keeps them does not count them by owner.

    Args:
        per_principal: sessions of one principal.
    """

    def __init__(self, per_principal: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_principal = per_principal
        self._clock = clock
        self._open: dict[str, TrackedSession] = {}
        self._owned: Counter[str] = Counter()
        self._opening: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Return True if no further session can be opened."""
        self._forget_expired()
        return len(self._open) >= MAX_SESSIONS

    @contextmanager
    def reserve(self, owner: str) -> Iterator[None]:
        """Count a session that is being opened.

        Raises:
            CapacityExceeded: the owner's sessions are all in use, or the server has no room.
        """
        if self.full:
            raise CapacityExceeded
        limit = self._per_principal
        if self._owned[owner] + self._opening[owner] >= limit and self._in_use(owner) >= limit:
            raise CapacityExceeded(limit, "sessions_per_caller")
        self._opening[owner] += 1
        try:
            yield
        finally:
            _decrement(self._opening, owner)

    def add(self, identifier: str, owner: str, end: EndSession) -> None:
        """Record a new session."""
        self._open[identifier] = TrackedSession(owner, end, self._clock())
        self._owned[owner] += 1

    async def end_surplus(self, owner: str) -> None:
        """End the owner's sessions beyond the limit, those that are idle longest first."""
        surplus = self._owned[owner] - self._per_principal
        if surplus <= 0:
            return
        idle = [name for name, each in self._open.items() if each.owner == owner and not each.active_requests]
        for name in idle[:surplus]:
            session = self._open[name]
            self._forget(name)
            await session.end()

    @contextmanager
    def track_request(self, identifier: str, owner: str) -> Iterator[None]:
        """Record that a request of the session is running. Ignore a session that belongs to another principal."""
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
                self._open[identifier] = self._open.pop(identifier)  # the most recently used one is last

    def remove(self, identifier: str, owner: str) -> None:
        """Forget a session that its owner ended, or that no longer exists."""
        if identifier in self._open and self._open[identifier].owner == owner:
            self._forget(identifier)

    def _in_use(self, owner: str) -> int:
        """Count the owner's sessions that cannot be ended for a new one."""
        used = sum(each.active_requests > 0 for each in self._open.values() if each.owner == owner)
        return used + self._opening[owner]

    def _forget(self, identifier: str) -> None:
        _decrement(self._owned, self._open.pop(identifier).owner)

    def _forget_expired(self) -> None:
        """Forget the sessions that the SDK has ended because they were idle."""
        oldest_allowed = self._clock() - IDLE_SECONDS
        for name, each in list(self._open.items()):
            if each.used_at >= oldest_allowed:
                return
            if not each.active_requests:
                self._forget(name)


def _decrement(counts: Counter[str], owner: str) -> None:
    counts[owner] -= 1
    if not counts[owner]:
        del counts[owner]
