"""The database of the job engine: a SQLite file beside the store, or a schema of the shared PostgreSQL database."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event

if TYPE_CHECKING:
    from dbos import DBOSConfig

POSTGRES_POOL_SIZES = (2, 5)
"""Connections to PostgreSQL: kept open, and at most. The pipelines have a pool of their own, so jobs never wait for them."""
BUSY_MILLISECONDS = 30_000
"""How long a statement waits for another process's lock on the SQLite file: DBOS's own value."""
SUBSECOND_SQLITE = (3, 42, 0)
"""The first SQLite whose `unixepoch` knows 'subsec' (sqlite.org/changes.html, 3.42.0)."""


def engine_configuration(url: str, schema: str) -> tuple[DBOSConfig, Engine]:
    """Return where DBOS keeps its tables, and the pool behind it, which the caller disposes of.

    Args:
        url: a SQLite file as SQLAlchemy writes it, or PostgreSQL as libpq does.
        schema: of PostgreSQL; empty for SQLite.

    Raises:
        StoreError: the address of PostgreSQL cannot be read.
    """
    if not schema:
        pool = create_sqlite_engine(url)
        return {"system_database_url": url, "system_database_engine": pool}, pool
    from saasus_mcp.store.database import postgres  # noqa: PLC0415 - its driver is in an extra

    pool = postgres.create_postgres_engine(url, *POSTGRES_POOL_SIZES)
    # By itself DBOS would create the database and listen in it for notifications; ours exists, and none are sent.
    return {"system_database_engine": pool, "dbos_system_schema": schema, "use_listen_notify": False}, pool


def create_sqlite_engine(url: str) -> Engine:
    """Open a SQLite file as DBOS does, on every SQLite.

    DBOS takes any Python from 3.12 on to have SQLite 3.42 or newer, and there stamps its rows with `unixepoch('subsec')`.
    Older SQLite answers NULL to that, and no job starts. There our own function answers instead.
    """
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        connection.execute("PRAGMA foreign_keys=ON")
        if sqlite3.sqlite_version_info < SUBSECOND_SQLITE:
            connection.create_function("unixepoch", -1, _epoch)

    return engine


def _epoch(*modifiers: str) -> float | int | None:
    """Return the present time in epoch seconds, with milliseconds for 'subsec'; None for any other use, as for an error."""
    now = time.time()
    if modifiers in ((), ("now",)):
        return int(now)
    return round(now, 3) if modifiers in (("subsec",), ("now", "subsec")) else None
