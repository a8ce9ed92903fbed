"""The look for messages that arrived at other workers and replicas, again and again while something here can take them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio

from saasus_mcp.store import StoreError

log = logging.getLogger(__name__)


class MessageCollector:
    """Collects messages while there is something to collect for.

    Args:
        seconds: between two looks.
        has_receivers: returns whether something here can take messages. Call `wake` when that becomes true.
        collect: takes what has arrived, and passes it on.
    """

    def __init__(
        self, seconds: float, has_receivers: Callable[[], bool], collect: Callable[[], Awaitable[None]]
    ) -> None:
        self._seconds = seconds
        self._has_receivers = has_receivers
        self._collect = collect
        self._awake = anyio.Event()

    def wake(self) -> None:
        """Begin to look, because something can take messages now."""
        self._awake.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._awake.wait()
            await anyio.sleep(self._seconds)
            if not self._has_receivers():
                self._awake = anyio.Event()
                continue
            try:
                await self._collect()
            except StoreError:
                log.debug("messages at other workers wait")
            except Exception:  # this task serves every profile and stream, and must not end
                log.exception("messages of other workers could not be passed on")
