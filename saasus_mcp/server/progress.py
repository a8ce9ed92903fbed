"""Progress of a call, told to the client that asked for it: how far it is, and that it goes on while something is awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import anyio
from mcp.server.context import ServerRequestContext

from saasus_mcp.server.pipeline.call import Progress

T = TypeVar("T")
NOTIFICATION_SECONDS = 3.0
"""Seconds between two notifications while a person is asked: clients give up on a call that says nothing for long."""
WAITING_MESSAGE = "waiting for a person's answer"


class ProgressReporter:
    """Sends progress under the token of a request, in both protocol eras; without a token the SDK sends nothing.

    The protocol wants numbers that grow. Where there is nothing to count, they approach the next whole number.
    """

    def __init__(self, context: ServerRequestContext[Any, Any]) -> None:
        self._context = context
        self._last = -1.0
        self._whole = 0
        self._beats = 0

    async def __call__(self, done: int | None, total: int | None, message: str) -> None:
        """Tell how far the call is; without `done`, that it goes on."""
        if done is None:
            self._beats += 1
            now = self._whole + self._beats / (self._beats + 1)
        else:
            now = float(done)
        if now <= self._last:
            return
        self._last = now
        if done is not None:
            self._whole, self._beats = done, 0
        with suppress(
            anyio.ClosedResourceError, anyio.BrokenResourceError
        ):  # the client has gone: the call itself finds out
            await self._context.session.report_progress(now, total, message)


async def report_while_waiting(
    progress: Progress, ask: Callable[[], Awaitable[T]], failures: tuple[type[Exception], ...]
) -> T | None:
    """Ask a person and tell the client every few seconds that the call waits for them.

    Returns:
        What was answered; None where asking failed in one of these ways.
    """
    given: T | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_beat, progress)
        try:
            given = await ask()
        except failures:
            given = None
        group.cancel_scope.cancel()
    return given


async def _beat(progress: Progress) -> None:
    while True:
        await progress(None, None, WAITING_MESSAGE)
        await anyio.sleep(NOTIFICATION_SECONDS)
