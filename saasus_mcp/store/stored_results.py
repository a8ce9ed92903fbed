"""Stored results: large answers in full, for a day, for the principal who asked."""

from __future__ import annotations

from itertools import accumulate

from sqlalchemy import bindparam, func, select

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock, delete_unlocked
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import results
from saasus_mcp.store.records import StoredResult

MAX_RESULTS = 100
MAX_RESULT_BYTES = 64 * 1024 * 1024
"""Of one principal. The oldest results are deleted first."""
_SUMMARY = tuple(column for column in results.c if column.name != "sealed")
DELETE_EXPIRED = PreparedStatement(delete_unlocked(results, results.c.expires_at <= bindparam("at")))
_DELETE = PreparedStatement(delete_unlocked(results, results.c.id == bindparam("excess")))
SIZES = PreparedStatement(
    select(results.c.id, func.length(results.c.sealed))
    .where(results.c.principal == bindparam("principal"))
    .order_by(results.c.at.desc())
)
_INSERT = PreparedStatement.insert_into(results, *StoredResult.__slots__)


class StoredResults:
    """The stored results of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, result: StoredResult) -> None:
        """Store a result, and delete those that have expired or exceed the limits."""
        with self._database.transaction() as connection:
            acquire_lock(connection, "results", result.principal)
            DELETE_EXPIRED.run(connection, {"at": result.at})
            rows = SIZES.fetch(connection, {"principal": result.principal})
            sizes = accumulate((size for _, size in rows), initial=len(result.sealed))
            next(sizes)
            for number, ((identifier, _), size) in enumerate(zip(rows, sizes, strict=True), start=1):
                if number >= MAX_RESULTS or size > MAX_RESULT_BYTES:
                    _DELETE.run(connection, {"excess": identifier})
            _INSERT.run(connection, {name: getattr(result, name) for name in StoredResult.__slots__})

    def get(self, identifier: str, principal: str, profile: str, now: float) -> StoredResult | None:
        """Return an unexpired result of this principal in this profile."""
        own = (results.c.id == identifier, results.c.principal == principal, results.c.profile == profile)
        row = self._database.row(select(results).where(*own, results.c.expires_at > now))
        return StoredResult(**row._asdict()) if row is not None else None

    def list_results(self, principal: str, profile: str, now: float) -> list[StoredResult]:
        """Return a principal's unexpired results without their content, newest first."""
        own = (results.c.principal == principal, results.c.profile == profile, results.c.expires_at > now)
        rows = self._database.rows(select(*_SUMMARY).where(*own).order_by(results.c.at.desc()))
        return [StoredResult(**row._asdict()) for row in rows]
