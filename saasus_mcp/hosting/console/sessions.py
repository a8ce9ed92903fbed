"""Who is signed in to the console. The cookie is a random value; what it stands for stays on the server and can be ended."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

LIFETIME = 8 * 3600
TICKET_LIFETIME = 5 * 60
MOST_OPEN = 1_000


@dataclass(frozen=True, slots=True)
class Approver:
    """A person who may decide. `groups` say on which profiles; `everywhere` is the owner of the machine."""

    id: str
    groups: frozenset[str] = frozenset()
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. `csrf` stands in every form; `expires_at` is in epoch seconds."""

    approver: Approver
    csrf: str
    expires_at: float


class Sessions(Protocol):
    """Where sessions are kept."""

    def open(self, approver: Approver, now: float) -> str:
        """Sign someone in; gives the cookie's value."""
        ...

    def find(self, cookie: str, now: float) -> Session | None:
        """The session of a cookie, while it lasts."""
        ...

    def close(self, cookie: str) -> None:
        """Sign out."""
        ...


class LocalSessions:
    """Sessions of one process, which end with it."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def open(self, approver: Approver, now: float) -> str:
        self._open = {name: session for name, session in self._open.items() if session.expires_at > now}
        if len(self._open) >= MOST_OPEN:
            self._open.pop(next(iter(self._open)))
        cookie = secrets.token_urlsafe(32)
        self._open[fingerprint(cookie)] = Session(approver, secrets.token_urlsafe(32), now + LIFETIME)
        return cookie

    def find(self, cookie: str, now: float) -> Session | None:
        session = self._open.get(fingerprint(cookie))
        return session if session is not None and session.expires_at > now else None

    def close(self, cookie: str) -> None:
        self._open.pop(fingerprint(cookie), None)


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

    def use(self, ticket: str) -> Approver | None:
        """Whom the ticket signs in; None where it was used, is unknown, or its time is over."""
        until, approver = self._issued.pop(fingerprint(ticket), (0.0, None))
        return approver if until > self._clock() else None


def fingerprint(secret: str) -> str:
    """What is kept of a cookie or a ticket: random values of 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
