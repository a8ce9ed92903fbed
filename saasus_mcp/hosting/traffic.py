"""How much goes through at once, and how it ends: no more than fits, and what was begun is finished."""

from __future__ import annotations

import math
from functools import partial

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saasus_mcp.hosting.answers import unavailable
from saasus_mcp.hosting.metrics import InFlight, Metrics

ALWAYS = ("/healthz", "/readyz")
LIFE = "saasus_mcp.life"
"""Where a request's scope has its Life, for whoever knows when that must end."""
ANSWERING_SECONDS = 2.0
"""For answers to reach their clients once everything was done."""
A_MOMENT = 0.1


class Life:
    """How long one request may go on.

    A stream ends as if its client had gone, and everything that feeds it ends in order; anything else is cancelled.

    Attributes:
        deadline: of a stream, on anyio's clock.
    """

    def __init__(self, *, stream: bool) -> None:
        self.deadline = math.inf
        self.scope = anyio.CancelScope()
        self.over = False
        self._stream = stream
        self._ended = anyio.Event()

    def end(self) -> None:
        """No longer."""
        self.over = True
        self._ended.set()
        if not self._stream:
            self.scope.cancel()

    async def receive(self, receive: Receive) -> Message:
        """What the client sends next; that it is gone, where the request is over."""
        if not self._stream:
            return await receive()
        message: Message = {"type": "http.disconnect"}
        async with anyio.create_task_group() as first:

            async def over() -> None:
                with anyio.move_on_at(self.deadline):
                    await self._ended.wait()
                self.over = True
                first.cancel_scope.cancel()

            first.start_soon(over)
            message = await receive()
            first.cancel_scope.cancel()
        return message


class Traffic:
    """Counts requests, refuses those that are too many, and ends those that stay open.

    Args:
        most: requests at once, open streams included.
    """

    def __init__(self, app: ASGIApp, most: int, metrics: Metrics) -> None:
        self._app = app
        self._most = most
        self._metrics = metrics
        self._open: set[Life] = set()
        self._posts = InFlight()
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self._app(scope, receive, send)
        elif self.draining or len(self._open) >= self._most:
            await unavailable("The server is stopping." if self.draining else "The server is busy.")(
                scope, receive, send
            )
        else:
            await self._through(scope, receive, send)

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        life, answer = Life(stream=scope["method"] == "GET"), _Answer(send)
        under_way = (self._metrics.requests, *([self._posts] if scope["method"] == "POST" else []))
        self._open.add(life)
        for each in under_way:
            each.begins()
        try:
            with life.scope:
                await self._app({**scope, LIFE: life}, partial(life.receive, receive), answer)
        finally:
            self._open.discard(life)
            for each in under_way:
                each.ends()
        if life.over:
            await answer.end(scope, receive)

    async def drain(self, seconds: float) -> None:
        """Take nothing new, let what was sent upstream end and be answered, then close what stays open.

        Args:
            seconds: after which calls are no longer waited for. Writes still end; their clients may not be told.
        """
        self.draining = True
        with anyio.move_on_after(seconds):
            await self._metrics.in_flight.none()
        with anyio.move_on_after(ANSWERING_SECONDS):
            await anyio.sleep(A_MOMENT)  # answers over SSE are on their way without a request of their own
            await self._posts.none()
        for life in tuple(self._open):
            life.end()


class _Answer:
    """The way of an answer to the client, which knows how far it got."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._ended = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self, scope: Scope, receive: Receive) -> None:
        """End what was cut short in the way that HTTP ends an answer."""
        if not self._begun:
            await unavailable("The request was ended.")(scope, receive, self._send)
        elif not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
