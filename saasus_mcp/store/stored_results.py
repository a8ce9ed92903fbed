"""Whole answers that were too large to show, kept for a day for whoever asked."""

from __future__ import annotations

from itertools import accumulate

from sqlalchemy import func, insert, select

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock, delete_skip_locked
from saasus_mcp.store.database.schema import results
from saasus_mcp.store.records import StoredResult

MAX_RESULTS = 100
MAX_RESULT_BYTES = 64 * 1024 * 1024
"""Of one principal, together; the oldest go first."""
_HEAD = tuple(column for column in results.c if column.name != "sealed")


class StoredResults:
    """The large answers of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kept: StoredResult) -> None:
        """Keep an answer, and forget those whose time is over or that are too many or too large together."""
        with self._database.transaction() as connection:
            acquire_lock(connection, "results", kept.principal)
            delete_skip_locked(connection, results, results.c.expires_at <= kept.at)
            mine = select(results.c.id, func.length(results.c.sealed)).where(results.c.principal == kept.principal)
            rows = connection.execute(mine.order_by(results.c.at.desc())).all()
            together = accumulate((size for _, size in rows), initial=len(kept.sealed))
            next(together)
            too_many = [
                identifier
                for number, ((identifier, _), size) in enumerate(zip(rows, together, strict=True), start=1)
                if number >= MAX_RESULTS or size > MAX_RESULT_BYTES
            ]
            delete_skip_locked(connection, results, results.c.id.in_(too_many))
            connection.execute(insert(results).values(**{name: getattr(kept, name) for name in StoredResult.__slots__}))

    def get(self, identifier: str, principal: str, profile: str, now: float) -> StoredResult | None:
        """The answer with this id, where it is this principal's own, in its own profile, and its time is not over."""
        own = (results.c.id == identifier, results.c.principal == principal, results.c.profile == profile)
        with self._database.transaction() as connection:
            row = connection.execute(select(results).where(*own, results.c.expires_at > now)).first()
            return StoredResult(**row._asdict()) if row is not None else None

    def list_results(self, principal: str, profile: str, now: float) -> list[StoredResult]:
        """The heads of one principal's answers that last, newest first."""
        own = (results.c.principal == principal, results.c.profile == profile, results.c.expires_at > now)
        with self._database.transaction() as connection:
            rows = connection.execute(select(*_HEAD).where(*own).order_by(results.c.at.desc()))
            return [StoredResult(**row._asdict()) for row in rows]
