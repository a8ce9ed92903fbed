"""The open connections of clients: fewer than the process may have open files, and the idle ones give way to new ones."""

from __future__ import annotations

from typing import Protocol

from saasus_mcp.hosting.limits.request_pool import CONSOLE_TOTAL, CONSOLE_UNAUTHENTICATED, MAX_PROBES, PoolLimits

AUTHENTICATED_KEY = "saasus_mcp.trusted"
"""Where a request's state says that its principal is known."""
RESERVED_CONNECTIONS = CONSOLE_TOTAL + CONSOLE_UNAUTHENTICATED + MAX_PROBES
"""Sockets for the console, the metrics and health checks."""


class TrackedConnection(Protocol):
    """A connection of a client."""

    def abort(self) -> None:
        """Close it at once."""
        ...


class ConnectionTracker:
    """Counts connections and closes the one that has been idle longest where there are too many.

    A connection is idle while no request of it is being answered: one that never says anything, says half of a request's
    head, or is kept for the next request. Requests have places of their own (hosting.shares), fewer than sockets, so that
    a new connection always finds an idle one to replace. It is heard before it is the oldest: health checks, too.

    Args:
        most: connections at once.
    """

    def __init__(self, max_connections: int) -> None:
        self._most = max_connections
        self._open: set[TrackedConnection] = set()
        self._idle: dict[TrackedConnection, None] = {}
        self._trusted: dict[TrackedConnection, None] = {}

    def add(self, socket: TrackedConnection) -> None:
        """Count a new connection, which is idle until a request arrives."""
        if len(self._open) >= self._most:
            self._make_room()
        self._open.add(socket)
        self._idle[socket] = None

    def mark_busy(self, socket: TrackedConnection) -> None:
        """Note that a request of the connection is being answered."""
        self._idle.pop(socket, None)
        self._trusted.pop(socket, None)

    def mark_idle(self, socket: TrackedConnection, *, authenticated: bool) -> None:
        """Note that nothing of the connection is under way any more.

        Args:
            trusted: whether its last request came from a known principal. Those that did not are closed first.
        """
        if socket in self._open:
            (self._trusted if authenticated else self._idle)[socket] = None

    def remove(self, socket: TrackedConnection) -> None:
        """Forget a connection."""
        self.mark_busy(socket)
        self._open.discard(socket)

    def _make_room(self) -> None:
        oldest = next(iter(self._idle or self._trusted), None)
        if oldest is not None:
            self.remove(oldest)
            oldest.abort()


def connections_needed(limits: PoolLimits) -> int:
    """How many sockets go with so many places for requests: as many idle ones, and those of the reserve."""
    return 2 * limits.total + limits.unauthenticated + RESERVED_CONNECTIONS
