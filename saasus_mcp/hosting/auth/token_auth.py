"""Callers with a token of this server's own, made by `saasus-mcp token new`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import anyio
from anyio import to_thread

from saasus_mcp.hosting.auth.authentication import AuthUnavailable, Caller, HealthCheck, principal_groups
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.store import StoreError
from saasus_mcp.store.tokens import Token, TokenStore

log = logging.getLogger(__name__)

MAX_LOOKUPS = 10
"""Tokens that are looked up at once. While a database hangs, each lookup holds a thread for seconds; the others stay free."""
LOOKUP_SECONDS = 10.0
"""Seconds for which a request waits until its token has been checked."""


class TokenAuthenticator:
    """Believes the tokens in the accounts. Where these cannot be read, nobody is let in, and nobody is told that a token is bad."""

    def __init__(self, accounts: TokenStore, clock: Callable[[], float] = time.time) -> None:
        self._accounts = accounts
        self._clock = clock
        self._lookups = anyio.CapacityLimiter(MAX_LOOKUPS)
        self._away = False

    async def authenticate(self, token: str) -> Caller | None:
        """Return the holder of a token.

        Raises:
            Unavailable: it has the form of a token, and the accounts cannot be read.
        """
        found = await self._found(token)
        if found is None:
            return None
        identity = f"token:{found.name}"
        return Caller(
            Principal(identity, principal_groups(found.groups)), found.role, found.expires_at, client_id=identity
        )

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        """Whether the accounts work."""
        return {"accounts": self._works}

    async def _works(self) -> bool:
        await to_thread.run_sync(self._accounts.check_writable, abandon_on_cancel=True, limiter=self._lookups)
        return True

    async def _found(self, token: str) -> Token | None:
        try:
            with anyio.fail_after(LOOKUP_SECONDS):
                # In a thread: a database that does not answer must not hold up everybody else.
                found = await to_thread.run_sync(
                    self._accounts.authenticate, token, self._clock(), abandon_on_cancel=True, limiter=self._lookups
                )
        except (StoreError, TimeoutError, OSError) as error:
            self._note(error)
            raise AuthUnavailable(
                "The token cannot be checked: the token database does not respond.",
                "Keep the token and try again shortly.",
            ) from None
        self._note(None)
        return found

    def _note(self, error: Exception | None) -> None:
        """Log the beginning and the end of an outage, not every request in it."""
        if error is not None and not self._away:
            said = error.message if isinstance(error, StoreError) else type(error).__name__
            log.error("tokens cannot be checked; requests with a token get 503: %s", said)
        elif error is None and self._away:
            log.warning("tokens can be checked again")
        self._away = error is not None
