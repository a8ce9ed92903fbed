"""A write that changes nothing: whether a database takes writes, also where its disk is full or it has become read-only."""

from __future__ import annotations

import secrets
from weakref import WeakSet

from sqlalchemy import Column, LargeBinary, MetaData, String, Table, delete, insert

from saasus_mcp.store.database import Database
from saasus_mcp.store.files import StoreError
from saasus_mcp.store.locks import hold

BALLAST = 16 * 1024
"""Bytes of the row. They need pages of their own, as a call's records do: a row that fits into a page that is there is written
to a full file as well."""

metadata = MetaData()
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ballast", LargeBinary, nullable=False),
)
"""Not one of the store's tables, and in no version of them: made where it is missing, and always empty."""


def beat(database: Database) -> None:
    """Write a row, remove it, and commit both.

    A transaction that is rolled back would never reach SQLite's file: pages stay in memory until the commit.

    Raises:
        StoreError: the database takes no write.
    """
    row = {"id": secrets.token_hex(16), "ballast": secrets.token_bytes(BALLAST)}
    if database not in _MADE:
        _make(database)
    try:
        with database.transaction() as connection:
            connection.execute(insert(heartbeats).values(**row))
            connection.execute(delete(heartbeats).where(heartbeats.c.id == row["id"]))
    except StoreError:
        _MADE.discard(database)  # the table may have gone with a backup that was restored
        raise


_MADE: WeakSet[Database] = WeakSet()
"""Databases that have the table."""


def _make(database: Database) -> None:
    with database.transaction() as connection:
        hold(connection, "setup")
        metadata.create_all(connection)
    _MADE.add(database)
