"""The bearer tokens that were valid a moment ago, so that a request counts as its caller's before its token is checked.

This decides only in which share a request waits. Every token is checked each time, and nothing is allowed because of it.
"""

from __future__ import annotations

from hashlib import sha256

from starlette.types import Scope

MAX_TOKENS = 10_000
"""Tokens that are kept, as digests: about 200 bytes each."""


class RecentTokens:
    """Principals by the digest of a token that named them.

    Args:
        most: tokens to keep. The one that was used longest ago goes first.
    """

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._most = max_tokens
        self._principals: dict[bytes, str] = {}

    def read(self, scope: Scope) -> PresentedToken:
        """The token that a request shows."""
        given = [value for name, value in scope.get("headers", ()) if name == b"authorization"]
        return PresentedToken(self, sha256(given[0]).digest() if len(given) == 1 else b"")

    def find_principal(self, digest: bytes) -> str:
        """Whom a token named when it was checked last; empty where it is not known."""
        return self._principals.get(digest, "")

    def remember(self, digest: bytes, principal: str) -> None:
        """Note that a token was checked and is valid."""
        self._principals.pop(digest, None)
        self._principals[digest] = principal
        if len(self._principals) > self._most:
            del self._principals[next(iter(self._principals))]

    def forget(self, digest: bytes) -> None:
        """Note that a token could not be confirmed: its holder takes no more of its former principal's share."""
        self._principals.pop(digest, None)


class PresentedToken:
    """What one request shows to be let in.

    Attributes:
        principal: whom it named a moment ago; empty where that is not known.
    """

    def __init__(self, recent: RecentTokens, digest: bytes) -> None:
        self.principal = recent.find_principal(digest)
        self._recent = recent
        self._digest = digest
        self._confirmed = False

    def confirm(self, principal: str) -> None:
        """Note that it was checked, and whom it names."""
        self._confirmed = True
        if self._digest:
            self._recent.remember(self._digest, principal)

    def finish(self) -> None:
        """Note that the request is over. Where its token was not confirmed, it is forgotten."""
        if not self._confirmed:
            self._recent.forget(self._digest)
