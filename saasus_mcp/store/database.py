"""One SQLAlchemy engine, and the transactions in which everything in the store happens."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from saasus_mcp.store.files import StoreError
from saasus_mcp.store.tables import VERSION, metadata

BUSY_SECONDS = 5
CHECKPOINT_PAGES = 8000
"""Of 4 KiB: after so many the log is written back, which takes milliseconds of some call. SQLite's own 1,000 come after every
hundredth call or so, and so within the slowest percent."""


class Database:
    """The tables, made where they are missing.

    Args:
        tables: the store's, or those of another database of ours; one of them is `versions`.
        version: of these tables.

    Raises:
        StoreError: the database cannot be used.
    """

    def __init__(self, engine: Engine, tables: MetaData = metadata, version: int = VERSION) -> None:
        self._engine = _tuned(engine)
        versions = tables.tables["versions"]
        with self.transaction() as connection:
            tables.create_all(connection)
            found = connection.execute(select(versions.c.version)).scalar_one_or_none()
            if found is None:
                connection.execute(insert(versions).values(version=version))
            elif found != version:
                raise StoreError(
                    f"The store has version {found}, not {version}.", "Move it away, or use the version that made it."
                )

    @classmethod
    def in_memory(cls) -> Database:
        """One that ends with the process."""
        return cls(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))

    @classmethod
    def at(cls, file: Path, tables: MetaData = metadata, version: int = VERSION) -> Database:
        """The one in this file."""
        return cls(create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False}), tables, version)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of it happens, or nothing.

        Raises:
            StoreError: the database cannot do it.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or type(error).__name__)
            raise StoreError(
                f"The store cannot be used: {said}.", "See that the disk is writable and not full."
            ) from None


def _tuned(engine: Engine) -> Engine:
    """SQLite that several processes can share: write-ahead log, waiting for a lock, and transactions that own it.

    A transaction begins IMMEDIATE, so that what it reads cannot change before what it then writes.
    """

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: Any) -> None:
    """Switch to the write-ahead log. While another process does the same, SQLite does not wait but fails: try again."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
