"""The sandbox on a local port, for clients outside this process."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.sandbox.app import CONNECTION, Sandbox
from saasus_mcp.settings.addresses import is_loopback

if TYPE_CHECKING:
    import uvicorn

KEEP_ALIVE_SECONDS = 60
"""For which an idle connection stays open: longer than clients keep theirs, or one is closed just as it is used."""


def serve_sandbox(host: str, port: int, sandbox: Sandbox) -> None:
    """Serve a sandbox until the process is stopped.

    Raises:
        SaasusMcpError: the host is not local. The credentials are public, so no other machine may connect.
    """
    create_server(host, port, sandbox).run()


def create_server(host: str, port: int, sandbox: Sandbox) -> uvicorn.Server:
    """Return a server for this sandbox, not yet running. Raise SaasusMcpError if the host is not local."""
    if not is_loopback(host):
        raise SaasusMcpError.of("sandbox.not_local", host=host)
    import uvicorn  # noqa: PLC0415 - only where a sandbox is served
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

    class Protocol(H11Protocol):
        """Lets the sandbox cut the connection of a request, as a broken network would."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
            super().connection_made(transport)
            self.app_state = {**self.app_state, CONNECTION: transport}

    logging.getLogger("uvicorn").handlers = [logging.StreamHandler(sys.stderr)]
    config = uvicorn.Config(
        sandbox,
        host=host,
        port=port,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
