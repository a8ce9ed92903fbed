"""One HTTP request and its response: the interface between the API client and what sends for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httpx2

from saasus_mcp.common.fetch import read_limited

if TYPE_CHECKING:
    from saasus_mcp.saasus.network_errors import ConnectionTrace

MAX_CLOSE_SECONDS = 2.0
"""For closing a response whose peer does not end it. Its call keeps its slot until then."""
MAX_CONNECT_SECONDS = 10.0


class HttpRequest(NamedTuple):
    """A request exactly as it is sent: no other header is added.

    Attributes:
        headers: with Host, and the length of a body.
        seconds: until the whole response must be there.
    """

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None = None
    seconds: float = MAX_CONNECT_SECONDS

    @property
    def connect_seconds(self) -> float:
        """The time for a connection, which leaves time for the response."""
        return min(MAX_CONNECT_SECONDS, self.seconds / 2)


class HttpResponse(NamedTuple):
    """A response with its whole body, decompressed."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class ApiTransport(Protocol):
    """Sends a request once."""

    async def send(self, request: HttpRequest, trace: ConnectionTrace, limit: int) -> HttpResponse:
        """Return the response, whose body has at most `limit` bytes. Note in `trace` what is known of the request.

        Raises:
            httpx2.TransportError, ResponseTooLarge: there is no response, or not the whole of it.
        """

    async def aclose(self) -> None:
        """Close all connections."""


class Httpx2Transport:
    """Sends through a transport of httpx2: a proxy, the sandbox, a test."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def send(self, request: HttpRequest, trace: ConnectionTrace, limit: int) -> HttpResponse:
        """Return the response. See `ApiTransport`."""
        seconds = request.seconds
        limits = {"pool": seconds, "connect": request.connect_seconds, "read": seconds, "write": seconds}
        built = httpx2.Request(
            request.method,
            request.url,
            headers=list(request.headers),
            content=request.body,
            extensions={"timeout": limits, "trace": trace},
        )
        response = await self._inner.handle_async_request(built)
        try:
            if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and built.url.scheme == "http":
                # Without a tunnel, the proxy refuses in place of the API. The library reports only a refused tunnel.
                raise httpx2.ProxyError(f"{response.status_code}")
            trace.answered = True
            body = await read_limited(response, limit)
        finally:
            # The time of the attempt may be over, and nothing else ends the closing of a response.
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_CLOSE_SECONDS):
                    await response.aclose()
        return HttpResponse(response.status_code, response.headers.raw, body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()
