"""Run the app with uvicorn, and stop it without losing calls that have begun."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import cast

import anyio
import uvicorn
from anyio.lowlevel import checkpoint

from saasus_mcp.common.terminals import in_terminal
from saasus_mcp.hosting.http.application import HostedApp
from saasus_mcp.hosting.http.h11_protocol import TimeoutH11Protocol
from saasus_mcp.hosting.http.listener import (
    BACKLOG,
    CLOSE_SECONDS,
    RETIRE_SECONDS,
    SETTLE_SECONDS,
    duplicate_listener,
    open_listener,
)
from saasus_mcp.hosting.http.worker_process import FORCE, HANGUP, RETIRE, Worker
from saasus_mcp.server.scheduling.interpreter import tuned_for_serving

log = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
"""How long a stop waits for running calls by default: as long as one attempt at the API may take."""
TICK_SECONDS = 0.1
KEEP_ALIVE_SECONDS = 30
ACCEPTS_PER_TURN = 16
"""Connections that are accepted in one turn of the event loop, several times as many as heads are parsed (`head_queue`)."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
RETIRE_SIGNAL, FORCE_SIGNAL = (getattr(signal, name, 0) for name in (RETIRE, FORCE))
HANGUP_SIGNAL = getattr(signal, HANGUP, 0)
_REASONS = {RETIRE_SIGNAL: "replaced or removed by the supervisor", HANGUP_SIGNAL: "the terminal was closed"}

__all__ = ["DRAIN_SECONDS", "DrainingServer", "create_server", "open_listener"]


class DrainingServer(uvicorn.Server):
    """Uvicorn with a graceful stop: report not ready, reject new requests, finish running calls, then close open streams.

    Attributes:
        stopping_since: when the stop began, on the monotonic clock.
        interrupted: whether Ctrl+C was the reason.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        hosted: HostedApp,
        drain_seconds: float,
        leave_seconds: float,
        *,
        on_started: Callable[[], None] | None = None,
        worker: Worker | None = None,
    ) -> None:
        super().__init__(config)
        self._hosted = hosted
        self._drain_seconds = drain_seconds
        self._leave_seconds = leave_seconds
        self._on_started = on_started
        self._worker = worker
        self.interrupted = self._leaves = self._retires = False
        self.stopping_since: float | None = None
        self._reason = ""
        self._accepted: list[asyncio.Task[object]] = []

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await checkpoint()  # a Ctrl+C while the program was loaded ends it here, and not in uvicorn, which would log it
        with ExitStack() as stack, tuned_for_serving():
            await super().serve([each for listener in sockets or () for each in _for_a_turn(listener, stack)])

    async def main_loop(self) -> None:
        if self._on_started is not None:  # not in `startup`: uvicorn does not shut down after a signal during it
            self._on_started()
        if self._worker is not None:
            self._worker.is_ready.set()
        await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping_since = time.monotonic()
        self._log_stop()
        if self._retires:
            for server in self.servers:  # the other workers accept what waits
                server.close()
            self._hosted.limiter.retiring = True
            await self._wait(RETIRE_SECONDS)
        elif self._leaves:
            self._hosted.limiter.leaving = True
            await self._wait(self._leave_seconds)
            self._stop_accepting(sockets or [])
            await self._wait(SETTLE_SECONDS)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hosted.limiter.drain, self._drain_seconds)
            await super().shutdown(sockets)
            if self.force_exit:
                tasks.cancel_scope.cancel()
        if self.force_exit:
            await self._hosted.limiter.drain(0)
            await self.lifespan.shutdown()  # uvicorn would leave it to the end of the loop, and log it as an error

    def _log_stop(self) -> None:
        log.info(
            "stopping: %s, calls in flight: %d, open requests: %d", self._reason, *self._hosted.limiter.in_progress
        )

    async def _wait(self, seconds: float) -> None:
        """Wait, unless a second signal demands the end."""
        end = anyio.current_time() + seconds
        while anyio.current_time() < end and not self.force_exit:  # noqa: ASYNC110 - a signal handler sets no event
            await anyio.sleep(min(TICK_SECONDS, seconds))

    def _stop_accepting(self, listeners: list[socket.socket]) -> None:
        """Close the listeners. A connection that the system has accepted is served, as closing a listener would reset it."""
        loop = asyncio.get_running_loop()
        factory = partial(
            cast("type[TimeoutH11Protocol]", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=loop,
        )
        for listener in listeners:
            with suppress(OSError):  # BlockingIOError: no further one
                while True:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    self._accepted.append(loop.create_task(loop.connect_accepted_socket(factory, connection)))
        for server in self.servers:
            server.close()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first signal, and at once at the second.

        Unlike uvicorn's method, this one does not raise the signal again at the end, because the stores must still be closed.
        It also keeps sse-starlette from finding the server, which would cut the answers of running calls.
        """

        def stop(number: int, _: FrameType | None) -> None:
            if self.should_exit:
                # Ctrl+C, and systemd by default, reach a worker beside what the supervisor sends.
                self.force_exit = self.force_exit or self._worker is None or number == FORCE_SIGNAL
                return
            self._reason = _REASONS.get(number) or signal.Signals(number).name
            self.interrupted = number == signal.SIGINT
            self._leaves = number == signal.SIGTERM  # a person who presses Ctrl+C is not a balancer
            self._retires = number == RETIRE_SIGNAL
            self.should_exit = True

        before = {each: signal.signal(each, stop) for each in self._stop_signals()}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _stop_signals(self) -> tuple[int, ...]:
        if self._worker is not None:
            return (*STOP_SIGNALS, RETIRE_SIGNAL, FORCE_SIGNAL)
        return (*STOP_SIGNALS, HANGUP_SIGNAL) if HANGUP_SIGNAL and in_terminal() else STOP_SIGNALS


def _for_a_turn(listener: socket.socket, until: ExitStack) -> list[socket.socket]:
    """Return a listener as often as it must be served to accept enough connections in a turn.

    uvloop accepts one for each: a known caller would wait for a thousand turns behind a thousand connections. asyncio accepts all.
    """
    copies = 0 if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop) else ACCEPTS_PER_TURN - 1
    return [listener, *(until.enter_context(each) for each in duplicate_listener(listener, copies))]


def create_server(
    hosted: HostedApp,
    drain_seconds: float = DRAIN_SECONDS,
    leave_seconds: float = 0.0,
    *,
    on_started: Callable[[], None] | None = None,
    worker: Worker | None = None,
) -> DrainingServer:
    """Return a server for the app, not running yet.

    Args:
        drain_seconds: how long a stop waits for running calls.
        leave_seconds: how long the server still takes requests after SIGTERM, while it reports that it is not ready.
        on_started: called once the server accepts requests and a signal stops it gracefully.
        worker: the worker process that it runs in, if a supervisor has started several.
    """
    config = uvicorn.Config(
        hosted.app,
        http=partial(TimeoutH11Protocol, tracker=hosted.connections, heads=hosted.heads),  # type: ignore[arg-type]  # a factory works as well as a class
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # a query may contain what must not be in a log
        server_header=False,
        proxy_headers=False,  # the client's address decides nothing but the queue of an answer, so no proxy needs to be trusted
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds) + CLOSE_SECONDS,
        backlog=BACKLOG,
    )
    return DrainingServer(config, hosted, drain_seconds, leave_seconds, on_started=on_started, worker=worker)
