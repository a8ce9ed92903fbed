"""What was there before each update and delete, so that it can be undone."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from saasus_mcp.store.database import Database
from saasus_mcp.store.records import Entry
from saasus_mcp.store.tables import journal


class Journal:
    """The journal of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def keep(connection: Connection, entry: Entry) -> None:
        """Keep what was there, in the transaction that lets the call go."""
        values = {name: getattr(entry, name) for name in ("call", "at", "operation", "principal", "profile")}
        texts = {"arguments": json.dumps(entry.arguments), "before": json.dumps(entry.before)}
        connection.execute(insert(journal).values(**values, **texts))

    @staticmethod
    def end(connection: Connection, call: str, result: Any) -> None:
        """Note what the API answered."""
        connection.execute(update(journal).where(journal.c.call == call).values(result=json.dumps(result)))

    @staticmethod
    def forget(connection: Connection, call: str) -> None:
        """Drop the entry of a call that changed nothing."""
        connection.execute(delete(journal).where(journal.c.call == call))

    def entries(self) -> list[Entry]:
        """Every entry, newest first."""
        with self._database.transaction() as connection:
            return [_entry(row) for row in connection.execute(select(journal).order_by(journal.c.at.desc()))]

    def find(self, call: str) -> Entry | None:
        """The entry of one call."""
        with self._database.transaction() as connection:
            row = connection.execute(select(journal).where(journal.c.call == call)).first()
            return _entry(row) if row is not None else None

    def undone(self, call: str, by: str) -> None:
        """Note that another call undid this one."""
        with self._database.transaction() as connection:
            connection.execute(update(journal).where(journal.c.call == call).values(undone_by=by))

    def purge(self, before: float) -> int:
        """Remove what is older than a time. Gives how many were removed."""
        with self._database.transaction() as connection:
            return connection.execute(delete(journal).where(journal.c.at < before)).rowcount


def _entry(row: Any) -> Entry:
    loaded = {name: json.loads(text) for name in ("arguments", "before", "result") if (text := getattr(row, name))}
    return Entry(**{**row._asdict(), **loaded})
