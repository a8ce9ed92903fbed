"""A network that a test can cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, SocketAttribute
from sqlalchemy import make_url

SHORT_TIMEOUT = 5.0
"""Far less than the wait for a database, far more than an answer without one takes."""


@dataclass
class Network:
    """The network before a database. While it is cut, nothing comes through, and no connection is closed."""

    host: str
    port: int
    whole: anyio.Event = field(default_factory=anyio.Event)

    def cut(self) -> None:
        self.whole = anyio.Event()

    def restore(self) -> None:
        self.whole.set()

    async def carry(self, client: ByteStream) -> None:
        async with client, await anyio.connect_tcp(self.host, self.port) as server, anyio.create_task_group() as both:
            both.start_soon(self._pass, client, server)
            both.start_soon(self._pass, server, client)

    async def _pass(self, source: ByteStream, sink: ByteStream) -> None:
        try:
            async for piece in source:
                await self.whole.wait()
                await sink.send(piece)
            await sink.aclose()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            await source.aclose()


@asynccontextmanager
async def connect_through(address: str) -> AsyncIterator[tuple[Network, str]]:
    """Return the network before this database, and the address at its near end."""
    url = make_url(address)
    assert url.host is not None
    assert url.port is not None
    made = Network(url.host, url.port)
    made.restore()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, made.carry)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not of Django
        yield made, url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        made.restore()
        tasks.cancel_scope.cancel()
