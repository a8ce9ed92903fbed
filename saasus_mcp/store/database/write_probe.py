"""A write that changes nothing, to detect a database that is full or read-only."""

from __future__ import annotations

import secrets
from weakref import WeakSet

from sqlalchemy import Column, Connection, LargeBinary, MetaData, String, Table, delete, insert

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.schema import required
from saasus_mcp.store.errors import StoreError

ROW_BYTES = 16 * 1024
"""Size of the row, about that of a call's records. A smaller row could fit into free space of a full database."""
GROWTH_BYTES = 64 * 1024
"""SQLite's file must be able to grow by this. It is more than the pages that the last probe left free."""

metadata = MetaData()
heartbeats_table = Table(
    "heartbeats",
    metadata,
    Column("id", String(32), primary_key=True),
    required("ballast", LargeBinary),
)
"""Not part of the store's schema. It is created if missing, and is always empty."""

_WITH_TABLE: WeakSet[Database] = WeakSet()
"""Databases with the table."""


def probe_write(database: Database) -> None:
    """Write a row, delete it, and commit.

    A transaction that is rolled back would never reach SQLite's file, because pages stay in memory until the commit.

    Raises:
        StoreError: the database accepts no write.
    """
    if database not in _WITH_TABLE:
        _create_table(database)
    try:
        with database.transaction() as connection:
            row = _write(connection, ROW_BYTES)
            if connection.dialect.name == "sqlite":
                with connection.begin_nested() as growth:
                    _write(connection, GROWTH_BYTES)
                    growth.rollback()
            connection.execute(delete(heartbeats_table).where(heartbeats_table.c.id == row))
    except StoreError:
        _WITH_TABLE.discard(database)  # a restored backup may lack the table
        raise


def _write(connection: Connection, size: int) -> str:
    """Write a row of incompressible bytes, and return its id."""
    row = secrets.token_hex(16)
    connection.execute(insert(heartbeats_table).values(id=row, ballast=secrets.token_bytes(size)))
    return row


def _create_table(database: Database) -> None:
    with database.transaction() as connection:
        acquire_lock(connection, "setup")
        metadata.create_all(connection)
    _WITH_TABLE.add(database)
