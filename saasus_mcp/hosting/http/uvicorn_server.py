"""Run the app with uvicorn, and stop it without losing calls that have begun."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import cast

import anyio
import uvicorn
from anyio.lowlevel import checkpoint

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.hosting.http.application import HostedApp
from saasus_mcp.hosting.http.h11_protocol import TimeoutH11Protocol

DRAIN_SECONDS = 30.0
"""How long a stop waits for running calls by default: as long as one attempt at the API may take."""
CLOSE_SECONDS = 5
SETTLE_SECONDS = 0.2
"""Time for the requests of connections that were accepted last to arrive."""
TICK_SECONDS = 0.1
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
SWITCH_INTERVAL_SECONDS = 0.001
"""How long a thread keeps the interpreter while the event loop waits. With Python's default of 5 ms, the dozens of waits of one
small read add up to a quarter of a second while threads do heavy work."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DrainingServer(uvicorn.Server):
    """Uvicorn with a graceful stop: report not ready, reject new requests, finish running calls, then close open streams."""

    def __init__(self, config: uvicorn.Config, hosted: HostedApp, drain_seconds: float, leave_seconds: float) -> None:
        super().__init__(config)
        self._hosted = hosted
        self._drain_seconds = drain_seconds
        self._leave_seconds = leave_seconds
        self._leaves = False
        self._accepted: list[asyncio.Task[object]] = []

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await checkpoint()  # a Ctrl+C while the program was loaded ends it here, and not in uvicorn, which would log it
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        try:
            await super().serve(sockets)
        finally:
            sys.setswitchinterval(before)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._leaves:
            self._hosted.limiter.leaving = True
            await self._wait(self._leave_seconds)
            self._stop_accepting(sockets or [])
            await self._wait(SETTLE_SECONDS)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hosted.limiter.drain, self._drain_seconds)
            await super().shutdown(sockets)

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
            self._leaves = number == signal.SIGTERM  # a person who presses Ctrl+C is not a balancer
            self.force_exit, self.should_exit = self.should_exit, True

        before = {each: signal.signal(each, stop) for each in STOP_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on host and port. Port 0 is any free port.

    Raises:
        SaasusMcpError: the port is in use, or the address does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off, which costs 40 ms for every small answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let a second server take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or type(error).__name__
        raise SaasusMcpError.of("hosting.cannot_listen", host=host, port=str(port), reason=reason) from None
    return listener


def create_server(
    hosted: HostedApp, drain_seconds: float = DRAIN_SECONDS, leave_seconds: float = 0.0
) -> DrainingServer:
    """Return a server for the app, not running yet.

    Args:
        drain_seconds: how long a stop waits for running calls.
        leave_seconds: how long the server still takes requests after SIGTERM, while it reports that it is not ready.
    """
    config = uvicorn.Config(
        hosted.app,
        http=partial(TimeoutH11Protocol, tracker=hosted.connections),  # type: ignore[arg-type]  # a factory works as well as a class
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # a query may contain what must not be in a log
        server_header=False,
        proxy_headers=False,  # no code uses the client's address, so no proxy needs to be trusted
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds) + CLOSE_SECONDS,
        backlog=BACKLOG,
    )
    return DrainingServer(config, hosted, drain_seconds, leave_seconds)
