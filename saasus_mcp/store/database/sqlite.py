"""SQLite: a file that the processes of one machine can share, or the memory of one process."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import one_line
from saasus_mcp.store.errors import StoreGone
from saasus_mcp.store.state_files import require_safe_database

BUSY_SECONDS = 5
CHECKPOINT_PAGES = 8000
"""Of 4 KiB. A checkpoint adds milliseconds to a call. SQLite's default of 1,000 comes about every hundredth call, and so shows in
the slowest percent."""
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
REASONS = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "readonly",
    sqlite3.SQLITE_IOERR: "io",
    sqlite3.SQLITE_CANTOPEN: "open",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CORRUPT: "malformed",
    sqlite3.SQLITE_NOTADB: "not_a_database",
}
"""The messages of primary error codes."""
MAX_DETAIL = 160
"""Characters of the text of SQLite in an error."""
PRIMARY_CODE = 0xFF
"""The bits of an error code without its details."""
READ_ONLY = "saasus_reading"
"""The execution option of a connection for a read-only transaction."""
DURABLE = "saasus_durable"
"""The execution option of a connection for a transaction that a power failure must not undo."""

OPENED_FILE = "saasus_file"
"""The execution option of an engine with its `OpenedFile`."""


def primary_code(error: BaseException | None) -> int:
    """Return the code of an error without its details; 0 if it is no error of SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & PRIMARY_CODE


def explain_error(error: BaseException) -> Message:
    """Return why SQLite failed."""
    reason = REASONS.get(primary_code(error))
    if reason is not None:
        return one_of("system.database", reason)
    # Most of these have the name SQLITE_ERROR: only their text says which table or column is missing.
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    text = str(error).partition("\n")[0]
    return message("system.other", name=f"{name}: {one_line(text, MAX_DETAIL)}" if text else name)


class OpenedFile:
    """A database file. SQLite does not notice that the file it has open is removed or replaced: other processes no longer see what it writes."""

    def __init__(self, file: Path) -> None:
        self._name, self._path = file.name, os.fspath(file)
        self._identity = self._identify()

    def require_present(self) -> None:
        """Raise StoreGone unless the path still leads to the file that was opened."""
        if self._identity is None or self._identify() != self._identity:
            raise StoreGone.of("store.gone", store=self._name)

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - before each write, and in half of the time
        except OSError:  # also a folder that is gone, or a volume that does not answer
            return None
        return status.st_dev, status.st_ino


def create_memory_engine() -> Engine:
    """Return the engine of a database that ends with the process."""
    return _configure(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))


def create_file_engine(file: Path) -> Engine:
    """Return the engine of a database file. Raise StoreError if other users can change the file."""
    require_safe_database(file)
    opened, name = OpenedFile(file), f"sqlite:///{file}"
    arguments, options = {"check_same_thread": False}, {OPENED_FILE: opened}
    # The connection that was used last knows the most pages: after another one has written, all have to read them again.
    engine = create_engine(name, connect_args=arguments, execution_options=options, pool_use_lifo=True)
    _configure(engine)
    event.listen(engine, "do_connect", lambda *_: opened.require_present())  # SQLite would create a missing file
    event.listen(engine, "begin", lambda _: opened.require_present())
    return engine


def _configure(engine: Engine) -> Engine:
    """Configure a write-ahead log, lock timeouts and explicit transactions.

    A writing transaction begins IMMEDIATE, so that what it reads cannot change before it writes. A reading one sees the file as it
    was at its begin, and blocks no writer. The end of a process undoes no transaction. A power failure can undo the last ones, unless they
    or a later one are durable: those wait for the disk.
    """

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA synchronous=NORMAL")  # for single statements, which begin no transaction here
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        _enable_write_ahead_log(connection)

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        options = connection.get_execution_options()
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - for the type: the transaction has a connection
        if options.get(READ_ONLY):
            driver.execute("BEGIN")
            return
        driver.execute(f"PRAGMA synchronous={'FULL' if options.get(DURABLE) else 'NORMAL'}")
        driver.execute("BEGIN IMMEDIATE")

    return engine


def _enable_write_ahead_log(connection: Any) -> None:
    """Switch to the write-ahead log, and retry while another process does so: SQLite fails instead of waiting."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
