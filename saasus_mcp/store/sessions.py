"""Sign-in sessions of the console, stored with the tokens, so that every replica can check and end them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import delete, exists, insert, or_, select

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import delete_skip_locked
from saasus_mcp.store.tokens import hash_token, sessions, tokens


@dataclass(frozen=True, slots=True)
class ConsoleSessionRecord:
    """One signed-in browser. Times are epoch seconds."""

    principal: str
    groups: frozenset[str]
    opened_at: float
    expires_at: float


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
            delete_skip_locked(connection, sessions, sessions.c.expires_at <= session.opened_at)
            connection.execute(insert(sessions).values(**values))
            own = sessions.c.principal == session.principal
            newest = select(sessions.c.hash).where(own).order_by(sessions.c.opened_at.desc()).limit(most)
            delete_skip_locked(connection, sessions, own, sessions.c.hash.not_in(newest))

    def get(self, cookie: str, now: float) -> ConsoleSessionRecord | None:
        """Return the session of a cookie, or None if the session or its token has ended."""
        token_valid = exists().where(
            tokens.c.hash == sessions.c.token, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now
        )
        same = (sessions.c.hash == hash_token(cookie), sessions.c.expires_at > now)
        with self._database.read_transaction(long_running=False) as connection:
            query = select(sessions).where(*same, or_(sessions.c.token.is_(None), token_valid))
            row = connection.execute(query).first()
        if row is None:
            return None
        return ConsoleSessionRecord(row.principal, frozenset(json.loads(row.groups)), row.opened_at, row.expires_at)

    def delete(self, cookie: str) -> None:
        """End one session."""
        with self._database.transaction() as connection:
            connection.execute(delete(sessions).where(sessions.c.hash == hash_token(cookie)))

    def delete_all(self, principal: str) -> int:
        """End every session of a person, and return their number."""
        with self._database.transaction() as connection:
            return connection.execute(delete(sessions).where(sessions.c.principal == principal)).rowcount
