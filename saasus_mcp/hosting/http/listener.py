"""The socket of the port, and the times of a stop. This module imports no web server: the supervisor of workers stays small."""

from __future__ import annotations

import math
import socket
import sys

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.system_reasons import os_reason

BACKLOG = 2048
CLOSE_SECONDS = 5
SETTLE_SECONDS = 0.2
"""Time for the requests of connections that were accepted last to arrive."""
RETIRE_SECONDS = 2.0
"""Time in which the clients of a worker that is replaced learn, with their next response, to open another connection."""


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
        reason = os_reason(error)
        raise SaasusMcpError.of("hosting.cannot_listen", host=host, port=str(port), reason=reason) from None
    return listener


def duplicate_listener(listener: socket.socket, copies: int) -> list[socket.socket]:
    """Return copies of a listener, which the processes that serve its port share.

    They also share whether it blocks: where it does, the loop of a worker that accepts a connection waits for the next one.
    """
    listener.setblocking(False)  # `dup` gives a copy the mode that this object knows, and so changes that of all
    return [listener.dup() for _ in range(copies)]


def stop_seconds(drain_seconds: float, leave_seconds: float) -> float:
    """Return how long a server may take to stop."""
    return max(leave_seconds, RETIRE_SECONDS) + SETTLE_SECONDS + math.ceil(drain_seconds) + CLOSE_SECONDS
