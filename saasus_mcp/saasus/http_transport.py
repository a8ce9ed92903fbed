"""The direct way to the API: aiohttp under the interface of httpx2, in less than half of its processor time. It repeats no request by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp
import httpx2
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

KEEP_SECONDS = 5.0
"""How long an unused connection is kept. Load balancers close theirs after a minute, so a request rarely meets a closed one."""
MAX_HEADER = 64 * 1024
MAX_PART = 64 * 1024
"""The most bytes that are decompressed at a time."""
AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class ConnectionBroken(aiohttp.ClientConnectionError):
    """A connection was made and broke. The request may have arrived."""


class HttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests to one origin. Connections are kept for later requests.

    Args:
        tls: the certificate authorities, for an origin with `https`.
    """

    def __init__(self, origin: httpx2.URL, tls: ssl.SSLContext | None) -> None:
        self._origin = origin.netloc
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS, ssl=tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=AUTOMATIC_HEADERS,
            auto_decompress=False,
            middlewares=(_send_once,),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request once. Return the response, whose body is still to be read.

        Raises:
            httpx2.ConnectError, httpx2.ConnectTimeout: no connection, so nothing was written.
            httpx2.LocalProtocolError, httpx2.UnsupportedProtocol: the request cannot be written.
            httpx2.TransportError: there is no response. The request may have arrived.
        """
        if request.url.netloc != self._origin:
            raise httpx2.UnsupportedProtocol("The request is for another host.")
        if request.method != "GET":
            # The API may have closed a kept connection already. The event loop learns of it within two turns.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        try:
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=_decode_headers(request),
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=request.extensions.get("timeout", {}).get("connect")),
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
        return httpx2.Response(response.status, headers=response.raw_headers, stream=_Body(response))

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


def _decode_headers(request: httpx2.Request) -> list[tuple[str, str]]:
    """Return the headers as text, which aiohttp writes in UTF-8.

    Raises:
        httpx2.LocalProtocolError: HTTP does not allow a header.
    """
    headers = [(name.decode("ascii"), value.decode()) for name, value in request.headers.raw]
    if any(not value.isprintable() or value != value.strip() for _, value in headers):
        raise httpx2.LocalProtocolError("Illegal header value.")
    return headers


class _Body(httpx2.AsyncByteStream):
    """The body of a response. Its connection is kept if the whole of it was received, and closed otherwise."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.content.iter_chunked(MAX_PART):
                yield part
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.RemoteProtocolError("The rest of the response did not come.") from error

    async def aclose(self) -> None:
        """End the exchange."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
