"""Sign-in sessions of the console, stored with the tokens, so that every replica can check and end them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, update

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import delete_unlocked
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.tokens import hash_token, session_browsers, session_people, session_uses, sessions, tokens

ID_LENGTH = 12
"""Characters of the hash that name a session. They are too few to be the hash, and say nothing about the cookie."""

_DETAILS = (session_people, session_browsers, session_uses)
_SELECT = select(
    sessions, session_people.c.name, session_people.c.email, session_browsers.c.browser, session_uses.c.used_at
).select_from(
    sessions.outerjoin(session_people, session_people.c.hash == sessions.c.hash)
    .outerjoin(session_browsers, session_browsers.c.hash == sessions.c.hash)
    .outerjoin(session_uses, session_uses.c.hash == sessions.c.hash)
)


@dataclass(frozen=True, slots=True)
class ConsoleSessionRecord:
    """One signed-in browser. Times are epoch seconds. `id` names it for people, and signs nobody in.

    Attributes:
        used_at: its last request that was saved; 0 if this is not known.
    """

    principal: str
    groups: frozenset[str]
    opened_at: float
    expires_at: float
    id: str = ""
    name: str = ""
    email: str = ""
    browser: str = ""
    used_at: float = 0.0


class SessionStore:
    """The sessions by the hash of their cookie. A session that was opened with a token ends with the token."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, cookie: str, session: ConsoleSessionRecord, token: str = "", *, most: int) -> None:
        """Store a new session, and delete those that have expired or exceed the person's limit.

        Args:
            token: the token with which the session was opened.
            most: maximum number of sessions of one person. The oldest sessions end first.
        """
        values = {
            "hash": hash_token(cookie),
            "principal": session.principal,
            "groups": json.dumps(sorted(session.groups)),
            "token": hash_token(token) if token else None,
            "opened_at": session.opened_at,
            "expires_at": session.expires_at,
        }
        with self._database.transaction() as connection:
            connection.execute(delete_unlocked(sessions, sessions.c.expires_at <= session.opened_at))
            connection.execute(insert(sessions).values(**values))
            for details in _DETAILS:
                connection.execute(delete_unlocked(details, details.c.hash.not_in(select(sessions.c.hash))))
            if session.name or session.email:
                person = {"hash": values["hash"], "name": session.name, "email": session.email}
                connection.execute(insert(session_people).values(**person))
            if session.browser:
                browser = {"hash": values["hash"], "browser": session.browser}
                connection.execute(insert(session_browsers).values(**browser))
            connection.execute(insert(session_uses).values(hash=values["hash"], used_at=session.opened_at))
            own = sessions.c.principal == session.principal
            newest = select(sessions.c.hash).where(own).order_by(sessions.c.opened_at.desc()).limit(most)
            connection.execute(delete_unlocked(sessions, own, sessions.c.hash.not_in(newest)))

    def get(self, cookie: str, now: float) -> ConsoleSessionRecord | None:
        """Return the session of a cookie, or None if the session or its token has ended."""
        token_valid = exists().where(
            tokens.c.hash == sessions.c.token, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now
        )
        same = (sessions.c.hash == hash_token(cookie), sessions.c.expires_at > now)
        row = self._database.row(_SELECT.where(*same, or_(sessions.c.token.is_(None), token_valid)))
        return _record(row) if row is not None else None

    def save_use(self, cookie: str, now: float) -> None:
        """Save the last request of a session, for people. A database that cannot be written must not sign anybody out."""
        hashed = hash_token(cookie)
        with suppress(StoreError), self._database.transaction() as connection:
            found = connection.execute(update(session_uses).where(session_uses.c.hash == hashed).values(used_at=now))
            if not found.rowcount:  # opened by an earlier release
                connection.execute(insert(session_uses).values(hash=hashed, used_at=now))

    def list_sessions(self, principal: str, now: float) -> list[ConsoleSessionRecord]:
        """Return the sessions of a person, newest first."""
        own = (sessions.c.principal == principal, sessions.c.expires_at > now)
        return [_record(row) for row in self._database.rows(_SELECT.where(*own).order_by(sessions.c.opened_at.desc()))]

    def delete(self, cookie: str) -> None:
        """End one session."""
        self._database.change(delete(sessions).where(sessions.c.hash == hash_token(cookie)))

    def delete_one(self, principal: str, identifier: str) -> bool:
        """End the session of a person with this id. False if it does not exist."""
        same = (sessions.c.principal == principal, func.substr(sessions.c.hash, 1, ID_LENGTH) == identifier)
        return self._database.change(delete(sessions).where(*same)) > 0

    def delete_all(self, principal: str) -> int:
        """End every session of a person, and return their number."""
        return self._database.change(delete(sessions).where(sessions.c.principal == principal))


def _record(row: Any) -> ConsoleSessionRecord:
    return ConsoleSessionRecord(
        row.principal,
        frozenset(json.loads(row.groups)),
        row.opened_at,
        row.expires_at,
        row.hash[:ID_LENGTH],
        row.name or "",
        row.email or "",
        row.browser or "",
        row.used_at or 0.0,
    )
