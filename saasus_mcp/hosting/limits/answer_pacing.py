"""Answer unknown callers at a limited rate, so that one who repeats requests waits and the server does not work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Protocol

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from saasus_mcp.hosting.limits.concurrency import HEALTH_PATHS
from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY, SHARE_KEY
from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot

CONNECTION_KEY = "saasus_mcp.connection"
"""The key of the HeldConnection in the state of a request."""
ANSWERS, ANSWER_SECONDS = 50, 0.5
"""Answers that are sent at once, and the seconds after which each lets the next one be sent: 100 in a second."""

MAX_WAIT_SECONDS = 5.0
"""The longest wait of an answer. Callers behind one proxy share a queue there, and a new one must soon be asked to sign in."""


class HeldConnection(Protocol):
    """The connection of a request whose answer waits."""

    def hold(self, on_lost: Callable[[], None]) -> AbstractContextManager[None]:
        """Let another connection take the place of this one meanwhile. `on_lost` is called if that happens, or the client leaves."""
        ...

    def watch(self, on_lost: Callable[[], None]) -> None:
        """Call `on_lost` if the client leaves before the request is answered."""
        ...


class AnswerPacer:
    """Decides when an answer is sent: at once if there are few, else in turns of the principals and addresses, and soon in any case.

    An answer that waits holds a socket, which gives way to other ones, and no place among the requests.
    """

    def __init__(self) -> None:
        self._queue = FairQueue(ANSWERS, ANSWERS)
        self._waiting: set[anyio.CancelScope] = set()
        self._stopped = False

    @property
    def waiting(self) -> int:
        """Return how many answers wait."""
        return len(self._waiting)

    async def wait(self, scope: Scope) -> None:
        """Wait until an answer may be sent, has waited long enough, its client has gone, or the server stops."""
        state = scope.get("state", {})
        key = state.get(SHARE_KEY) or (scope.get("client") or ("",))[0]
        slot = self._queue.take_free(key)
        if slot is None and not self._stopped:
            slot = await self._wait_for_slot(key, state.get(CONNECTION_KEY))
        if slot is not None:
            asyncio.get_running_loop().call_later(ANSWER_SECONDS, slot.release)

    async def _wait_for_slot(self, key: str, connection: HeldConnection | None) -> Slot | None:
        longest = MAX_WAIT_SECONDS * random.uniform(0.5, 1)  # noqa: S311 - spreads the answers to requests that came together
        with anyio.move_on_after(longest) as waiting:
            self._waiting.add(waiting)
            try:
                if connection is None:
                    return await self._queue.acquire(key)
                with connection.hold(waiting.cancel):
                    return await self._queue.acquire(key)
            finally:
                self._waiting.discard(waiting)
        return None

    def stop(self) -> None:
        """Send everything that waits, and from now on at once."""
        self._stopped = True
        for waiting in tuple(self._waiting):
            waiting.cancel()


class AnswerPacingMiddleware:
    """Delays the answers to requests whose principal is not known, or is above its share.

    An answer is sent after the request has given up its place. Answers to known callers, health checks, and failures
    of the server are never delayed.
    """

    def __init__(self, app: ASGIApp, pacer: AnswerPacer) -> None:
        self._app = app
        self._pacer = pacer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        held: list[AsgiMessage] = []

        async def send_or_hold(part: AsgiMessage) -> None:
            if held or (part["type"] == "http.response.start" and _is_for_unknown_caller(scope, part["status"])):
                held.append(part)
            else:
                await send(part)

        await self._app(scope, receive, send_or_hold)
        if held:
            await self._pacer.wait(scope)
        for part in held:
            await send(part)


def _is_for_unknown_caller(scope: Scope, status: int) -> bool:
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and AUTHENTICATED_KEY not in scope.get("state", {})
