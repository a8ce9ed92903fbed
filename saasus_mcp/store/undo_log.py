"""The undo log: the state before each call that changed something."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import change_names, job_steps, jobs, journal, undone
from saasus_mcp.store.errors import AlreadyUsed
from saasus_mcp.store.records import UndoEntry

_INSERT = PreparedStatement.insert_into(
    journal, "call", "at", "operation", "principal", "profile", "arguments", "before"
)
_INSERT_NAMES = PreparedStatement.insert_into(change_names, "call", "target", "names")
_SAVE_RESULT = PreparedStatement(
    update(journal).where(journal.c.call == bindparam("of")).values(result=bindparam("answer"))
)

_ENTRIES = select(
    journal, change_names.c.target, change_names.c.names, job_steps.c.job, jobs.c.name.label("job_name")
).select_from(
    journal.outerjoin(change_names, change_names.c.call == journal.c.call)
    .outerjoin(job_steps, job_steps.c.call == journal.c.call)
    .outerjoin(jobs, jobs.c.id == job_steps.c.job)
)
"""The job of a call is known until the job is deleted."""


class UndoLog:
    """The undo log of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def add(connection: Connection, entry: UndoEntry) -> None:
        """Store an entry, in the transaction that lets the call be sent."""
        values = {name: getattr(entry, name) for name in ("call", "at", "operation", "principal", "profile")}
        texts = {"arguments": json.dumps(entry.arguments), "before": json.dumps(entry.before)}
        _INSERT.run(connection, values | texts)
        if entry.target or entry.names:
            names = {"call": entry.call, "target": entry.target, "names": json.dumps(entry.names)}
            _INSERT_NAMES.run(connection, names)

    @staticmethod
    def claim_undo(connection: Connection, undoes: tuple[str, int], by: str) -> None:
        """Claim an entry for undoing, in the transaction that lets the call be sent. Only one of two concurrent claims succeeds.

        Raises:
            AlreadyUsed: the call was undone before, or is being undone.
        """
        call, part = undoes
        try:
            connection.execute(insert(undone).values(call=call, part=part, by=by))
        except IntegrityError:
            raise AlreadyUsed.of("store.already_undone") from None

    @staticmethod
    def save_result(connection: Connection, call: str, result: Any) -> None:
        """Save the API's answer."""
        _SAVE_RESULT.run(connection, {"of": call, "answer": json.dumps(result)})

    @staticmethod
    def discard(connection: Connection, call: str) -> None:
        """Delete the entry and the claim of a call that changed nothing."""
        connection.execute(delete(journal).where(journal.c.call == call))
        connection.execute(delete(change_names).where(change_names.c.call == call))
        connection.execute(delete(undone).where(undone.c.by == call))

    def list_entries(self, since: float = 0.0) -> list[UndoEntry]:
        """Return the entries since a time, newest first."""
        with self._database.read_transaction() as connection:
            parts: dict[str, dict[int, str]] = defaultdict(dict)
            for row in connection.execute(select(undone)):
                parts[row.call][row.part] = row.by
            rows = connection.execute(_ENTRIES.where(journal.c.at >= since).order_by(journal.c.at.desc()))
            return [_entry(row, parts.get(row.call, {})) for row in rows]

    def get(self, call: str) -> UndoEntry | None:
        with self._database.read_transaction(long_running=False) as connection:
            row = connection.execute(_ENTRIES.where(journal.c.call == call)).first()
            parts = {claim.part: claim.by for claim in connection.execute(select(undone).where(undone.c.call == call))}
            return _entry(row, parts) if row is not None else None

    def purge(self, before: float) -> int:
        """Delete entries older than a time, and return their number."""
        with self._database.transaction(long_running=True) as connection:
            acquire_lock(connection, "purge")
            old = select(journal.c.call).where(journal.c.at < before)
            for table in (undone, change_names):
                connection.execute(delete(table).where(table.c.call.in_(old)))
            return connection.execute(delete(journal).where(journal.c.at < before)).rowcount


def _entry(row: Any, parts: dict[int, str]) -> UndoEntry:
    loaded = {name: json.loads(text) for name in ("arguments", "before", "result") if (text := getattr(row, name))}
    joined = {name: getattr(row, name) or "" for name in ("target", "job", "job_name")}
    return UndoEntry(**{**row._asdict(), **loaded, **joined, "names": json.loads(row.names or "{}"), "undone": parts})
