"""Authenticate callers by tokens of this server, created with `saasus-mcp token new`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio import to_thread

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import AuthUnavailable, Caller, HealthCheck, build_groups
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.store.errors import StoreError, StoreUnavailable
from saasus_mcp.store.tokens import Token, TokenStore, token_id

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

ID_PREFIX = "token:"
"""Before the name of a token, in the id of its principal."""
MAX_LOOKUPS = 10
"""Tokens that are looked up at once. While a database hangs, each lookup holds a thread for seconds."""
LOOKUP_SECONDS = 10.0
RESTART_SECONDS, RETRY_SECONDS = 3.0, 0.1
"""How long after its first failure a database is asked again, since it may only restart, and the pause before each attempt."""


class TokenAuthenticator:
    """Accepts the tokens in the store. While the store cannot be read, no token is accepted or reported as invalid."""

    def __init__(self, tokens: TokenStore, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._clock = clock
        self._threads = anyio.CapacityLimiter(MAX_LOOKUPS)
        self._unavailable = False
        self._failing_since: float | None = None

    async def authenticate(self, token: str) -> Caller | None:
        """Return the owner of a token, or None.

        Raises:
            AuthUnavailable: the token is well-formed, and the store cannot be read.
        """
        found = await self._look_up(token)
        if found is None:
            return None
        identity = ID_PREFIX + found.name
        principal = Principal(identity, build_groups(found.groups), credential=token_id(token))
        return Caller(principal, found.role, found.expires_at, client_id=identity)

    async def is_revoked(self, principal: Principal) -> bool:
        """Return whether the token of a principal was revoked since it was accepted, also if the principal has another one now.

        Other principals have no token.

        Raises:
            StoreError: the store cannot be read.
        """
        if not principal.id.startswith(ID_PREFIX):
            return False
        name = principal.id.removeprefix(ID_PREFIX)
        try:
            return await self._ask(self._tokens.is_revoked, name, principal.credential)
        except (TimeoutError, OSError):
            raise StoreUnavailable(message("hosting.accounts_unavailable"), message("hosting.keep_token")) from None

    @property
    def health_checks(self) -> Mapping[str, HealthCheck]:
        return {"accounts": self._is_writable}

    async def _is_writable(self) -> bool:
        await to_thread.run_sync(self._tokens.check_writable, abandon_on_cancel=True, limiter=self._threads)
        return True

    async def _look_up(self, token: str) -> Token | None:
        try:
            found = await self._ask(self._tokens.authenticate, token, self._clock())
        except (StoreError, TimeoutError, OSError) as error:
            self._log_outage(error)
            raise AuthUnavailable(message("hosting.accounts_unavailable"), message("hosting.keep_token")) from None
        self._log_outage(None)
        return found

    async def _ask(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read the store, in a thread: a database that does not answer must not block other requests.

        One that restarts is asked again. A longer outage is answered at once, so that few requests wait for it.

        Raises:
            StoreError, TimeoutError, OSError: the store cannot be read.
        """
        while True:
            began = anyio.current_time()
            try:
                with anyio.fail_after(LOOKUP_SECONDS):
                    answer = await to_thread.run_sync(
                        partial(read, *args, **kwargs), abandon_on_cancel=True, limiter=self._threads
                    )
            except StoreUnavailable:
                self._failing_since = began if self._failing_since is None else self._failing_since
                if anyio.current_time() - self._failing_since >= RESTART_SECONDS:
                    raise
                await anyio.sleep(RETRY_SECONDS)
            else:
                self._failing_since = None
                return answer

    def _log_outage(self, error: Exception | None) -> None:
        """Log the start and the end of an outage, not every request in it."""
        if error is not None and not self._unavailable:
            cause = error.message if isinstance(error, StoreError) else type(error).__name__
            log.error("tokens cannot be checked; requests with a token get 503: %s", cause)
        elif error is None and self._unavailable:
            log.warning("tokens can be checked again")
        self._unavailable = error is not None
