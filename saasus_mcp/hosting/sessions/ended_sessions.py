"""The sessions that their clients have ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.sessions.client_session import ClientSession
from saasus_mcp.store.errors import StoreError

log = logging.getLogger(__name__)

RECHECK_SECONDS = 1.0
"""How long a session that was ended through another replica may still be served by this one."""
MAX_CHECKED = 10_000
"""Sessions whose check is remembered."""


class EndedSessions:
    """Knows which sessions have ended, through whichever replica.

    Without the store a session counts as open: it authorizes nothing, and each of its requests is authenticated.
    """

    def __init__(self, profile: ServedProfile, clock: Callable[[], float] = time.monotonic) -> None:
        self._pipeline = profile.pipeline
        self._clock = clock
        self._checked: dict[str, float] = {}

    async def add(self, session: ClientSession) -> None:
        """End a session.

        Raises:
            StoreError: the store fails.
        """
        self._checked.pop(session.key, None)
        await self._pipeline.store_executor(
            lambda: self._pipeline.store.mailboxes.end_session(session.key, session.expires_at)
        )

    async def contains(self, session: ClientSession) -> bool:
        """Return whether a session has ended."""
        now = self._clock()
        if now - self._checked.get(session.key, -RECHECK_SECONDS) < RECHECK_SECONDS:
            return False
        try:
            ended = await self._pipeline.store_executor(lambda: self._pipeline.store.mailboxes.has_ended(session.key))
        except StoreError as error:
            log.warning("whether a session has ended is unknown: %s", error)
            return False
        self._checked.pop(session.key, None)
        if not ended:
            self._checked[session.key] = now
            if len(self._checked) > MAX_CHECKED:
                del self._checked[next(iter(self._checked))]
        return ended
