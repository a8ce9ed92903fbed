"""Insert a row that may be there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what a conflict does. Only the dialect in use is loaded: the other takes 2 MiB."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see above

    return sqlite.insert(table)


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row, unless one with its key exists. A conflict does not end the transaction."""
    connection.execute(insert_into(connection, table).on_conflict_do_nothing().values(**values))
