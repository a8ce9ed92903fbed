"""Limit the open connections of clients: fewer than the open files of the process, and idle ones give way to new ones."""

from __future__ import annotations

from typing import Protocol

from saasus_mcp.hosting.limits.request_pool import CONSOLE_TOTAL, CONSOLE_UNAUTHENTICATED, MAX_PROBES, PoolLimits

AUTHENTICATED_KEY = "saasus_mcp.trusted"
"""The key in the state of a request that is set once its principal is known."""
SHARE_KEY = "saasus_mcp.share"
"""The key in the state of a request for the principal whose share it counts for, even if there is no place in it."""
RESERVED_CONNECTIONS = CONSOLE_TOTAL + CONSOLE_UNAUTHENTICATED + MAX_PROBES
"""Connections for the console, the metrics and health checks."""


class TrackedConnection(Protocol):
    """A connection of a client."""

    def abort(self) -> None:
        """Close the connection at once."""
        ...


class ConnectionTracker:
    """Counts connections and closes the one that has been idle longest if there are too many.

    A connection is idle while none of its requests is being answered: a silent one, one that has sent half of a request's
    head, or one that is kept alive. The pools (`request_pool`) accept fewer requests than there are connections, so a new
    connection always finds an idle one to replace, and its request is read before the connection becomes the oldest. This
    holds for health checks too.
    """

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._open: set[TrackedConnection] = set()
        self._idle: dict[TrackedConnection, None] = {}
        self._idle_authenticated: dict[TrackedConnection, None] = {}

    def add(self, connection: TrackedConnection) -> None:
        """Count a new connection, which is idle until a request arrives."""
        if len(self._open) >= self._max_connections:
            self._abort_oldest_idle()
        self._open.add(connection)
        self._idle[connection] = None

    def mark_busy(self, connection: TrackedConnection) -> None:
        """Record that a request of the connection is being answered."""
        self._idle.pop(connection, None)
        self._idle_authenticated.pop(connection, None)

    def mark_idle(self, connection: TrackedConnection, *, authenticated: bool) -> None:
        """Record that no request of the connection is being answered.

        Args:
            authenticated: whether the principal of the last request was known. Other connections are closed first.
        """
        if connection in self._open:
            (self._idle_authenticated if authenticated else self._idle)[connection] = None

    def remove(self, connection: TrackedConnection) -> None:
        self.mark_busy(connection)
        self._open.discard(connection)

    def _abort_oldest_idle(self) -> None:
        oldest = next(iter(self._idle or self._idle_authenticated), None)
        if oldest is not None:
            self.remove(oldest)
            oldest.abort()


def connections_needed(limits: PoolLimits) -> int:
    """Return how many connections a pool needs: as many idle ones as busy ones, and the reserved ones."""
    return 2 * limits.total + limits.unauthenticated + RESERVED_CONNECTIONS
