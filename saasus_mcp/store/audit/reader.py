"""Reading the audit log: for people, for outcomes of calls, and for export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select, tuple_

from saasus_mcp.store.audit.excerpts import decode_record, decode_text
from saasus_mcp.store.audit.hash_chain import ChainHead, ChainRecord
from saasus_mcp.store.audit.purge import read_purge_marks
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.schema import audit

BATCH_SIZE = 1_000
"""Records that are read at once."""
_POSITION = (audit.c.at, audit.c.writer, audit.c.number)
"""The order of records for people. All three columns are in each record's MAC."""


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """The position of a record in the order for people."""

    at: float
    writer: str
    number: int


class AuditReader:
    """Reads the audit log of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def iterate_records(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield every record since a time, oldest first, with a batch in memory at a time."""
        with self._database.read_transaction() as connection:
            query = select(audit).where(audit.c.at >= since).order_by(*_POSITION)
            for row in connection.execute(query, execution_options={"yield_per": BATCH_SIZE}):
                yield decode_record(row)

    def list_records(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Return every record since a time, oldest first."""
        return list(self.iterate_records(since))

    def newest_records(
        self, most: int, before: RecordPosition | None = None
    ) -> list[tuple[RecordPosition, dict[str, Any]]]:
        """Return the newest records with their positions, newest first, optionally those before a position."""
        query = select(audit).order_by(*(column.desc() for column in _POSITION)).limit(most)
        if before is not None:
            query = query.where(tuple_(*_POSITION) < tuple_(before.at, before.writer, before.number))
        with self._database.read_transaction() as connection:
            rows = connection.execute(query)
            return [(RecordPosition(row.at, row.writer, row.number), decode_record(row)) for row in rows]

    def find_ends(self, calls: Sequence[str], since: float, seconds: float) -> dict[str, dict[str, Any]]:
        """Return the `ended` records of calls by call, looked for within so many seconds from a time."""
        ended = (audit.c.event == "ended", audit.c.at >= since, audit.c.at <= since + seconds, audit.c.call.in_(calls))
        with self._database.read_transaction() as connection:
            return {row.call: decode_record(row) for row in connection.execute(select(audit).where(*ended))}

    def find_proof_use(self, proof: str, since: float) -> dict[str, Any] | None:
        """Return the `begun` record of the call that used up a proof, looked for from a time on."""
        contains = audit.c.record.contains(json.dumps(proof), autoescape=True)
        query = select(audit).where(audit.c.event == "begun", audit.c.at >= since, contains)
        with self._database.read_transaction() as connection:
            found = (decode_record(row) for row in connection.execute(query))
            return next((record for record in found if record.get("proof_id") == proof), None)

    def find_actions(self, call: str, since: float) -> list[dict[str, Any]]:
        """Return the records of what people did with a call from a time on, oldest first."""
        contains = audit.c.record.contains(json.dumps(call), autoescape=True)
        query = select(audit).where(audit.c.event == "decided", audit.c.at >= since, contains).order_by(*_POSITION)
        with self._database.read_transaction() as connection:
            found = [decode_record(row) for row in connection.execute(query)]
        return [record for record in found if record.get("from_call") == call]

    def newest_applied(self, operation: str, most: int) -> list[dict[str, Any]]:
        """Return the `begun` records of the newest calls of an operation that changed something, newest first.

        Args:
            most: the number of calls that are looked at.
        """
        ended = audit.alias()
        query = (
            select(audit, ended.c.record.label("ending"))
            .join(ended, and_(ended.c.call == audit.c.call, ended.c.event == "ended"))
            .where(audit.c.event == "begun", audit.c.record.contains(json.dumps(operation), autoescape=True))
            .order_by(*(column.desc() for column in _POSITION))
            .limit(most)
        )
        with self._database.read_transaction() as connection:
            rows = [(decode_record(row), decode_text(row.ending)) for row in connection.execute(query)]
        return [
            record
            for record, ending in rows
            if record.get("operation") == operation and (ending or {}).get("applied") == "applied"
        ]

    def count_records(self) -> int:
        """Return the number of records."""
        with self._database.read_transaction() as connection:
            return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())

    def chain_heads(self) -> list[ChainHead]:
        """Return the head of every chain, for export to another machine. A purged record can be a head."""
        last = select(audit.c.writer, func.max(audit.c.number).label("number")).group_by(audit.c.writer).subquery()
        of_last = and_(audit.c.writer == last.c.writer, audit.c.number == last.c.number)
        query = select(audit.c.writer, audit.c.number, audit.c.mac).select_from(audit.join(last, of_last))
        with self._database.read_transaction() as connection:
            marks = read_purge_marks(connection)
            heads = {mark.writer: ChainHead(mark.writer, mark.number, mark.mac) for mark in marks}
            heads |= {row.writer: ChainHead(*row) for row in connection.execute(query)}
        return list(heads.values())


def read_chain_records(connection: Connection) -> Iterator[ChainRecord]:
    """Yield all records by writer and number, with a batch in memory at a time."""
    query = select(audit).order_by(audit.c.writer, audit.c.number)
    for row in connection.execute(query, execution_options={"yield_per": BATCH_SIZE}):
        values = {name: getattr(row, name) for name in ChainRecord._fields}
        if not isinstance(values["number"], int):  # SQLite stores any type in any column
            values["number"] = 0
        yield ChainRecord(**values)
