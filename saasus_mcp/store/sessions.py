"""Who is signed in to the console of a hosted server: kept with the tokens, so that every replica knows and can end it."""

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
    """The sessions, each known by the hash of its cookie. One that a token opened ends with the token."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, cookie: str, signed: ConsoleSessionRecord, token: str = "", *, most: int) -> None:
        """Keep a new session, and forget those whose time is over or that are too many of one person.

        Args:
            token: the one that opened it, where one did.
            most: sessions of one person; the oldest end for a new one.
        """
        values = {
            "hash": hash_token(cookie),
            "principal": signed.principal,
            "groups": json.dumps(sorted(signed.groups)),
            "token": hash_token(token) if token else None,
            "opened_at": signed.opened_at,
            "expires_at": signed.expires_at,
        }
        with self._database.transaction() as connection:
            delete_skip_locked(connection, sessions, sessions.c.expires_at <= signed.opened_at)
            connection.execute(insert(sessions).values(**values))
            theirs = sessions.c.principal == signed.principal
            newest = select(sessions.c.hash).where(theirs).order_by(sessions.c.opened_at.desc()).limit(most)
            delete_skip_locked(connection, sessions, theirs, sessions.c.hash.not_in(newest))

    def get(self, cookie: str, now: float) -> ConsoleSessionRecord | None:
        """Who is signed in with this cookie; nobody where it has ended, or the token that opened it has."""
        token_lives = exists().where(
            tokens.c.hash == sessions.c.token, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now
        )
        mine = (sessions.c.hash == hash_token(cookie), sessions.c.expires_at > now)
        with self._database.read_transaction(patient=False) as connection:
            query = select(sessions).where(*mine, or_(sessions.c.token.is_(None), token_lives))
            row = connection.execute(query).first()
        if row is None:
            return None
        return ConsoleSessionRecord(row.principal, frozenset(json.loads(row.groups)), row.opened_at, row.expires_at)

    def delete(self, cookie: str) -> None:
        """End one session."""
        with self._database.transaction() as connection:
            connection.execute(delete(sessions).where(sessions.c.hash == hash_token(cookie)))

    def delete_all(self, principal: str) -> int:
        """End every session of someone; how many there were."""
        with self._database.transaction() as connection:
            return connection.execute(delete(sessions).where(sessions.c.principal == principal)).rowcount
