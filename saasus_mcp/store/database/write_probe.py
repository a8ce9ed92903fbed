"""A write that changes nothing: whether a database takes writes, also where its disk is full or it has become read-only."""

from __future__ import annotations

import secrets
from weakref import WeakSet

from sqlalchemy import Column, Connection, LargeBinary, MetaData, String, Table, delete, insert

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.state_files import StoreError

ROW_BYTES = 16 * 1024
"""Bytes of the row. A call's records are about as many; a row that fits into space that is there would be written to a full disk
as well."""
GROWTH_BYTES = 64 * 1024
"""Bytes by which SQLite's file must be able to grow. They are more than the pages that the last heartbeat left free in it."""

metadata = MetaData()
heartbeats_table = Table(
    "heartbeats",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ballast", LargeBinary, nullable=False),
)
"""Not one of the store's tables, and in no version of them: made where it is missing, and always empty."""

_MADE: WeakSet[Database] = WeakSet()
"""Databases that have the table."""


def probe_write(database: Database) -> None:
    """Write a row, remove it, and commit both.

    A transaction that is rolled back would never reach SQLite's file: pages stay in memory until the commit.

    Raises:
        StoreError: the database takes no write.
    """
    if database not in _MADE:
        _make(database)
    try:
        with database.transaction() as connection:
            row = _write(connection, ROW_BYTES)
            if connection.dialect.name == "sqlite":
                with connection.begin_nested() as growth:
                    _write(connection, GROWTH_BYTES)
                    growth.rollback()
            connection.execute(delete(heartbeats_table).where(heartbeats_table.c.id == row))
    except StoreError:
        _MADE.discard(database)  # the table may have gone with a backup that was restored
        raise


def _write(connection: Connection, size: int) -> str:
    """Write a row of so many bytes that do not compress, and return its id."""
    row = secrets.token_hex(16)
    connection.execute(insert(heartbeats_table).values(id=row, ballast=secrets.token_bytes(size)))
    return row


def _make(database: Database) -> None:
    with database.transaction() as connection:
        acquire_lock(connection, "setup")
        metadata.create_all(connection)
    _MADE.add(database)
