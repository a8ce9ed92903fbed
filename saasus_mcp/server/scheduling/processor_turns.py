"""Turns at the processor: only few requests of one principal run at the same time."""

from __future__ import annotations

import asyncio
import math
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar
from typing import Self

from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot

CURRENT_TURN: ContextVar[ProcessorTurn | None] = ContextVar("saasus_mcp_turn", default=None)
"""The turn of the current request."""
TURN_SECONDS = 1.0
"""Seconds after which a request that still waits, for example for a person, gives its turn to the next."""

_NO_TURN = nullcontext()


def release_turn() -> AbstractAsyncContextManager[None]:
    """Let another request of the principal run while this one waits for the API, a database or a person."""
    turn = CURRENT_TURN.get()
    return _NO_TURN if turn is None else _Pause(turn)


class _Pause(AbstractAsyncContextManager[None]):
    """A time in which a turn is released."""

    def __init__(self, turn: ProcessorTurn) -> None:
        self._turn = turn

    async def __aenter__(self) -> None:
        self._turn.pause()

    async def __aexit__(self, *_: object) -> None:
        await self._turn.resume()


class ProcessorTurn:
    """The slot of one request for the processor, released while the request waits.

    Args:
        queue: the slots for the processor, which all requests share.
    """

    def __init__(self, queue: FairQueue, principal: str) -> None:
        self._queue = queue
        self._principal = principal
        self._slot: Slot | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = 0.0

    async def __aenter__(self) -> Self:
        await self._acquire()
        self._before = CURRENT_TURN.set(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        CURRENT_TURN.reset(self._before)
        self._release()
        self._pauses = math.inf  # work in the background takes no turn

    def pause(self) -> None:
        """Release the slot until `resume`. Parts of a request may wait at the same time."""
        self._pauses += 1
        self._release()

    async def resume(self) -> None:
        """Wait for a slot again, if no other part of the request still waits."""
        self._pauses -= 1
        if not self._pauses:
            await self._acquire()

    async def _acquire(self) -> None:
        slot = await self._queue.acquire(self._principal)
        if self._pauses:  # the request has ended or waits again
            slot.release()
            return
        self._slot = slot
        self._timer = asyncio.get_running_loop().call_later(TURN_SECONDS, slot.release)

    def _release(self) -> None:
        if self._slot is not None and self._timer is not None:
            self._timer.cancel()
            self._slot.release()
            self._slot = self._timer = None
