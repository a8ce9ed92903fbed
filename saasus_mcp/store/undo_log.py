"""What was there before each call that left something behind, so that it is known and, where possible, undone."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import job_steps, jobs, journal, undone
from saasus_mcp.store.records import AlreadyUsed, UndoEntry

_KEEP = PreparedStatement.insert_into(journal, "call", "at", "operation", "principal", "profile", "arguments", "before")
_END = PreparedStatement(update(journal).where(journal.c.call == bindparam("of")).values(result=bindparam("answer")))


_ENTRIES = select(journal, job_steps.c.job, jobs.c.name.label("job_name")).select_from(
    journal.outerjoin(job_steps, job_steps.c.call == journal.c.call).outerjoin(jobs, jobs.c.id == job_steps.c.job)
)
"""Which job made a call is known as long as the job is."""


class UndoLog:
    """The journal of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def add(connection: Connection, entry: UndoEntry) -> None:
        """Keep what was there, in the transaction that lets the call go."""
        values = {name: getattr(entry, name) for name in ("call", "at", "operation", "principal", "profile")}
        texts = {"arguments": json.dumps(entry.arguments), "before": json.dumps(entry.before)}
        _KEEP.execute(connection, values | texts)

    @staticmethod
    def claim_undo(connection: Connection, undoes: tuple[str, int], by: str) -> None:
        """Note which call is undone by this one, in the transaction that lets it go; of two that try, one goes.

        Raises:
            AlreadyUsed: it was undone before, or is being undone.
        """
        call, part = undoes
        try:
            connection.execute(insert(undone).values(call=call, part=part, by=by))
        except IntegrityError:
            raise AlreadyUsed(
                "This change was already undone, or is being undone.", "Check the current state."
            ) from None

    @staticmethod
    def save_result(connection: Connection, call: str, result: Any) -> None:
        """Note what the API answered."""
        _END.execute(connection, {"of": call, "answer": json.dumps(result)})

    @staticmethod
    def discard(connection: Connection, call: str) -> None:
        """Drop what a call that changed nothing left here: its entry, and that it undid another."""
        connection.execute(delete(journal).where(journal.c.call == call))
        connection.execute(delete(undone).where(undone.c.by == call))

    def list_entries(self, since: float = 0.0) -> list[UndoEntry]:
        """The entries since a time, newest first."""
        with self._database.read_transaction() as connection:
            parts: dict[str, dict[int, str]] = defaultdict(dict)
            for row in connection.execute(select(undone)):
                parts[row.call][row.part] = row.by
            rows = connection.execute(_ENTRIES.where(journal.c.at >= since).order_by(journal.c.at.desc()))
            return [_entry(row, parts.get(row.call, {})) for row in rows]

    def get(self, call: str) -> UndoEntry | None:
        """The entry of one call."""
        with self._database.transaction() as connection:
            row = connection.execute(_ENTRIES.where(journal.c.call == call)).first()
            parts = {each.part: each.by for each in connection.execute(select(undone).where(undone.c.call == call))}
            return _entry(row, parts) if row is not None else None

    def purge(self, before: float) -> int:
        """Remove what is older than a time. Gives how many were removed."""
        with self._database.transaction(patient=True) as connection:
            acquire_lock(connection, "purge")
            old = select(journal.c.call).where(journal.c.at < before)
            connection.execute(delete(undone).where(undone.c.call.in_(old)))
            return connection.execute(delete(journal).where(journal.c.at < before)).rowcount


def _entry(row: Any, parts: dict[int, str]) -> UndoEntry:
    loaded = {name: json.loads(text) for name in ("arguments", "before", "result") if (text := getattr(row, name))}
    job = {"job": row.job or "", "job_name": row.job_name or ""}
    return UndoEntry(**{**row._asdict(), **loaded, **job, "undone": parts})
