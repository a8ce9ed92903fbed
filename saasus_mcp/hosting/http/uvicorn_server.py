"""Running the app on a port until the process is told to stop, and stopping so that nothing begun is lost."""

from __future__ import annotations

import math
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import anyio
import uvicorn

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.hosting.http.application import HostedApp
from saasus_mcp.hosting.http.h11_protocol import TimeoutH11Protocol

DRAIN_SECONDS = 30.0
"""For which a stop waits for calls under way, unless told otherwise: as long as one attempt at the API may take."""
CLOSE_SECONDS = 5
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
SWITCH_INTERVAL_SECONDS = 0.001
"""For which a thread keeps the interpreter while the event loop waits for it. With Python's own 5 ms, the dozens of waits in
one small read add up to a quarter of a second while large work is done in threads."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DrainingServer(uvicorn.Server):
    """Uvicorn, stopping in our order: nothing new, then what is under way, then the open streams."""

    def __init__(self, config: uvicorn.Config, hosted: HostedApp, drain_seconds: float) -> None:
        super().__init__(config)
        self._hosted = hosted
        self._patience = drain_seconds

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        try:
            await super().serve(sockets)
        finally:
            sys.setswitchinterval(before)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        async with anyio.create_task_group() as both:
            both.start_soon(self._hosted.limiter.drain, self._patience)
            await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal, at once at the second.

        Unlike uvicorn's, it does not raise the signal again when all is over: stores are still to be closed then. And
        sse-starlette does not find the server by it, which would cut the answers of calls that are under way.
        """

        def stop(_: int, __: FrameType | None) -> None:
            self.force_exit, self.should_exit = self.should_exit, True

        before = {each: signal.signal(each, stop) for each in STOP_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any free one.

    Raises:
        SaasusMcpError: it is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio would leave Nagle's algorithm on: 40 ms for every small answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let a second server take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        said = error.strerror or type(error).__name__
        raise SaasusMcpError(
            f"Cannot listen on {host}, port {port}: {said}.", "Set SAASUS_MCP_PORT or --port."
        ) from None
    return listener


def create_server(hosted: HostedApp, drain_seconds: float = DRAIN_SECONDS) -> DrainingServer:
    """A server for the app, not yet running.

    Args:
        patience: seconds for which a stop waits for calls under way.
    """
    config = uvicorn.Config(
        hosted.app,
        http=partial(TimeoutH11Protocol, sockets=hosted.connections),  # type: ignore[arg-type]  # which makes one all the same
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # a query may hold what nobody should read in a log
        server_header=False,
        proxy_headers=False,  # nothing here asks for a client's address, so nobody needs to be believed about it
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds) + CLOSE_SECONDS,
        backlog=BACKLOG,
    )
    return DrainingServer(config, hosted, drain_seconds)
