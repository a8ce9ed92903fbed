"""Sessions of the console, one-time sign-in links, and the throttle of guesses.

A session cookie is a random value. Its data stays on the server, where the session can be ended.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from saasus_mcp.store.signin_sessions import (
    ID_LENGTH,
    MAX_SESSIONS_PER_APPROVER,
    SESSION_SECONDS,
    Approver,
    ConsoleSession,
    SessionStore,
    VerifiedApprover,
    csrf_token,
)

LINK_SECONDS = 5 * 60
USE_RESOLUTION_SECONDS = 600.0
"""The last request of a session is saved at most this often, so that most pages need no write."""
MAX_FAILURES = 10
WINDOW_SECONDS = 60.0
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
"""Parts of a User-Agent header, and what they stand for. The first that occurs counts: Edge also calls itself Chrome and Safari."""


class LocalSessions:
    """Sessions in the memory of one process."""

    def __init__(self) -> None:
        self._open: dict[str, ConsoleSession] = {}

    def open(self, verified: VerifiedApprover, now: float, browser: str = "") -> str:
        """Open a session and return the value of its cookie. The name of the browser is for the list of sessions."""
        self._open = {name: session for name, session in self._open.items() if session.expires_at > now}
        same = [name for name, session in self._open.items() if session.approver.id == verified.approver.id]
        if len(same) >= MAX_SESSIONS_PER_APPROVER:
            del self._open[same[0]]
        cookie = secrets.token_urlsafe(32)
        until = min(now + SESSION_SECONDS, verified.valid_until)
        hashed = hash_secret(cookie)
        identifier = hashed[:ID_LENGTH]
        csrf = csrf_token(cookie)
        self._open[hashed] = ConsoleSession(verified.approver, csrf, now, until, identifier, browser, now)
        return cookie

    def find(self, cookie: str, now: float) -> ConsoleSession | None:
        """Return the session of a cookie, unless it has expired. One that was opened while the clock was ahead ends for good."""
        session = self._open.get(hashed := hash_secret(cookie))
        if session is None or session.is_current(now):
            return session
        del self._open[hashed]
        return None

    def save_use(self, cookie: str, now: float) -> None:
        """Save the last request of a session, for the list of sessions."""
        hashed = hash_secret(cookie)
        session = self._open.get(hashed)
        if session is not None:
            self._open[hashed] = replace(session, used_at=now)

    def close(self, cookie: str) -> None:
        self._open.pop(hash_secret(cookie), None)

    def close_all(self, approver: Approver) -> None:
        self._open = {name: session for name, session in self._open.items() if session.approver.id != approver.id}

    def list_own(self, approver: Approver, now: float) -> list[ConsoleSession]:
        """Return the sessions of an approver, newest first."""
        own = [each for each in self._open.values() if each.approver.id == approver.id and each.is_current(now)]
        return sorted(own, key=lambda each: -each.opened_at)

    def close_one(self, approver: Approver, identifier: str) -> bool:
        """End the session of an approver with this id. False if it does not exist."""
        own = (name for name, each in self._open.items() if each.approver.id == approver.id and each.id == identifier)
        return self._open.pop(next(own, ""), None) is not None


ConsoleSessions = LocalSessions | SessionStore
"""Sessions of the console, with the same methods."""


class OneTimeLinks:
    """One-time sign-in links for the owner of the machine, printed in their terminal."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._issued: dict[str, tuple[float, Approver]] = {}

    def issue(self, approver: Approver) -> str:
        """Return a ticket that signs the approver in once, within five minutes."""
        ticket = secrets.token_urlsafe(32)
        self._issued[hash_secret(ticket)] = (self._clock() + LINK_SECONDS, approver)
        return ticket

    def is_valid(self, ticket: str) -> bool:
        """Return True if the ticket would sign someone in."""
        until, _ = self._issued.get(hash_secret(ticket), (0.0, None))
        return until > self._clock()

    def redeem(self, ticket: str) -> Approver | None:
        """Use up a ticket and return its approver; None if it is unknown, used or expired."""
        until, approver = self._issued.pop(hash_secret(ticket), (0.0, None))
        return approver if until > self._clock() else None


class GuessThrottle:
    """Blocks further attempts after ten failures within a minute, until the first of them is a minute old."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)

    @property
    def is_blocked(self) -> bool:
        """Return True if the next attempt must wait."""
        return len(self._failures) == MAX_FAILURES and self._clock() - self._failures[0] < WINDOW_SECONDS

    def record_failure(self) -> None:
        self._failures.append(self._clock())


def hash_secret(secret: str) -> str:
    """Return the hash under which a cookie or a ticket is stored. Random values of 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def browser_name(user_agent: str) -> str:
    """Return browser and system, such as "Chrome, Windows"; empty if neither is known.

    Nothing of the header itself is kept: it can contain anything.
    """
    found = (next((name for part, name in names if part in user_agent), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in found if name)
