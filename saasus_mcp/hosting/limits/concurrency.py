"""How many requests go through at once, and how each ends: a fair share for everybody, and what was begun is finished."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saasus_mcp.hosting.http_errors import REQUEST_TIMEOUT, capacity_response, error_response, unavailable_response
from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY
from saasus_mcp.hosting.limits.recent_tokens import RecentTokens
from saasus_mcp.hosting.limits.request_pool import CONSOLE_LIMITS, MAX_PROBES, CapacityExceeded, PoolLimits, RequestPool
from saasus_mcp.hosting.metrics import InFlightCounter, Metrics
from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot
from saasus_mcp.server.scheduling.processor_turns import ProcessorTurn

LIVENESS_PATH, READINESS_PATH = "/healthz", "/readyz"
HEALTH_PATHS = (LIVENESS_PATH, READINESS_PATH)
LIFETIME_KEY = "saasus_mcp.life"
"""Where a request's scope has its Life, for whoever knows when that must end."""
BODY_SECONDS = 30.0
"""For which a request's body may take to arrive, whatever reads it."""
FLUSH_SECONDS = 2.0
"""For answers to reach their clients once everything was done."""
SSE_FLUSH_SECONDS = 0.1
MAX_ACTIVE, MAX_ACTIVE_EACH = 64, 2
"""Requests that are worked on at once: in all, and of one principal where there are several. One processor does it."""
MAX_CHECKS, MAX_CHECKS_EACH = 64, 4
"""Requests whose caller is found out at once: in all, and of those that show tokens of one principal, or unknown ones."""
CHECK_SECONDS = 0.1
"""After which a check that still waits for a database or an identity provider lets the next one begin."""
CLOSE_HEADER = {"Connection": "close"}


class RequestLifetime:
    """How long one request may go on, and whose share it counts against.

    A stream ends as if its client had gone, and everything that feeds it ends in order; anything else is cancelled.

    Attributes:
        deadline: of a stream, on anyio's clock.
        awaits_client: whether it waits for the next part of its body.
        check: the slot for finding out whose it is.
        known: is told whose it is, when that is known.
        refusal: the answer where it is ended before it was answered; None where nobody is there to read one.
    """

    def __init__(
        self, pool: RequestPool, turns: FairQueue, on_authenticated: Callable[[str], None], *, stream: bool
    ) -> None:
        self.deadline = math.inf
        self.scope = anyio.CancelScope()
        self.is_over = self.awaits_client = False
        self.check_slot: Slot | None = None
        self.on_authenticated = on_authenticated
        self.response: Response | None = unavailable_response("The request was cancelled.")
        self._pool = pool
        self._turns = turns
        self._stream = stream
        self._ended = anyio.Event()
        self._arrived = False
        self._body_until: float | None = None

    def assign(self, principal: str) -> None:
        """Count the request against the share of its principal.

        Raises:
            NoPlace: there is no place for it.
        """
        if self.check_slot is not None:
            self.check_slot.release()
        self.on_authenticated(principal)
        self._pool.assign(self, principal)

    def take_turn(self, principal: str) -> AbstractAsyncContextManager[object]:
        """Work on the request when it is its principal's turn.

        However many requests a principal sends, few of them are worked on at once, so that another's are soon worked on,
        too. One that waits for the API or for a person, or is a stream, does not hold up the next.
        """
        return nullcontext() if self._stream else ProcessorTurn(self._turns, principal)

    def evict(self) -> None:
        """End the request because another one needs its place."""
        self.response = unavailable_response(
            "The server is busy, and this request did not arrive in time.", CLOSE_HEADER
        )
        self.end()

    def end(self) -> None:
        """End the request now."""
        self.is_over = True
        self._ended.set()
        if not self._stream:
            self.scope.cancel()

    async def receive(self, receive: Receive) -> Message:
        """What the client sends next; that it is gone, where the request is over."""
        return await (self._next_or_end(receive) if self._stream else self._in_time(receive))

    async def _next_or_end(self, receive: Receive) -> Message:
        message: Message = {"type": "http.disconnect"}
        async with anyio.create_task_group() as first:

            async def over() -> None:
                with anyio.move_on_at(self.deadline):
                    await self._ended.wait()
                self.is_over = True
                first.cancel_scope.cancel()

            first.start_soon(over)
            message = await receive()
            first.cancel_scope.cancel()
        return message

    async def _in_time(self, receive: Receive) -> Message:
        """The next message. All of a body must arrive soon; what comes after it may take as long as it likes."""
        if self._arrived:
            return await receive()
        if self._body_until is None:
            self._body_until = anyio.current_time() + BODY_SECONDS
        message: Message | None = None
        self.awaits_client = True
        with anyio.move_on_at(self._body_until):
            message = await receive()
        self.awaits_client = False
        if message is None:
            self.response = error_response(
                REQUEST_TIMEOUT, f"The request did not arrive in time: {BODY_SECONDS:g} seconds.", CLOSE_HEADER
            )
        elif message["type"] == "http.disconnect":
            self.response = None
        else:
            self._arrived = not message.get("more_body", False)
            return message
        self.end()
        await anyio.sleep_forever()  # until the cancellation arrives
        raise AssertionError("a request that is over goes no further")


def assign_principal(scope: Scope, principal: str) -> None:
    """Count a request against the share of its principal, now that it is known.

    Raises:
        NoPlace: there is no place for it.
    """
    if LIFETIME_KEY in scope:  # it is not where the app is served without its traffic
        scope[LIFETIME_KEY].belongs_to(principal)
    scope.get("state", {})[AUTHENTICATED_KEY] = True


class ConcurrencyLimiter:
    """Counts requests, refuses those beyond a share, and ends those that stay open.

    Args:
        limits: of the requests of MCP. The console and the metrics have places of their own.
    """

    def __init__(self, app: ASGIApp, limits: PoolLimits, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._callers, self._console = RequestPool(limits), RequestPool(CONSOLE_LIMITS)
        self._turns = FairQueue(MAX_ACTIVE, MAX_ACTIVE_EACH if limits.multiple_principals else MAX_ACTIVE)
        self._checks = FairQueue(MAX_CHECKS, MAX_CHECKS_EACH if limits.multiple_principals else MAX_CHECKS)
        self._recent = RecentTokens()
        self._probes = 0
        self._open: set[RequestLifetime] = set()
        self._posts = InFlightCounter()
        self.draining = False

    @property
    def exhausted(self) -> bool:
        """Whether callers are refused for lack of room, whoever they are."""
        return self._callers.full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == LIVENESS_PATH:
            await self._app(scope, receive, send)
        elif scope["path"] == READINESS_PATH:
            await self._probe(scope, receive, send)
        elif self.draining:
            await unavailable_response("The server is stopping.")(scope, receive, send)
        else:
            await self._through(scope, receive, send)

    async def _probe(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._probes >= MAX_PROBES:
            await capacity_response(CapacityExceeded())(scope, receive, send)
            return
        self._probes += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._probes -= 1

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        pool = self._console if _of_people(scope["path"]) else self._callers
        shown = self._recent.read(scope)
        life = RequestLifetime(pool, self._turns, shown.confirm, stream=scope["method"] == "GET")
        answer, expected = _Answer(send), shown.principal
        try:
            pool.enter(life, expected)
        except CapacityExceeded as none:
            await capacity_response(none)(scope, receive, send)
            return
        under_way = (self._metrics.requests, *([self._posts] if scope["method"] == "POST" else []))
        self._open.add(life)
        for each in under_way:
            each.increment()
        try:
            with life.scope, nullcontext() if pool is self._console else await self._check(life, expected):
                await self._app({**scope, LIFETIME_KEY: life}, partial(life.receive, receive), answer)
        finally:
            pool.leave(life)
            shown.finish()
            self._open.discard(life)
            for each in under_way:
                each.decrement()
        if life.is_over and life.response is not None:
            await answer.end(life.response, scope, receive)

    async def _check(self, life: RequestLifetime, expected: str) -> Slot:
        """The slot for finding out whose a request is, in the turn of the one that it is expected to be.

        So that of a thousand requests of one caller few are looked at before a single one of another is.
        """
        life.check_slot = slot = await self._checks.acquire(expected)
        asyncio.get_running_loop().call_later(CHECK_SECONDS, slot.release)
        return slot

    async def drain(self, seconds: float) -> None:
        """Take nothing new, let what was sent upstream end and be answered, then close what stays open.

        Args:
            seconds: after which calls are no longer waited for. Writes still end; their clients may not be told.
        """
        self.draining = True
        with anyio.move_on_after(seconds):
            await self._metrics.in_flight.wait_until_zero()
        with anyio.move_on_after(FLUSH_SECONDS):
            await anyio.sleep(SSE_FLUSH_SECONDS)  # answers over SSE are on their way without a request of their own
            await self._posts.wait_until_zero()
        for life in tuple(self._open):
            life.end()


def _of_people(path: str) -> bool:
    """Whether a path is one that people and monitoring need while callers fill the server."""
    return path in ("/console", "/metrics") or path.startswith("/console/")


class _Answer:
    """The way of an answer to the client, which knows how far it got."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._ended = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self, refusal: Response, scope: Scope, receive: Receive) -> None:
        """End an answer that was cut short in the way that HTTP ends one; where none was begun, give this one."""
        if not self._begun:
            await refusal(scope, receive, self._send)
        elif not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
