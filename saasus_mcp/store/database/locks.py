"""Named locks, released at the end of the transaction.

On SQLite a transaction owns the whole file and needs no lock. On PostgreSQL, a transaction that decides on what it has read (the
number of pending approvals, the number of running jobs, the use of a budget) takes the lock of exactly that. A decision within one
statement takes none. A transaction takes the freeze's lock first and at most one other, so locks cannot deadlock.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from sqlalchemy import Connection, Delete, delete, func, select, tuple_
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.schema import Table

LockName = Literal["setup", "freeze", "budget", "approvals", "jobs", "results", "tokens", "purge", "keys"]


def acquire_lock(connection: Connection, name: LockName, of: str = "", *, shared: bool = False) -> None:
    """Wait for a lock. A shared lock waits only for exclusive ones. `of`: the instance of the lock, such as a principal."""
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(lock(_number(connection, name, of))))


def delete_unlocked(table: Table, *where: ColumnElement[bool]) -> Delete:
    """Return the statement that deletes rows without waiting for rows that another transaction is deleting."""
    keys = tuple_(*table.primary_key.columns)
    old = select(*table.primary_key.columns).where(*where).with_for_update(skip_locked=True)
    return delete(table).where(keys.in_(old))


def _number(connection: Connection, name: LockName, of: str) -> int:
    """Return PostgreSQL's number of a lock. Only `setup` and `freeze` apply to the whole database."""
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    scope = "" if name in ("setup", "freeze") else schemas.get(None, "")
    digest = hashlib.sha256(f"saasus-mcp\0{scope}\0{name}\0{of}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:8], signed=True)
