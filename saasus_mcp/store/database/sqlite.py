"""SQLite that several processes of one machine can share: a file, or the memory of one process."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from saasus_mcp.store.state_files import require_safe_database

BUSY_SECONDS = 5
CHECKPOINT_PAGES = 8000
"""Of 4 KiB: after so many the log is written back, which takes milliseconds of some call. SQLite's own 1,000 come after every
hundredth call or so, and so within the slowest percent."""
READ_ONLY = "saasus_reading"
"""The execution option of a connection whose transaction only reads."""


def create_memory_engine() -> Engine:
    """A database that ends with the process."""
    return _tuned(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))


def create_file_engine(file: Path) -> Engine:
    """The database in this file.

    Raises:
        StoreError: others can change it.
    """
    require_safe_database(file)
    return _tuned(create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False}))


def _tuned(engine: Engine) -> Engine:
    """With a write-ahead log, waiting for a lock, and transactions that own the file.

    One that writes begins IMMEDIATE, so that what it reads cannot change before what it then writes. One that only reads
    sees the file as it was when it began, and holds nobody up.
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
        reads = connection.get_execution_options().get(READ_ONLY)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

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
