"""Whole answers that were too large to show, kept for a day for whoever asked."""

from __future__ import annotations

from itertools import accumulate

from sqlalchemy import func, insert, select

from saasus_mcp.store.database import Database
from saasus_mcp.store.locks import forget, hold
from saasus_mcp.store.records import Kept
from saasus_mcp.store.tables import results

MOST_KEPT = 100
MOST_BYTES = 64 * 1024 * 1024
"""Of one principal, together; the oldest go first."""
_HEAD = tuple(column for column in results.c if column.name != "sealed")


class KeptResults:
    """The large answers of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, kept: Kept) -> None:
        """Keep an answer, and forget those whose time is over or that are too many or too large together."""
        with self._database.transaction() as connection:
            hold(connection, "results", kept.principal)
            forget(connection, results, results.c.expires_at <= kept.at)
            mine = select(results.c.id, func.length(results.c.sealed)).where(results.c.principal == kept.principal)
            rows = connection.execute(mine.order_by(results.c.at.desc())).all()
            together = accumulate((size for _, size in rows), initial=len(kept.sealed))
            next(together)
            too_many = [
                identifier
                for number, ((identifier, _), size) in enumerate(zip(rows, together, strict=True), start=1)
                if number >= MOST_KEPT or size > MOST_BYTES
            ]
            forget(connection, results, results.c.id.in_(too_many))
            connection.execute(insert(results).values(**{name: getattr(kept, name) for name in Kept.__slots__}))

    def find(self, identifier: str, principal: str, profile: str, now: float) -> Kept | None:
        """The answer with this id, where it is this principal's own, in its own profile, and its time is not over."""
        own = (results.c.id == identifier, results.c.principal == principal, results.c.profile == profile)
        with self._database.transaction() as connection:
            row = connection.execute(select(results).where(*own, results.c.expires_at > now)).first()
            return Kept(**row._asdict()) if row is not None else None

    def of(self, principal: str, profile: str, now: float) -> list[Kept]:
        """The heads of one principal's answers that last, newest first."""
        own = (results.c.principal == principal, results.c.profile == profile, results.c.expires_at > now)
        with self._database.transaction() as connection:
            rows = connection.execute(select(*_HEAD).where(*own).order_by(results.c.at.desc()))
            return [Kept(**row._asdict()) for row in rows]
