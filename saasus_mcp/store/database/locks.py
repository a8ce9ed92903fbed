"""Waiting for each other, where several write at once. A lock has a name and ends with the transaction that took it.

On SQLite a transaction owns the whole file, and there is nothing to take. On PostgreSQL, whoever decides on what it has read
(so many approvals pending, so many jobs running, so much used of a budget) takes the lock of exactly that; what one statement can decide by
itself takes none. A transaction takes the freeze's lock before any other, and at most one besides: none waits in a circle.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from sqlalchemy import Connection, delete, func, select, tuple_
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.schema import Table

LockName = Literal["setup", "freeze", "budget", "approvals", "jobs", "results", "tokens", "purge", "keys"]


def acquire_lock(connection: Connection, name: LockName, of: str = "", *, shared: bool = False) -> None:
    """Wait for a lock; with `shared`, only for those who want it for themselves.

    Args:
        of: what of that name, where there are several: a principal, say.
    """
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(lock(_number(connection, name, of))))


def delete_skip_locked(connection: Connection, table: Table, *where: ColumnElement[bool]) -> None:
    """Delete rows that nobody needs any more. Those that another transaction is deleting are left to it, unwaited for."""
    keys = tuple_(*table.primary_key.columns)
    old = select(*table.primary_key.columns).where(*where).with_for_update(skip_locked=True)
    connection.execute(delete(table).where(keys.in_(old)))


def _number(connection: Connection, name: LockName, of: str) -> int:
    """A lock as PostgreSQL names it. Only the freeze and the making of tables are of the whole database."""
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    scope = "" if name in ("setup", "freeze") else schemas.get(None, "")
    said = hashlib.sha256(f"saasus-mcp\0{scope}\0{name}\0{of}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(said.digest()[:8], signed=True)
