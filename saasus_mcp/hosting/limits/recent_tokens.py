"""Remember recently valid bearer tokens, so that a request counts for its principal before its token is checked.

This only decides in which share a request waits. Every token is still checked on every request.
"""

from __future__ import annotations

from hashlib import sha256

from starlette.types import Scope

MAX_TOKENS = 10_000
"""Tokens that are remembered, as digests of about 200 bytes each."""


class RecentTokens:
    """Maps the digest of a recently valid token to its principal.

    Args:
        max_tokens: tokens to remember. The least recently used token is dropped first.
    """

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._principals: dict[bytes, str] = {}

    def read(self, scope: Scope) -> PresentedToken:
        headers = [value for name, value in scope.get("headers", ()) if name == b"authorization"]
        return PresentedToken(self, sha256(headers[0]).digest() if len(headers) == 1 else b"")

    def principal_of(self, authorization: bytes) -> str:
        """Return the principal of an Authorization header at its last check, or an empty string."""
        return self._principals.get(sha256(authorization).digest(), "")

    def find_principal(self, digest: bytes) -> str:
        """Return the principal of a token at its last check, or an empty string."""
        return self._principals.get(digest, "")

    def remember(self, digest: bytes, principal: str) -> None:
        """Record that a token was checked and is valid."""
        self._principals.pop(digest, None)
        self._principals[digest] = principal
        if len(self._principals) > self._max_tokens:
            del self._principals[next(iter(self._principals))]

    def forget(self, digest: bytes) -> None:
        """Drop a token that could not be confirmed, so that its holder no longer uses the principal's share."""
        self._principals.pop(digest, None)


class PresentedToken:
    """The token of one request. `principal`: the principal that the token recently had; empty if unknown."""

    def __init__(self, recent: RecentTokens, digest: bytes) -> None:
        self.principal = recent.find_principal(digest)
        self._recent = recent
        self._digest = digest
        self._confirmed = False

    def confirm(self, principal: str) -> None:
        """Record that the token was checked, and its principal."""
        self._confirmed = True
        if self._digest:
            self._recent.remember(self._digest, principal)

    def finish(self) -> None:
        """Forget the token if it was not confirmed by the end of the request."""
        if not self._confirmed:
            self._recent.forget(self._digest)
