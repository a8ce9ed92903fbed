"""Sign-in sessions of the console, stored with the tokens, so that every replica can check and end them."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, insert, or_, select, update

from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.store.database.engine import Database, clock_range
from saasus_mcp.store.database.locks import delete_unlocked
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import CLOCK_TOLERANCE
from saasus_mcp.store.tokens import hash_token, session_browsers, session_people, session_uses, sessions, tokens

SESSION_SECONDS = 8 * 3600
MAX_SESSIONS_PER_APPROVER = 20
"""Sessions of one approver at once. A new one ends the oldest one of the same approver."""
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
class Approver:
    """A person who may decide on the profiles of their groups; `is_owner`, the owner of the machine, on all of them."""

    id: str
    groups: frozenset[str] = frozenset()
    is_owner: bool = False
    person: Person = field(default=NOBODY, compare=False)


@dataclass(frozen=True, slots=True)
class VerifiedApprover:
    """An approver who has proved their identity.

    Attributes:
        valid_until: epoch seconds at which the proof expires; no session lasts longer.
        token: the approver token that was used, if any; the session ends with it.
    """

    approver: Approver
    valid_until: float = math.inf
    token: str = ""


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """The session of one browser. Times are epoch seconds.

    Attributes:
        csrf: in every form of the session; empty in the list of a person's sessions.
        id: names the session for people, and signs nobody in.
        browser: the name of the browser; empty if it is unknown.
        used_at: the last request that was saved (`save_use`); 0 if this is not known.
    """

    approver: Approver
    csrf: str
    opened_at: float
    expires_at: float
    id: str = ""
    browser: str = ""
    used_at: float = 0.0

    def is_current(self, now: float) -> bool:
        """Return whether the session has begun and not expired."""
        return self.opened_at - CLOCK_TOLERANCE <= now < self.expires_at


class SessionStore:
    """The sessions by the hash of their cookie. A session that was opened with a token ends with the token."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, verified: VerifiedApprover, now: float, browser: str = "") -> str:
        """Open a session and return the value of its cookie. Delete those that have expired or exceed the person's limit.

        Args:
            browser: the name of the browser, for the list of sessions.
        """
        cookie, approver = secrets.token_urlsafe(32), verified.approver
        hashed, person = hash_token(cookie), approver.person
        values = {
            "hash": hashed,
            "principal": approver.id,
            "groups": json.dumps(sorted(approver.groups)),
            "token": hash_token(verified.token) if verified.token else None,
            "opened_at": now,
            "expires_at": min(now + SESSION_SECONDS, verified.valid_until),
        }
        with self._database.transaction() as connection:
            connection.execute(delete_unlocked(sessions, sessions.c.expires_at <= now))
            connection.execute(insert(sessions).values(**values))
            for details in _DETAILS:
                connection.execute(delete_unlocked(details, details.c.hash.not_in(select(sessions.c.hash))))
            if person.name or person.email:
                names = {"name": person.name, "email": person.email}
                connection.execute(insert(session_people).values(hash=hashed, **names))
            if browser:
                connection.execute(insert(session_browsers).values(hash=hashed, browser=browser))
            connection.execute(insert(session_uses).values(hash=hashed, used_at=now))
            own = sessions.c.principal == approver.id
            newest = select(sessions.c.hash).where(own).order_by(sessions.c.opened_at.desc())
            newest = newest.limit(MAX_SESSIONS_PER_APPROVER)
            connection.execute(delete_unlocked(sessions, own, sessions.c.hash.not_in(newest)))
        return cookie

    def find(self, cookie: str, now: float) -> ConsoleSession | None:
        """Return the session of a cookie, or None if the session or its token has ended.

        One that was opened while a clock was ahead ends for good.
        """
        token_valid = exists().where(
            tokens.c.hash == sessions.c.token, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now
        )
        same = (sessions.c.hash == hash_token(cookie), sessions.c.expires_at > now)
        row = self._database.row(_SELECT.where(*same, or_(sessions.c.token.is_(None), token_valid)))
        session = _session(row, csrf_token(cookie)) if row is not None else None
        if session is None or session.is_current(now):
            return session
        with suppress(StoreError), self._database.transaction() as connection:
            _, later = clock_range(connection, now)
            early = (sessions.c.hash == hash_token(cookie), sessions.c.opened_at > later + CLOCK_TOLERANCE)
            connection.execute(delete(sessions).where(*early))
        return None

    def save_use(self, cookie: str, now: float) -> None:
        """Save the last request of a session, for people. A database that cannot be written must not sign anybody out."""
        hashed = hash_token(cookie)
        with suppress(StoreError), self._database.transaction() as connection:
            found = connection.execute(update(session_uses).where(session_uses.c.hash == hashed).values(used_at=now))
            if not found.rowcount:  # opened by an earlier release
                connection.execute(insert(session_uses).values(hash=hashed, used_at=now))

    def list_own(self, approver: Approver, now: float) -> list[ConsoleSession]:
        """Return the sessions of an approver, newest first."""
        own = (sessions.c.principal == approver.id, *_is_current(now))
        found = self._database.rows(_SELECT.where(*own).order_by(sessions.c.opened_at.desc()))
        return [_session(row) for row in found]

    def close(self, cookie: str) -> None:
        self._database.change(delete(sessions).where(sessions.c.hash == hash_token(cookie)))

    def close_one(self, approver: Approver, identifier: str) -> bool:
        """End the session of an approver with this id. False if it does not exist."""
        same = (sessions.c.principal == approver.id, func.substr(sessions.c.hash, 1, ID_LENGTH) == identifier)
        return self._database.change(delete(sessions).where(*same)) > 0

    def close_all(self, approver: Approver) -> int:
        """End every session of an approver, and return their number."""
        return self._database.change(delete(sessions).where(sessions.c.principal == approver.id))


def csrf_token(cookie: str) -> str:
    """Return the CSRF token of a session: it cannot be made without the cookie, and does not reveal it."""
    return hmac.new(cookie.encode(), b"csrf", hashlib.sha256).hexdigest()


def _is_current(now: float) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of `ConsoleSession.is_current`."""
    return sessions.c.opened_at <= now + CLOCK_TOLERANCE, sessions.c.expires_at > now


def _session(row: Any, csrf: str = "") -> ConsoleSession:
    person = Person(row.name or "", row.email or "")
    approver = Approver(row.principal, frozenset(json.loads(row.groups)), person=person)
    identifier, browser, used_at = row.hash[:ID_LENGTH], row.browser or "", row.used_at or 0.0
    return ConsoleSession(approver, csrf, row.opened_at, row.expires_at, identifier, browser, used_at)
