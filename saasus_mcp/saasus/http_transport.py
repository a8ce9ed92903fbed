"""The direct way to the API: an `httpx2` transport that takes a tenth of the time of httpx2's own and repeats nothing by itself."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator

import aiohappyeyeballs
import httpx2

from saasus_mcp.saasus.http_connection import HttpConnection

KEEP_SECONDS = 5.0
"""How long an unused connection is kept. Load balancers close theirs after a minute, so a request rarely meets a closed one."""
NEXT_ADDRESS_SECONDS = 0.25
"""Seconds until the next address of a host is tried as well (RFC 8305)."""
MAX_PART = 64 * 1024
"""The most bytes that are decompressed at a time."""
_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


class HttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests to one origin. Connections are kept for later requests.

    Args:
        tls: the certificate authorities, for an origin with `https`.
    """

    def __init__(self, origin: httpx2.URL, tls: ssl.SSLContext | None) -> None:
        self._origin = origin.netloc
        self._host = origin.raw_host.decode("ascii")
        self._port = origin.port or (443 if tls else 80)
        self._tls = tls
        self._kept: list[HttpConnection] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Write the request once. Return the response, whose body is still to be read.

        Raises:
            httpx2.ConnectError, httpx2.ConnectTimeout: no connection, so nothing was written.
            httpx2.LocalProtocolError, httpx2.UnsupportedProtocol: the request cannot be written.
            httpx2.TransportError: there is no response. The request may have arrived.
        """
        if request.url.netloc != self._origin:
            raise httpx2.UnsupportedProtocol("The request is for another host.")
        written = encode_request(request)
        connection = await self._find_connection(request.method) or await self._connect(request)
        try:
            head = await connection.exchange(written)
        except BaseException:
            connection.close()
            raise
        return httpx2.Response(head.status, headers=head.headers, stream=_Body(connection, self._kept))

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        for connection in self._kept:
            connection.close()
        self._kept.clear()

    async def _find_connection(self, method: str) -> HttpConnection | None:
        """Return the kept connection that was used last, or None if none is open."""
        if self._kept and method != "GET":
            # The API may have closed it already. The event loop learns of it within two turns, and a write is sent once.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        oldest = asyncio.get_running_loop().time() - KEEP_SECONDS
        while self._kept:
            connection = self._kept.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, request: httpx2.Request) -> HttpConnection:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("connect")):
                return await self._open()
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("No connection in time.") from error
        except OSError as error:
            raise httpx2.ConnectError("No connection.") from error

    async def _open(self) -> HttpConnection:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        connected = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
        try:
            _, connection = await loop.create_connection(
                HttpConnection, sock=connected, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        except BaseException:
            connected.close()
            raise
        return connection


def encode_request(request: httpx2.Request) -> bytes:
    """Return a request as HTTP/1.1 writes it.

    Raises:
        httpx2.LocalProtocolError: HTTP does not allow the value of a header.
    """
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    for name, value in request.headers.raw:
        if not _VALUE.fullmatch(value):
            raise httpx2.LocalProtocolError("Illegal header value.")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join((*lines, b"", request.content))


class _Body(httpx2.AsyncByteStream):
    """The body of a response. Its connection is kept if the whole of it was received, and closed otherwise."""

    def __init__(self, connection: HttpConnection, kept: list[HttpConnection]) -> None:
        self._connection, self._kept = connection, kept

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while part := await self._connection.read():
            for start in range(0, len(part), MAX_PART):
                yield part[start : start + MAX_PART]

    async def aclose(self) -> None:
        """End the exchange."""
        if self._connection.usable:
            self._kept.append(self._connection)
        else:
            self._connection.close()
