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

LIFETIME = 8 * 3600
TICKET_LIFETIME = 5 * 60
MOST_OF_ONE = 20
"""Sessions of one person at once; the oldest ends for a new one, and nobody else's."""


@dataclass(frozen=True, slots=True)
class Approver:
    """A person who may decide. `groups` say on which profiles; `everywhere` is the owner of the machine."""

    id: str
    groups: frozenset[str] = frozenset()
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """Someone who proved who they are.

    Attributes:
        until: epoch seconds when what they proved it with ends; no session lasts longer.
        token: the approver token that they showed; with it, the session ends.
    """

    approver: Approver
    until: float = math.inf
    token: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. `csrf` stands in every form; times are epoch seconds."""

    approver: Approver
    csrf: str
    opened_at: float
    expires_at: float


class Sessions(Protocol):
    """Where sessions are kept."""

    def open(self, admitted: Admitted, now: float) -> str:
        """Sign someone in; gives the cookie's value."""
        ...

    def find(self, cookie: str, now: float) -> Session | None:
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
        self._open: dict[str, Session] = {}

    def open(self, admitted: Admitted, now: float) -> str:
        self._open = {name: session for name, session in self._open.items() if session.expires_at > now}
        theirs = [name for name, session in self._open.items() if session.approver.id == admitted.approver.id]
        if len(theirs) >= MOST_OF_ONE:
            del self._open[theirs[0]]
        cookie = secrets.token_urlsafe(32)
        until = min(now + LIFETIME, admitted.until)
        self._open[fingerprint(cookie)] = Session(admitted.approver, _csrf(cookie), now, until)
        return cookie

    def find(self, cookie: str, now: float) -> Session | None:
        session = self._open.get(fingerprint(cookie))
        return session if session is not None and session.expires_at > now else None

    def close(self, cookie: str) -> None:
        self._open.pop(fingerprint(cookie), None)

    def close_all(self, approver: Approver) -> None:
        self._open = {name: session for name, session in self._open.items() if session.approver.id != approver.id}


class SharedSessions:
    """Sessions that every replica knows, and that `saasus-mcp token` can end."""

    def __init__(self, kept: kept.Sessions) -> None:
        self._kept = kept

    def open(self, admitted: Admitted, now: float) -> str:
        from saasus_mcp.store.sessions import Signed  # noqa: PLC0415 - imports the database library

        cookie, approver = secrets.token_urlsafe(32), admitted.approver
        until = min(now + LIFETIME, admitted.until)
        self._kept.open(cookie, Signed(approver.id, approver.groups, now, until), admitted.token, most=MOST_OF_ONE)
        return cookie

    def find(self, cookie: str, now: float) -> Session | None:
        signed = self._kept.find(cookie, now)
        if signed is None:
            return None
        return Session(Approver(signed.principal, signed.groups), _csrf(cookie), signed.opened_at, signed.expires_at)

    def close(self, cookie: str) -> None:
        self._kept.close(cookie)

    def close_all(self, approver: Approver) -> None:
        self._kept.close_all(approver.id)


class Tickets:
    """One-time links for the owner of the machine, printed where only they look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._issued: dict[str, tuple[float, Approver]] = {}

    def issue(self, approver: Approver) -> str:
        """A ticket that signs this person in once, within five minutes."""
        ticket = secrets.token_urlsafe(32)
        self._issued[fingerprint(ticket)] = (self._clock() + TICKET_LIFETIME, approver)
        return ticket

    def good(self, ticket: str) -> bool:
        """Whether it would sign someone in."""
        until, _ = self._issued.get(fingerprint(ticket), (0.0, None))
        return until > self._clock()

    def use(self, ticket: str) -> Approver | None:
        """Whom the ticket signs in; None where it was used, is unknown, or its time is over."""
        until, approver = self._issued.pop(fingerprint(ticket), (0.0, None))
        return approver if until > self._clock() else None


def fingerprint(secret: str) -> str:
    """What is kept of a cookie or a ticket: random values of 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _csrf(cookie: str) -> str:
    """What every form of a session carries: nobody who lacks the cookie can make it, and it tells nothing of the cookie."""
    return hmac.new(cookie.encode(), b"csrf", hashlib.sha256).hexdigest()
