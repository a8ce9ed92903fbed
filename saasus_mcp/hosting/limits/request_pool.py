"""How many requests the server accepts at once: a total, a share per principal, and a few that are not signed in yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from saasus_mcp.settings.hosting import HttpTable

CALLER_DIVISOR = 5
"""The default share of one principal: this fraction of the connections."""
UNAUTHENTICATED_DIVISOR, UNAUTHENTICATED_MINIMUM = 4, 64
"""The share of requests that are not signed in yet: this fraction of the connections, and at least this many. Every request is
one of them for a moment."""
CONSOLE_TOTAL, CONSOLE_EACH, CONSOLE_UNAUTHENTICATED = 32, 8, 16
"""Places of the console and the metrics, which MCP requests cannot take: in total, per approver, and not signed in."""
MAX_PROBES = 16
"""Requests of /readyz at once. All but the first wait for the same check of the stores."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The limits of one pool.

    Attributes:
        total: requests of all principals together.
        each: requests of one principal.
        unauthenticated: requests whose principal is not known yet, in addition to `total`.
        setting: the setting that defines `each`, for error messages.
        multiple_principals: whether more than one principal uses the server.
    """

    total: int
    each: int
    unauthenticated: int
    setting: str = ""
    multiple_principals: bool = True

    @classmethod
    def from_settings(cls, table: HttpTable, *, multiple_principals: bool) -> PoolLimits:
        """Return the limits of MCP requests."""
        total, each = table.connections, table.connections_per_caller
        default = max(1, total // CALLER_DIVISOR) if multiple_principals else total
        return cls(
            total,
            min(total, each or default),
            max(UNAUTHENTICATED_MINIMUM, total // UNAUTHENTICATED_DIVISOR),
            "connections_per_caller",
            multiple_principals,
        )


CONSOLE_LIMITS = PoolLimits(CONSOLE_TOTAL, CONSOLE_EACH, CONSOLE_UNAUTHENTICATED)


class CapacityExceeded(Exception):
    """The server has no place for a request.

    Attributes:
        limit: the limit that the principal has reached; 0 if the whole server is busy.
        setting: the setting that defines the limit; empty without a setting.
    """

    def __init__(self, limit: int = 0, setting: str = "") -> None:
        super().__init__(limit, setting)
        self.limit = limit
        self.setting = setting


class PooledRequest(Protocol):
    """A request that holds a place in a pool."""

    @property
    def awaits_client(self) -> bool:
        """Return True while the request waits for data from its client."""
        ...

    def evict(self) -> None:
        """End the request so that another one can take its place."""
        ...


class RequestPool:
    """The places of one kind of request.

    A request starts unauthenticated and moves to the share of its principal once that is known. A request with a recently
    valid token starts in the share of that principal.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._unauthenticated: dict[PooledRequest, None] = {}
        self._principals: dict[PooledRequest, str] = {}
        self._held: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Return True if authenticated requests fill the pool.

        Requests without a valid token do not count. Otherwise anybody could make a load balancer take the server out.
        """
        return len(self._principals) >= self._limits.total

    def enter(self, request: PooledRequest, expected: str = "") -> None:
        """Give a place to a request that is not authenticated yet.

        If there is no place, the oldest request that waits for its own client is evicted. A client that never sends its body
        therefore keeps nobody out.

        Args:
            expected: the principal of a recently valid token, in whose share the request starts; empty if unknown.

        Raises:
            CapacityExceeded: all places are in use, or the expected principal is at its limit.
        """
        if expected:
            self.assign(request, expected)
            return
        if len(self._unauthenticated) >= self._limits.unauthenticated:
            oldest = next((each for each in self._unauthenticated if each.awaits_client), None)
            if oldest is None:
                raise CapacityExceeded
            del self._unauthenticated[oldest]
            oldest.evict()
        self._unauthenticated[request] = None

    def assign(self, request: PooledRequest, principal: str) -> None:
        """Move a request to the share of its principal.

        Raises:
            CapacityExceeded: the principal is at its limit, or the pool is full.
        """
        if self._principals.get(request) == principal:
            return
        if self._held[principal] >= self._limits.each:
            raise CapacityExceeded(self._limits.each, self._limits.setting)
        if self.full:
            raise CapacityExceeded
        self.leave(request)
        self._principals[request] = principal
        self._held[principal] += 1

    def leave(self, request: PooledRequest) -> None:
        """Free the place of a request."""
        self._unauthenticated.pop(request, None)
        principal = self._principals.pop(request, None)
        if principal is not None:
            self._held[principal] -= 1
            if not self._held[principal]:
                del self._held[principal]
