"""Places for requests, shared fairly: so many in all, so many for each principal, a few for whoever is not signed in yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from saasus_mcp.settings.hosting import HttpTable

CALLER_DIVISOR = 5
"""One principal may hold one part in so many of the connections, unless the settings say otherwise."""
UNAUTHENTICATED_DIVISOR, UNAUTHENTICATED_MINIMUM = 4, 64
"""Requests that are not signed in yet may hold one part in so many of the connections, and no fewer than so many: every
request of a caller is one of them for a moment."""
CONSOLE_TOTAL, CONSOLE_EACH, CONSOLE_UNAUTHENTICATED = 32, 8, 16
"""Places of the console and the metrics, which no request of MCP can take: in all, for each approver, not signed in."""
MAX_PROBES = 16
"""Requests of /readyz at once. All but the first wait for the same look at the stores."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The places of one pool.

    Attributes:
        total: of all principals together.
        each: of one principal.
        unauthenticated: of requests that no principal is known of yet, beside `total`.
        setting: the name of the setting that says `each`, for error messages.
        shared: whether there is more than one principal.
    """

    total: int
    each: int
    unauthenticated: int
    setting: str = ""
    multiple_principals: bool = True

    @classmethod
    def from_settings(cls, table: HttpTable, *, shared: bool) -> PoolLimits:
        """Those of the requests of MCP.

        Args:
            shared: whether there is more than one principal.
        """
        total, each = table.connections, table.connections_per_caller
        usual = max(1, total // CALLER_DIVISOR) if shared else total
        return cls(
            total,
            min(total, each or usual),
            max(UNAUTHENTICATED_MINIMUM, total // UNAUTHENTICATED_DIVISOR),
            "connections_per_caller",
            shared,
        )


CONSOLE_LIMITS = PoolLimits(CONSOLE_TOTAL, CONSOLE_EACH, CONSOLE_UNAUTHENTICATED)


class CapacityExceeded(Exception):
    """There is no place for a request.

    Attributes:
        limit: how many its principal may hold, where it holds them all; 0 where the whole server is busy.
        setting: the setting that says so; empty where none does.
    """

    def __init__(self, limit: int = 0, setting: str = "") -> None:
        super().__init__(limit, setting)
        self.limit = limit
        self.setting = setting


class PooledRequest(Protocol):
    """A request that holds a place."""

    @property
    def awaits_client(self) -> bool:
        """Whether it waits for its client to send something."""
        ...

    def evict(self) -> None:
        """End it: its place goes to another request."""
        ...


class RequestPool:
    """Places of one kind. A request moves to its principal's share when that is known; until then it is unauthenticated.

    One that shows a token of a moment ago begins in the share of its principal.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._unauthenticated: dict[PooledRequest, None] = {}
        self._principals: dict[PooledRequest, str] = {}
        self._held: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether the next request of some principal is refused because the whole server is busy.

        Requests without a valid token never make it full, or anybody could make a load balancer take the server out.
        """
        return len(self._principals) >= self._limits.total

    def enter(self, entry: PooledRequest, expected: str = "") -> None:
        """Give a place to a request whose principal is not known for sure.

        Where it is expected to be a certain one's, it begins in that one's share. Where there is no place, the request that
        has waited longest for its own client loses its own: a body that never comes keeps nobody out.

        Args:
            expected: the principal that its token named a moment ago; empty where none did.

        Raises:
            NoPlace: all of them are being worked on, or the expected principal holds its whole share.
        """
        if expected:
            self.assign(entry, expected)
            return
        if len(self._unauthenticated) >= self._limits.unauthenticated:
            oldest = self._oldest()
            if oldest is None:
                raise CapacityExceeded
            del self._unauthenticated[oldest]
            oldest.evict()
        self._unauthenticated[entry] = None

    def assign(self, entry: PooledRequest, principal: str) -> None:
        """Count a request as its principal's from now on.

        Raises:
            NoPlace: the principal holds its whole share, or all places are taken.
        """
        if self._principals.get(entry) == principal:
            return
        if self._held[principal] >= self._limits.each:
            raise CapacityExceeded(self._limits.each, self._limits.setting)
        if len(self._principals) >= self._limits.total:
            raise CapacityExceeded
        self.leave(entry)
        self._principals[entry] = principal
        self._held[principal] += 1

    def leave(self, entry: PooledRequest) -> None:
        """Free the place of a request, whoever held it."""
        self._unauthenticated.pop(entry, None)
        principal = self._principals.pop(entry, None)
        if principal is not None:
            self._held[principal] -= 1
            if not self._held[principal]:
                del self._held[principal]

    def _oldest(self) -> PooledRequest | None:
        """The oldest unauthenticated request that waits for its client."""
        return next((each for each in self._unauthenticated if each.awaits_client), None)
