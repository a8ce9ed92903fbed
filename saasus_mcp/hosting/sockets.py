"""The open connections of clients: fewer than the process may have open files, and the idle ones give way to new ones."""

from __future__ import annotations

from typing import Protocol

from saasus_mcp.hosting.shares import PROBES, RESERVE, RESERVE_UNAUTHENTICATED, Limits

TRUSTED = "saasus_mcp.trusted"
"""Where a request's state says that its principal is known."""
RESERVED = RESERVE + RESERVE_UNAUTHENTICATED + PROBES
"""Sockets for the console, the metrics and health checks."""


class Socket(Protocol):
    """A connection of a client."""

    def drop(self) -> None:
        """Close it at once."""
        ...


class Sockets:
    """Counts connections and closes the one that has been idle longest where there are too many.

    A connection is idle while no request of it is being answered: one that never says anything, says half of a request's
    head, or is kept for the next request. Requests have places of their own (hosting.shares), fewer than sockets, so that
    a new connection always finds an idle one to replace. It is heard before it is the oldest: health checks, too.

    Args:
        most: connections at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Socket] = set()
        self._idle: dict[Socket, None] = {}
        self._trusted: dict[Socket, None] = {}

    def opened(self, socket: Socket) -> None:
        """Count a new connection, which is idle until a request arrives."""
        if len(self._open) >= self._most:
            self._make_room()
        self._open.add(socket)
        self._idle[socket] = None

    def busy(self, socket: Socket) -> None:
        """Note that a request of the connection is being answered."""
        self._idle.pop(socket, None)
        self._trusted.pop(socket, None)

    def idle(self, socket: Socket, *, trusted: bool) -> None:
        """Note that nothing of the connection is under way any more.

        Args:
            trusted: whether its last request came from a known principal. Those that did not are closed first.
        """
        if socket in self._open:
            (self._trusted if trusted else self._idle)[socket] = None

    def closed(self, socket: Socket) -> None:
        """Forget a connection."""
        self.busy(socket)
        self._open.discard(socket)

    def _make_room(self) -> None:
        oldest = next(iter(self._idle or self._trusted), None)
        if oldest is not None:
            self.closed(oldest)
            oldest.drop()


def sockets_for(limits: Limits) -> int:
    """How many sockets go with so many places for requests: as many idle ones, and those of the reserve."""
    return 2 * limits.total + limits.unauthenticated + RESERVED
