"""Callers with a token of this server's own, made by `saasus-mcp token new`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from anyio import to_thread

from saasus_mcp.hosting.identity import Caller, groups
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.store import StoreError
from saasus_mcp.store.accounts import Accounts

log = logging.getLogger(__name__)


class TokenCallers:
    """Believes the tokens in the accounts. Where these cannot be read, nobody is let in."""

    def __init__(self, accounts: Accounts, clock: Callable[[], float] = time.time) -> None:
        self._accounts = accounts
        self._clock = clock

    async def authenticate(self, token: str) -> Caller | None:
        try:
            # In a thread: a database that does not answer must not hold up everybody else.
            found = await to_thread.run_sync(self._accounts.find, token, self._clock())
        except StoreError as error:
            log.error("tokens cannot be verified: %s", error.message)  # noqa: TRY400 - the reason, not the trace
            return None
        if found is None:
            return None
        identity = f"token:{found.name}"
        return Caller(Principal(identity, groups(found.groups)), found.role, found.expires_at, client_id=identity)
