"""Limit how many requests run at once, per principal and in total, and drain them before the server stops."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from http import HTTPStatus
from typing import NoReturn

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from saasus_mcp.common.messages import Message, message
from saasus_mcp.hosting.http_errors import capacity_response, error_response, unavailable_response
from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY, SHARE_KEY
from saasus_mcp.hosting.limits.recent_tokens import RecentTokens
from saasus_mcp.hosting.limits.request_pool import CONSOLE_LIMITS, MAX_PROBES, CapacityExceeded, PoolLimits, RequestPool
from saasus_mcp.hosting.metrics import InFlightCounter, Metrics
from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot, TooManyCalls
from saasus_mcp.server.scheduling.processor_turns import ProcessorTurn

LIVENESS_PATH, READINESS_PATH = "/healthz", "/readyz"
HEALTH_PATHS = (LIVENESS_PATH, READINESS_PATH)
LIFETIME_KEY = "saasus_mcp.life"
"""The key of the RequestLifetime in the scope of a request."""
BODY_SECONDS = 30.0
"""Time for a request's body to arrive."""
FREE_BODY_BYTES = 64 * 1024
"""Bytes of a body that every request may have."""
MAX_LARGE, MAX_LARGE_EACH = 32, 4
"""Requests with larger bodies at once: in total, and per principal if there are several. Their memory is as many times `body_limit`."""
FLUSH_SECONDS = 2.0
"""Time for responses to reach their clients once all calls are done."""
SSE_FLUSH_SECONDS = 0.1
MAX_ACTIVE, MAX_ACTIVE_EACH = 64, 2
"""Requests that are worked on at once: in total, and per principal if there are several. One processor does the work."""
MAX_CHECKS, MAX_CHECKS_EACH = 64, 4
"""Requests that are authenticated at once: in total, and per expected principal (or unknown ones together)."""
CHECK_SECONDS = 0.1
"""After this time a check that still waits for a database or an identity provider lets the next one begin."""
REVOCATION_SECONDS = 60.0
"""How often it is asked whether the token of a stream was revoked."""
CLOSE_HEADER = {"Connection": "close"}
# Not 503: a proxy or client would send the request again, and it may have been carried out.
CANCELLED = (HTTPStatus.INTERNAL_SERVER_ERROR, message("hosting.request_cancelled"))
EVICTED = (HTTPStatus.REQUEST_TIMEOUT, message("hosting.request_evicted"))
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, message("hosting.too_many_large"))
LATE = (HTTPStatus.REQUEST_TIMEOUT, message("hosting.request_timeout", seconds=f"{BODY_SECONDS:g}"))
"""The response to a request that is ended before it is answered: status and text."""


class RequestLifetime:
    """How long a request may run, and whose share it counts against.

    A stream ends as if its client had disconnected, so that everything behind it ends in order. Any other request is cancelled.

    Attributes:
        deadline: the end of a stream, on anyio's clock.
        awaits_client: whether the request waits for the next part of its body.
        check_slot: the slot for authenticating the request.
        on_authenticated: called with the principal once it is known.
        is_revoked: asked from time to time whether the token of a stream was revoked, which ends it.
        ending: the status and the text of the response if the request ends before it was answered; None if the client has disconnected.
    """

    def __init__(
        self,
        pool: RequestPool,
        turns: FairQueue,
        bodies: FairQueue,
        on_authenticated: Callable[[str], None],
        *,
        stream: bool,
    ) -> None:
        self.deadline = math.inf
        self.scope = anyio.CancelScope()
        self.is_over = self.awaits_client = False
        self.check_slot: Slot | None = None
        self.on_authenticated = on_authenticated
        self.is_revoked: Callable[[], Awaitable[bool]] = _is_not_revoked
        self.ending: tuple[HTTPStatus, Message] | None = CANCELLED
        self._pool = pool
        self._turns, self._bodies = turns, bodies
        self._stream = stream
        self._principal = ""
        self._ended = asyncio.Event()
        self._body_complete = False
        self._body_size = 0
        self._body_slot: Slot | None = None
        self._body_timer: asyncio.TimerHandle | None = None

    def assign(self, principal: str) -> None:
        """Count the request against the share of its principal. Raise CapacityExceeded if there is no place for it."""
        if self.check_slot is not None:
            self.check_slot.release()
        self._principal = principal
        self.on_authenticated(principal)
        self._pool.assign(self, principal)

    def take_turn(self, principal: str) -> AbstractAsyncContextManager[object]:
        """Wait for the principal's turn to be worked on.

        Only a few requests of one principal are worked on at once, so that another principal's requests soon get their turn.
        A request that waits for the API or for a person, or is a stream, does not hold up the next one.
        """
        return nullcontext() if self._stream else ProcessorTurn(self._turns, principal)

    def evict(self) -> None:
        """End the request because another one needs its place."""
        self.ending = EVICTED
        self.end()

    def end_with_client(self) -> None:
        """End the request because its client has left."""
        self.ending = None
        self.end()

    def _end_late(self) -> None:
        """End a request whose body did not arrive in time."""
        if not self._body_complete and not self.is_over:
            self.ending = LATE
            self.end()

    def leave(self) -> None:
        """Forget the time limit of a request that has ended, and let the next large one begin."""
        if self._body_timer is not None:
            self._body_timer.cancel()
        if self._body_slot is not None:
            self._body_slot.release()

    def end(self) -> None:
        self.is_over = True
        self._ended.set()
        if not self._stream:
            self.scope.cancel()

    def bounded(self, receive: Receive) -> Receive:
        """Return what receives the next message of the client, or a disconnect once the request is over."""
        return partial(self._receive_until_end if self._stream else self._receive_in_time, receive)

    async def _receive_until_end(self, receive: Receive) -> AsgiMessage:
        received: AsgiMessage = {"type": "http.disconnect"}
        async with anyio.create_task_group() as tasks:

            async def wait_for_end() -> None:
                with anyio.move_on_at(self.deadline):
                    await self._ended.wait()
                self.is_over = True
                tasks.cancel_scope.cancel()

            async def watch_token() -> None:  # beside it: while the store hangs, the stream must still end in time
                while not self.is_over:
                    await anyio.sleep(REVOCATION_SECONDS)
                    if await self.is_revoked():
                        self.end()

            tasks.start_soon(wait_for_end)
            tasks.start_soon(watch_token)
            received = await receive()
            tasks.cancel_scope.cancel()
        return received

    async def _receive_in_time(self, receive: Receive) -> AsgiMessage:
        """Return the next message. The body must arrive in time; later messages may take as long as they need."""
        if self._body_complete:
            return await receive()
        if self._body_timer is None:
            self._body_timer = asyncio.get_running_loop().call_later(BODY_SECONDS, self._end_late)
        self.awaits_client = True
        received = await receive()  # cancelled with the request when the time is over
        self.awaits_client = False
        if received["type"] != "http.disconnect":
            self._body_size += len(received.get("body", b""))
            if self._body_size > FREE_BODY_BYTES and self._body_slot is None:
                await self._wait_for_body_slot()
            self._body_complete = not received.get("more_body", False)
            if self._body_complete and self._body_timer is not None:
                self._body_timer.cancel()
            return received
        self._body_timer.cancel()
        self.end_with_client()
        return await _go_no_further()

    async def _wait_for_body_slot(self) -> None:
        """Wait until the principal may send a large body. The time for it begins then."""
        if self._body_timer is not None:
            self._body_timer.cancel()
        try:
            self._body_slot = await self._bodies.acquire(self._principal, BODY_SECONDS)
        except TooManyCalls:
            self.ending = BUSY
            self.end()
            await _go_no_further()
        self._body_timer = asyncio.get_running_loop().call_later(BODY_SECONDS, self._end_late)


async def _go_no_further() -> NoReturn:
    """Wait until the cancellation of a request that is over arrives."""
    await anyio.sleep_forever()
    raise AssertionError("a request that is over goes no further")


async def _is_not_revoked() -> bool:
    return False


def assign_principal(scope: Scope, principal: str) -> None:
    """Count a request against the share of its principal, once that is known.

    Raises:
        CapacityExceeded: there is no place for it.
    """
    state = scope.get("state", {})
    state[SHARE_KEY] = principal
    state.pop(AUTHENTICATED_KEY, None)  # the answer to a request above the share is one that waits
    if LIFETIME_KEY in scope:  # missing if the app is served without a ConcurrencyLimiter
        scope[LIFETIME_KEY].assign(principal)
    state[AUTHENTICATED_KEY] = True


class ConcurrencyLimiter:
    """Middleware that counts requests, rejects those beyond a limit, and ends those that stay open.

    Args:
        limits: the limits of MCP requests. The console and the metrics have places of their own.

    Attributes:
        leaving: the server still takes requests, and asks balancers to turn away and to keep no connection.
        retiring: the worker still takes requests, and asks clients to open another connection, which another worker accepts.
        draining: the server rejects new requests.
        on_drain: called when the server begins to reject new requests.
        before_close: called when the calls in progress have ended, before what is left open is closed.
    """

    def __init__(self, app: ASGIApp, limits: PoolLimits, metrics: Metrics) -> None:
        several = limits.multiple_principals
        self._app = app
        self._metrics = metrics
        self._callers, self._console = RequestPool(limits), RequestPool(CONSOLE_LIMITS)
        self._turns = FairQueue(MAX_ACTIVE, MAX_ACTIVE_EACH if several else MAX_ACTIVE)
        self._checks = FairQueue(MAX_CHECKS, MAX_CHECKS_EACH if several else MAX_CHECKS)
        self._bodies = FairQueue(MAX_LARGE, MAX_LARGE_EACH if several else MAX_LARGE)
        self.recent = RecentTokens()
        self._probes = 0
        self._open: set[RequestLifetime] = set()
        self._posts = InFlightCounter()
        self.leaving = self.retiring = self.draining = False
        self.on_drain: Sequence[Callable[[], None]] = ()
        self.before_close: Sequence[Callable[[], Awaitable[None]]] = ()

    @property
    def exhausted(self) -> bool:
        """Return True if the server rejects callers because it is full."""
        return self._callers.full

    @property
    def in_progress(self) -> tuple[int, int]:
        """The calls at the API, and the requests with open streams."""
        return self._metrics.in_flight.count, self._metrics.requests.count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (self.retiring or self.leaving) and scope["type"] == "http":
            send = partial(_send_last, send)
        if scope["type"] != "http" or scope["path"] == LIVENESS_PATH:
            await self._app(scope, receive, send)
        elif scope["path"] == READINESS_PATH:
            await self._probe(scope, receive, send)
        elif self.draining:
            await unavailable_response(message("hosting.server_stopping"))(scope, receive, send)
        else:
            await self._handle(scope, receive, send)

    async def _probe(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._probes >= MAX_PROBES:
            await capacity_response(CapacityExceeded())(scope, receive, send)
            return
        self._probes += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._probes -= 1

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        pool = self._console if _is_for_people(scope["path"]) else self._callers
        token = self.recent.read(scope)
        lifetime = RequestLifetime(pool, self._turns, self._bodies, token.confirm, stream=scope["method"] == "GET")
        response, expected = _TrackedResponse(send), token.principal
        scope.get("state", {})[SHARE_KEY] = expected
        try:
            pool.enter(lifetime, expected)
        except CapacityExceeded as error:
            await capacity_response(error)(scope, receive, send)
            return
        counters = (self._metrics.requests, *([self._posts] if scope["method"] == "POST" else []))
        self._open.add(lifetime)
        for counter in counters:
            counter.increment()
        try:
            with lifetime.scope, nullcontext() if pool is self._console else await self._check_slot(lifetime, expected):
                await self._app({**scope, LIFETIME_KEY: lifetime}, lifetime.bounded(receive), response)
        finally:
            pool.leave(lifetime)
            lifetime.leave()
            token.finish()
            self._open.discard(lifetime)
            for counter in counters:
                counter.decrement()
        if lifetime.is_over and lifetime.ending is not None:
            await response.end(error_response(*lifetime.ending, CLOSE_HEADER), scope, receive)

    async def _check_slot(self, lifetime: RequestLifetime, expected: str) -> Slot:
        """Wait for a slot to authenticate a request, in the queue of its expected principal.

        If one caller sends a thousand requests, only a few of them are authenticated before one of another caller is.
        """
        lifetime.check_slot = slot = await self._checks.acquire(expected)
        asyncio.get_running_loop().call_later(CHECK_SECONDS, slot.release)
        return slot

    async def drain(self, seconds: float) -> None:
        """Reject new requests, wait until sent calls have ended and are answered, then close the rest.

        Args:
            seconds: how long to wait for calls. Writes still end later; their clients may not get an answer.
        """
        self.draining = True
        for each in self.on_drain:
            each()
        with anyio.move_on_after(seconds):
            await self._metrics.in_flight.wait_until_zero()
        for prepare in self.before_close:
            await prepare()
        with anyio.move_on_after(FLUSH_SECONDS):
            await anyio.sleep(SSE_FLUSH_SECONDS)  # no request stands for an answer that is sent over SSE
            await self._posts.wait_until_zero()
        for lifetime in tuple(self._open):
            lifetime.end()


async def _send_last(send: Send, part: AsgiMessage) -> None:
    """Send a part of a response after which the connection ends."""
    if part["type"] == "http.response.start":
        part = {**part, "headers": [*part["headers"], (b"connection", b"close")]}
    await send(part)


def _is_for_people(path: str) -> bool:
    """Return True for the paths that people and monitoring need while callers fill the server."""
    return path in ("/console", "/metrics") or path.startswith("/console/")


class _TrackedResponse:
    """Sends a response and records how much of it was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = self._ended = False

    async def __call__(self, part: AsgiMessage) -> None:
        self._started = True
        self._ended = part["type"] == "http.response.body" and not part.get("more_body", False)
        await self._send(part)

    async def end(self, response: Response, scope: Scope, receive: Receive) -> None:
        """End a response that was cut short, or send `response` if none was started."""
        if not self._started:
            await response(scope, receive, self._send)
        elif not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
