"""Statements that every call runs: on SQLite put into its own words once, and not built and compiled anew each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Select, Table, bindparam, insert
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase


class PreparedStatement:
    """A statement whose values are all bound by name. It takes and gives what the driver does: numbers, texts, bytes."""

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self._statement = statement
        self._text = ""
        self._order: tuple[str, ...] = ()

    @classmethod
    def insert_into(cls, table: Table, *columns: str) -> PreparedStatement:
        """Adds a row with these columns, each bound under its own name."""
        return cls(insert(table).values({name: bindparam(name) for name in columns}))

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it with these values."""
        if connection.dialect.name != "sqlite":  # elsewhere each SaaS has a schema, which only a statement is given
            return connection.execute(self._statement, dict(values))
        return connection.exec_driver_sql(*self.compiled_sql(connection.dialect, values))

    def compiled_sql(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """The statement in the driver's own words, and the values in their places."""
        if not self._text:
            self._compile(dialect)
        return self._text, tuple(values[name] for name in self._order)

    def _compile(self, dialect: Dialect) -> None:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the type: this is no DDL
        self._order = tuple(compiled.positiontup or ())
        self._text = str(compiled)
