"""Who is signed in to the console. The cookie is a random value; what it stands for stays on the server and can be ended."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from saasus_mcp.store import sessions as kept

SESSION_SECONDS = 8 * 3600
LINK_SECONDS = 5 * 60
MAX_SESSIONS_PER_APPROVER = 20
"""Sessions of one person at once; the oldest ends for a new one, and nobody else's."""


@dataclass(frozen=True, slots=True)
class Approver:
    """A person who may decide. `groups` say on which profiles; `everywhere` is the owner of the machine."""

    id: str
    groups: frozenset[str] = frozenset()
    is_owner: bool = False


@dataclass(frozen=True, slots=True)
class VerifiedApprover:
    """Someone who proved who they are.

    Attributes:
        until: epoch seconds when what they proved it with ends; no session lasts longer.
        token: the approver token that they showed; with it, the session ends.
    """

    approver: Approver
    valid_until: float = math.inf
    token: str = ""


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """One signed-in browser. `csrf` stands in every form; times are epoch seconds."""

    approver: Approver
    csrf: str
    opened_at: float
    expires_at: float


class ConsoleSessions(Protocol):
    """Where sessions are kept."""

    def open(self, admitted: VerifiedApprover, now: float) -> str:
        """Sign someone in; gives the cookie's value."""
        ...

    def find(self, cookie: str, now: float) -> ConsoleSession | None:
        """The session of a cookie, while it lasts."""
        ...

    def close(self, cookie: str) -> None:
        """Sign out."""
        ...

    def close_all(self, approver: Approver) -> None:
        """Sign someone out in every browser."""
        ...


class LocalSessions:
    """Sessions of one process, which end with it."""

    def __init__(self) -> None:
        self._open: dict[str, ConsoleSession] = {}

    def open(self, admitted: VerifiedApprover, now: float) -> str:
        self._open = {name: session for name, session in self._open.items() if session.expires_at > now}
        theirs = [name for name, session in self._open.items() if session.approver.id == admitted.approver.id]
        if len(theirs) >= MAX_SESSIONS_PER_APPROVER:
            del self._open[theirs[0]]
        cookie = secrets.token_urlsafe(32)
        until = min(now + SESSION_SECONDS, admitted.valid_until)
        self._open[hash_secret(cookie)] = ConsoleSession(admitted.approver, _csrf(cookie), now, until)
        return cookie

    def find(self, cookie: str, now: float) -> ConsoleSession | None:
        session = self._open.get(hash_secret(cookie))
        return session if session is not None and session.expires_at > now else None

    def close(self, cookie: str) -> None:
        self._open.pop(hash_secret(cookie), None)

    def close_all(self, approver: Approver) -> None:
        self._open = {name: session for name, session in self._open.items() if session.approver.id != approver.id}


class StoredSessions:
    """Sessions that every replica knows, and that `saasus-mcp token` can end."""

    def __init__(self, kept: kept.SessionStore) -> None:
        self._kept = kept

    def open(self, admitted: VerifiedApprover, now: float) -> str:
        from saasus_mcp.store.sessions import ConsoleSessionRecord  # noqa: PLC0415 - imports the database library

        cookie, approver = secrets.token_urlsafe(32), admitted.approver
        until = min(now + SESSION_SECONDS, admitted.valid_until)
        self._kept.create(
            cookie,
            ConsoleSessionRecord(approver.id, approver.groups, now, until),
            admitted.token,
            most=MAX_SESSIONS_PER_APPROVER,
        )
        return cookie

    def find(self, cookie: str, now: float) -> ConsoleSession | None:
        signed = self._kept.get(cookie, now)
        if signed is None:
            return None
        return ConsoleSession(
            Approver(signed.principal, signed.groups), _csrf(cookie), signed.opened_at, signed.expires_at
        )

    def close(self, cookie: str) -> None:
        self._kept.delete(cookie)

    def close_all(self, approver: Approver) -> None:
        self._kept.delete_all(approver.id)


class OneTimeLinks:
    """One-time links for the owner of the machine, printed where only they look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._issued: dict[str, tuple[float, Approver]] = {}

    def issue(self, approver: Approver) -> str:
        """A ticket that signs this person in once, within five minutes."""
        ticket = secrets.token_urlsafe(32)
        self._issued[hash_secret(ticket)] = (self._clock() + LINK_SECONDS, approver)
        return ticket

    def is_valid(self, ticket: str) -> bool:
        """Whether it would sign someone in."""
        until, _ = self._issued.get(hash_secret(ticket), (0.0, None))
        return until > self._clock()

    def redeem(self, ticket: str) -> Approver | None:
        """Whom the ticket signs in; None where it was used, is unknown, or its time is over."""
        until, approver = self._issued.pop(hash_secret(ticket), (0.0, None))
        return approver if until > self._clock() else None


def hash_secret(secret: str) -> str:
    """What is kept of a cookie or a ticket: random values of 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _csrf(cookie: str) -> str:
    """What every form of a session carries: nobody who lacks the cookie can make it, and it tells nothing of the cookie."""
    return hmac.new(cookie.encode(), b"csrf", hashlib.sha256).hexdigest()
