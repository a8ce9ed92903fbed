"""Statements that every call runs: put into the database's own words once, and not built and compiled anew each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Table, bindparam, insert
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """A statement whose values are all bound by name. It takes and gives what the driver does: numbers, texts, bytes."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._texts: dict[str, tuple[str, list[str] | None]] = {}

    @classmethod
    def adding(cls, table: Table, *columns: str) -> Prepared:
        """Adds a row with these columns, each bound under its own name."""
        return cls(insert(table).values({name: bindparam(name) for name in columns}))

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it with these values."""
        text, order = self._texts.get(connection.dialect.name) or self._compiled(connection.dialect)
        return connection.exec_driver_sql(
            text, dict(values) if order is None else tuple(values[name] for name in order)
        )

    def _compiled(self, dialect: Dialect) -> tuple[str, list[str] | None]:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the type: this is no DDL
        made = str(compiled), compiled.positiontup if compiled.positional else None
        self._texts[dialect.name] = made
        return made
