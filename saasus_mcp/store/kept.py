"""Whole answers that were too large to show, kept for a day for whoever asked."""

from __future__ import annotations

from sqlalchemy import insert, select

from saasus_mcp.store.database import Database
from saasus_mcp.store.locks import forget
from saasus_mcp.store.records import Kept
from saasus_mcp.store.tables import results

MOST_KEPT = 100
"""Of one principal; the oldest go first."""


class KeptResults:
    """The large answers of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, kept: Kept) -> None:
        """Keep an answer, and forget those whose time is over or that are too many."""
        with self._database.transaction() as connection:
            forget(connection, results, results.c.expires_at <= kept.at)
            mine = select(results.c.id).where(results.c.principal == kept.principal).order_by(results.c.at.desc())
            too_many = connection.execute(mine.offset(MOST_KEPT - 1)).scalars().all()
            forget(connection, results, results.c.id.in_(too_many))
            connection.execute(insert(results).values(**{name: getattr(kept, name) for name in Kept.__slots__}))

    def find(self, identifier: str, principal: str, profile: str, now: float) -> Kept | None:
        """The answer with this id, where it is this principal's own, in its own profile, and its time is not over."""
        own = (results.c.id == identifier, results.c.principal == principal, results.c.profile == profile)
        with self._database.transaction() as connection:
            row = connection.execute(select(results).where(*own, results.c.expires_at > now)).first()
            return Kept(**row._asdict()) if row is not None else None

    def of(self, principal: str, profile: str, now: float) -> list[Kept]:
        """The answers of one principal that last, newest first."""
        own = (results.c.principal == principal, results.c.profile == profile, results.c.expires_at > now)
        with self._database.transaction() as connection:
            rows = connection.execute(select(results).where(*own).order_by(results.c.at.desc()))
            return [Kept(**row._asdict()) for row in rows]
