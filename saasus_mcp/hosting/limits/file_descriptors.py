"""Open files: how many a server needs at its busiest, and how many connections go into what the system allows."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace

from saasus_mcp.hosting.limits.connections import connections_needed
from saasus_mcp.hosting.limits.request_pool import PoolLimits
from saasus_mcp.saasus.client import CONNECTIONS
from saasus_mcp.settings import HttpSettings
from saasus_mcp.settings.hosting import HttpTable

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

PROCESS_FILES = 64
"""Of the process itself: standard streams, listeners, event loop, signals, logs, certificates and modules while they are read."""
PROVIDER_CONNECTIONS = 16
"""Connections to the identity provider, to a collector of traces, and of readiness to the API."""
API_CONNECTIONS = CONNECTIONS
"""Connections to the API of one profile at most."""
DATABASE_CONNECTIONS = 15
"""Connections to one database at most: SQLAlchemy's pool of a file, and both pools of PostgreSQL together."""
SQLITE_FILES = 3
"""Of one connection to a file: the database, its log and the log's index."""


@dataclass(frozen=True, slots=True)
class FileDescriptorNeed:
    """The open files of a server at its busiest.

    Attributes:
        connections: of clients, with a request under way.
        others: that are not connections of clients.
    """

    connections: int
    other_files: int

    @classmethod
    def for_server(cls, connections: int, profiles: int, *, shared: bool) -> FileDescriptorNeed:
        """Return the need of a server.

        Args:
            connections: of clients, with a request under way.
            profiles: that it serves.
            shared: whether they share a PostgreSQL database; else each has an SQLite file, and tokens and jobs have one each.
        """
        databases = DATABASE_CONNECTIONS if shared else DATABASE_CONNECTIONS * SQLITE_FILES * (profiles + 2)
        return cls(connections, PROCESS_FILES + PROVIDER_CONNECTIONS + API_CONNECTIONS * profiles + databases)

    @property
    def total(self) -> int:
        """Open files in all."""
        return self.other_files + _places(self.connections)


def fit_connections(http: HttpSettings, need: FileDescriptorNeed) -> HttpSettings:
    """Return the settings with as many connections as go into the open files that the process may have.

    The soft limit is raised as far as it must and may be. Where it does not suffice, the log says so.
    """
    allowed = raise_file_limit(need.total)
    if allowed >= need.total:
        return http
    connections = need.connections
    while connections > 1 and need.other_files + _places(connections) > allowed:
        connections -= max(1, connections // 100)
    log.warning(
        "[http] connections = %d needs up to %d open files, but the system allows this process %d: "
        "%d connections are served. Set LimitNOFILE=%d in the systemd unit (elsewhere `ulimit -n %d`), or lower connections.",
        need.connections,
        need.total,
        allowed,
        connections,
        need.total,
        need.total,
    )
    return replace(http, table=http.table.model_copy(update={"connections": connections}))


def raise_file_limit(wanted: int) -> int:
    """Ask the system for so many open files, and return how many the process may have: `wanted` where that is enough."""
    if sys.platform == "win32":
        return wanted  # sockets are no files there, and have no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (ValueError, OSError):
        return soft
    return possible


def _places(connections: int) -> int:
    """Return the sockets that go with so many requests at once."""
    return connections_needed(PoolLimits.from_settings(HttpTable(connections=connections), shared=True))
