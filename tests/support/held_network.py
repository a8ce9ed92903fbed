"""A network on which the request of one operation waits until the test releases it."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import httpx2

from saasus_mcp.catalog import Catalogue
from tests.support.pipeline import match_operation


@dataclass
class HeldNetwork:
    """Wraps the transport to a stub. `arrived` is set when the request is there, and `leave` lets it go on."""

    catalogue: Catalogue
    operation: str
    arrived: anyio.Event = field(default_factory=anyio.Event)
    leave: anyio.Event = field(default_factory=anyio.Event)

    def wrap(self, inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        """Return a transport that holds the request."""
        return _HeldTransport(inner, self)


@dataclass
class _HeldTransport(httpx2.AsyncBaseTransport):
    inner: httpx2.AsyncBaseTransport
    network: HeldNetwork

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if match_operation(self.network.catalogue, request).key == self.network.operation:
            self.network.arrived.set()
            await self.network.leave.wait()
        return await self.inner.handle_async_request(request)
