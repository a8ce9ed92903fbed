"""One HTTP/1.1 connection to the API. It carries one request after another, each of them once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools
import httpx2

MAX_OVERHEAD = 64 * 1024
"""The most bytes of a response before, between and after the pieces of its body."""
MAX_UNREAD = 256 * 1024
"""Bytes of a body that wait for their reader. With more, the network waits."""
FIRST_FINAL_STATUS = 200
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status and headers of a response."""

    status: int
    headers: Headers


class HttpConnection(asyncio.Protocol):
    """Writes a request and reads its response.

    Attributes:
        usable: another request can be written: the last response is complete, and the API did not close.
        idle_since: time of the event loop at which the last response was complete.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._head: ResponseHead | None = None
        self._headers: Headers = []
        self._pieces: list[bytes] = []
        self._unread = self._overhead = 0
        self._complete, self._error = True, None
        self.usable = False
        self.idle_since = 0.0

    _transport: asyncio.Transport
    _error: httpx2.TransportError | None

    async def exchange(self, request: bytes) -> ResponseHead:
        """Write a whole request. Return the head of its response.

        Raises:
            httpx2.TransportError: the response did not come. The request may have arrived.
        """
        self._forget_response()
        self._transport.write(request)
        while self._head is None:
            await self._progress()
        return self._head

    async def read(self) -> bytes:
        """Return the next part of the body, or nothing at its end.

        Raises:
            httpx2.TransportError: the rest did not come.
        """
        while not self._pieces:
            if self._complete:
                return b""
            await self._progress()
        part = b"".join(self._pieces)
        self._pieces.clear()
        if self._unread > MAX_UNREAD:
            self._transport.resume_reading()
        self._unread = 0
        return part

    def close(self) -> None:
        """Close the connection at once, whatever was not read."""
        self.usable = False
        self._transport.abort()

    def _forget_response(self) -> None:
        self.usable = self._complete = False
        self._head, self._overhead = None, 0

    async def _progress(self) -> None:
        """Wait until more of the response has come."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop has classes of its own
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._complete:
            self._fail(httpx2.RemoteProtocolError("The server sent more than one response."))
            return
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx2.RemoteProtocolError("The response is not HTTP/1.1."), error)
            return
        if self._overhead > MAX_OVERHEAD and not self._complete:
            self._fail(httpx2.RemoteProtocolError("The headers of the response are too large."))

    def eof_received(self) -> None:
        """End the response. The transport then closes the connection."""
        self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        """End the response."""
        self._end(error)

    def on_message_begin(self) -> None:
        """Refuse a second response, which the next request must not take for its own."""
        if self._complete:
            raise httptools.HttpParserError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. A trailer is dropped."""
        if self._head is None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand over the head, unless it is a preliminary one, such as 100."""
        head, self._headers = ResponseHead(self._parser.get_status_code(), self._headers), []
        if head.status >= FIRST_FINAL_STATUS:
            self._head = head
            self._wake()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body. Let the network wait if too much is unread."""
        self._overhead = 0
        self._pieces.append(piece)
        if self._unread <= MAX_UNREAD < self._unread + len(piece):
            self._transport.pause_reading()
        self._unread += len(piece)
        self._wake()

    def on_message_complete(self) -> None:
        """End the response. The connection is usable again if both sides keep it open."""
        if self._head is None:
            return  # the end of a preliminary head
        self._complete = True
        self.usable = self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()
        self.idle_since = self._loop.time()
        self._wake()

    def _end(self, cause: Exception | None) -> None:
        """End what the connection carries, since it was closed."""
        self.usable = False
        if self._complete or self._error is not None:
            return
        if cause is None and self._head is not None and not _is_framed(self._head):
            self._complete = True
            self._wake()
        elif cause is None:
            self._fail(httpx2.RemoteProtocolError("The server closed the connection before the response was complete."))
        else:
            self._fail(httpx2.ReadError("The connection broke."), cause)

    def _fail(self, error: httpx2.TransportError, cause: Exception | None = None) -> None:
        error.__cause__ = cause
        self._error = error
        self.close()
        self._wake()


def _is_framed(head: ResponseHead) -> bool:
    """Return whether the head says where the body ends. Otherwise the end of the connection does."""
    return any(name.lower() in _FRAMING for name, _ in head.headers)
