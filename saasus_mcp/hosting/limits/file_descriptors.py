"""Fit the number of connections to the open files that the system allows the process."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

from saasus_mcp.hosting.limits.connections import connections_needed
from saasus_mcp.hosting.limits.request_pool import PoolLimits
from saasus_mcp.saasus.route import CONNECTIONS
from saasus_mcp.settings.hosting import HttpSettings, HttpTable

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

PROCESS_FILES = 80
"""Files of the process itself: standard streams, listeners and their copies, event loop, signals, logs, certificates, and modules being imported."""
PROVIDER_CONNECTIONS = 16
"""Connections to the identity provider, to a collector of traces, and to the API for readiness."""
API_CONNECTIONS = CONNECTIONS
"""Connections to the API of one profile."""
DATABASE_CONNECTIONS = 15
"""Connections to one database: SQLAlchemy's pool of a file, or both pools of PostgreSQL together."""
SQLITE_FILES = 3
"""Files of one connection to an SQLite file: the database, its log and the log's index."""


def other_files(profiles: int, *, shared: bool) -> int:
    """Return the open files of a server that are no connections of clients.

    Args:
        shared: whether the profiles share a PostgreSQL database. Otherwise each profile, the tokens and the jobs have an SQLite file.
    """
    databases = DATABASE_CONNECTIONS if shared else DATABASE_CONNECTIONS * SQLITE_FILES * (profiles + 2)
    return PROCESS_FILES + PROVIDER_CONNECTIONS + API_CONNECTIONS * profiles + databases


def files_needed(connections: int, others: int) -> int:
    """Return the open files of a server at its busiest. `connections`: requests of clients at once."""
    limits = PoolLimits.from_settings(HttpTable(connections=connections), multiple_principals=True)
    return others + connections_needed(limits)


def fit_connections(http: HttpSettings, others: int, *, warns: bool = True) -> HttpSettings:
    """Return the settings with as many connections as the open files of the process allow.

    The soft limit is raised as far as needed and permitted. A warning is logged if that does not suffice.

    Args:
        warns: whether this process warns; one of several workers does.
    """
    connections = http.table.connections
    need = files_needed(connections, others)
    allowed = raise_file_limit(need)
    if allowed >= need:
        return http
    while connections > 1 and files_needed(connections, others) > allowed:
        connections -= max(1, connections // 100)
    log.log(
        logging.WARNING if warns else logging.DEBUG,
        "[http] connections = %d needs up to %d open files, but the system allows this process %d: "
        "%d connections are served. Set LimitNOFILE=%d in the systemd unit (elsewhere `ulimit -n %d`), or lower connections.",
        http.table.connections,
        need,
        allowed,
        connections,
        need,
        need,
    )
    return replace(http, table=http.table.model_copy(update={"connections": connections}))


def raise_file_limit(wanted: int) -> int:
    """Raise the soft limit of open files to `wanted` if possible. Return `wanted` or the lower number that is allowed."""
    if sys.platform == "win32":
        return wanted  # sockets are not files there and have no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (ValueError, OSError):
        return soft
    return possible
