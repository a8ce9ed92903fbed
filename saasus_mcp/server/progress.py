"""Progress notifications to the client: the progress of a call, and that the call goes on while it waits for a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import anyio
from mcp.server.context import ServerRequestContext

from saasus_mcp.server.pipeline.call import Progress

T = TypeVar("T")
NOTIFICATION_SECONDS = 3.0
"""Seconds between two notifications while a person is asked. Clients give up on a call without a sign of life."""
WAITING_MESSAGE = "waiting for a person's answer"


class ProgressReporter:
    """Sends progress under the token of a request. Without a token the SDK sends nothing.

    The protocol requires numbers that grow. If there is nothing to count, they approach the next whole number.
    """

    def __init__(self, context: ServerRequestContext[Any, Any]) -> None:
        self._context = context
        self._last = -1.0
        self._done = 0
        self._beats = 0

    async def __call__(self, done: int | None, total: int | None, message: str) -> None:
        """Report the progress of the call. Without `done`, report that the call goes on."""
        if done is None:
            self._beats += 1
            now = self._done + self._beats / (self._beats + 1)
        else:
            now = float(done)
        if now <= self._last:
            return
        self._last = now
        if done is not None:
            self._done, self._beats = done, 0
        # A client that has gone is noticed by the call itself.
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await self._context.session.report_progress(now, total, message)


async def report_while_waiting(
    progress: Progress, ask: Callable[[], Awaitable[T]], failures: tuple[type[Exception], ...]
) -> T | None:
    """Ask a person, and report progress every few seconds meanwhile.

    Returns:
        The answer, or None if asking failed with one of the failures.
    """
    answer: T | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_report, progress)
        try:
            answer = await ask()
        except failures:
            answer = None
        group.cancel_scope.cancel()
    return answer


async def _report(progress: Progress) -> None:
    while True:
        await progress(None, None, WAITING_MESSAGE)
        await anyio.sleep(NOTIFICATION_SECONDS)
