"""The direct way to the API, by aiohttp, with the exceptions of httpx2. It repeats no request by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import aiohttp
import httpx2
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from saasus_mcp.common.fetch import ResponseTooLarge, read_limited
from saasus_mcp.saasus.exchange import MAX_CONNECT_SECONDS, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from saasus_mcp.saasus.network_errors import ConnectionTrace

KEEP_SECONDS = 5.0
"""How long an unused connection is kept. Load balancers close theirs after a minute, so a request rarely meets a closed one."""
MAX_HEADER = 64 * 1024
MAX_PART = 64 * 1024
"""The most bytes that are decompressed at a time."""
USUAL_TIMEOUT = aiohttp.ClientTimeout(connect=MAX_CONNECT_SECONDS)
"""Of a request with enough time left, made once."""
AUTOMATIC_OF_GET = frozenset({"Accept", "Accept-Encoding", "User-Agent"})
"""Headers that aiohttp adds to a GET without a body that lacks them. It takes longer to leave one out than to find it in the request."""
AUTOMATIC_HEADERS = AUTOMATIC_OF_GET | {"Content-Type"}
"""Headers that aiohttp adds to any other request that lacks them."""


class ConnectionBroken(aiohttp.ClientConnectionError):
    """A connection was made and broke. The request may have arrived."""


class HttpTransport:
    """Sends requests to one origin. Connections are kept for later requests.

    Args:
        tls: the certificate authorities, for an origin with `https`.
    """

    def __init__(self, origin: httpx2.URL, tls: ssl.SSLContext | None) -> None:
        self._start = f"{origin.scheme}://{origin.netloc.decode('ascii')}/"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS, ssl=tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            middlewares=(_send_once,),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )

    async def send(self, request: HttpRequest, trace: ConnectionTrace, limit: int) -> HttpResponse:
        """Send the request once, and return the response with its whole body. See `ApiTransport`.

        Raises:
            httpx2.ConnectError, httpx2.ConnectTimeout: no connection, so nothing was written.
            httpx2.LocalProtocolError, httpx2.UnsupportedProtocol: the request cannot be written.
            httpx2.TransportError: there is no response. The request may have arrived.
            ResponseTooLarge: the body has more than `limit` bytes. The rest was not read.
        """
        response = await self._open(request)
        trace.answered = True
        try:
            body = await _read_body(response, limit)
        finally:
            if not response.content.at_eof():  # otherwise aiohttp has already kept the connection
                response.close()
        return HttpResponse(response.status, response.raw_headers, body)

    async def _open(self, request: HttpRequest) -> ClientResponse:
        """Send the request, and return the response with its body still to be read."""
        self._check(request)
        if request.method != "GET":
            # The API may have closed a kept connection already. The event loop learns of it within two turns.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        seconds = request.connect_seconds
        automatic = AUTOMATIC_OF_GET if request.method == "GET" and not request.body else AUTOMATIC_HEADERS
        try:
            response = await self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                skip_auto_headers=automatic.difference([name for name, _ in request.headers]) or None,
                data=request.body or None,
                allow_redirects=False,
                timeout=USUAL_TIMEOUT if seconds == MAX_CONNECT_SECONDS else aiohttp.ClientTimeout(connect=seconds),
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx2.ConnectTimeout("No connection in time.") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise httpx2.ConnectError("The certificate was refused.") from error.certificate_error
        except aiohttp.ClientConnectorError as error:
            raise httpx2.ConnectError("No connection.") from error.os_error
        except ConnectionBroken as error:
            raise httpx2.ReadError("The connection broke.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.RemoteProtocolError("The response is not HTTP/1.1.") from error
        if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
            response.close()
            raise httpx2.RemoteProtocolError("The server switches to another protocol.")
        return response

    def _check(self, request: HttpRequest) -> None:
        """Refuse a request that may not be written."""
        if not request.url.startswith(self._start):
            raise httpx2.UnsupportedProtocol("The request is for another host.")
        for _, value in request.headers:
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise httpx2.LocalProtocolError("Illegal header value.")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._session.close()


async def _send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Turn the two errors after which aiohttp repeats a GET, PUT or DELETE into one after which it does not."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionBroken("The connection broke.") from error


async def _read_body(response: ClientResponse, limit: int) -> bytes:
    """Return the body of a response.

    Raises:
        httpx2.TransportError, ResponseTooLarge: see `HttpTransport.send`.
    """
    if "Content-Encoding" in response.headers:
        headers, encoded = response.raw_headers, _EncodedBody(response)
        return await read_limited(httpx2.Response(response.status, headers=headers, stream=encoded), limit)
    parts, size = list[bytes](), 0
    try:
        while not response.content.at_eof():
            part = await response.content.readany()
            parts.append(part)
            size += len(part)
            if size > limit:
                raise ResponseTooLarge
    except (aiohttp.ClientError, OSError) as error:
        raise httpx2.RemoteProtocolError("The rest of the response did not come.") from error
    return b"".join(parts)


class _EncodedBody(httpx2.AsyncByteStream):
    """The body of a response, for httpx2 to decompress."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.content.iter_chunked(MAX_PART):
                yield part
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.RemoteProtocolError("The rest of the response did not come.") from error
