"""Turns at the processor: few requests of one principal are worked on at once, however many it sends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot

CURRENT_TURN: ContextVar[ProcessorTurn | None] = ContextVar("saasus_mcp_turn", default=None)
"""The turn of the request that is worked on."""
TURN_SECONDS = 1.0
"""After which a request that still waits for something, such as a person, gives its turn to the next."""


@asynccontextmanager
async def release_turn() -> AsyncIterator[None]:
    """While the API, a database or a person is waited for, let another request of the principal be worked on."""
    turn = CURRENT_TURN.get()
    if turn is None:
        yield
        return
    turn.pause()
    try:
        yield
    finally:
        await turn.resume()


class ProcessorTurn:
    """The slot for the processor of one request, given up while it waits. One processor does the work of everybody.

    Args:
        queue: of the slots for the processor.
    """

    def __init__(self, queue: FairQueue, principal: str) -> None:
        self._queue = queue
        self._principal = principal
        self._slot: Slot | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = 0.0

    async def __aenter__(self) -> Self:
        await self._take()
        self._before = CURRENT_TURN.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        CURRENT_TURN.reset(self._before)
        self._give()
        self._pauses = math.inf  # what goes on in the background takes no turn any more

    def pause(self) -> None:
        """Give the slot up until `resume`. Parts of a request may wait at the same time."""
        self._pauses += 1
        self._give()

    async def resume(self) -> None:
        """Go on as soon as it is the principal's turn again, and no part of the request waits any more."""
        self._pauses -= 1
        if not self._pauses:
            await self._take()

    async def _take(self) -> None:
        slot = await self._queue.acquire(self._principal)
        if self._pauses:  # over meanwhile, or waiting again
            slot.release()
            return
        self._slot = slot
        self._timer = asyncio.get_running_loop().call_later(TURN_SECONDS, slot.release)

    def _give(self) -> None:
        if self._slot is not None and self._timer is not None:
            self._timer.cancel()
            self._slot.release()
            self._slot = self._timer = None
