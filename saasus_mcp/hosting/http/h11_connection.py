"""The parser of one client's requests, with limits for what h11 reads line by line, and one form of their targets."""

from __future__ import annotations

import re
from collections.abc import Callable

import h11
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer

MAX_HEAD_BYTES, MAX_HEAD_LINES = 32 * 1024, 128
"""The head of a request: h11 takes microseconds for each line, and limits only heads that arrive in parts."""
FREE_CHUNKS, BYTES_FOR_A_CHUNK = 256, 64
"""A body may have so many chunks, and one more for each so many bytes: h11 takes as long for a chunk of a byte as for a large one."""
_END_OF_LINES = re.compile(rb"(?:\A|\n)\r?\n")
_ABSOLUTE_TARGET = re.compile(rb"(?i:https?)://(?P<authority>[^/?#]*)(?P<rest>(?:[/?#].*)?)")


class LimitedConnection(h11.Connection):
    """A server's h11 connection that refuses a request before it costs much time to parse, and gives every target as a path.

    Args:
        may_parse: asked, with what was received, once the head of a request is complete; until it returns True, more data is needed.
    """

    def __init__(self, may_parse: Callable[[bytes], bool]) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._may_parse = may_parse

    @property
    def is_paused(self) -> bool:
        """Whether what arrives now waits in the buffer until the request before it is answered."""
        return self.their_state not in (h11.IDLE, h11.SEND_BODY)

    def next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        """Return the next event.

        Raises:
            h11.RemoteProtocolError: the request is malformed, or above a limit.
        """
        if self.their_state is h11.IDLE and (received := self.trailing_data[0]):
            if _END_OF_LINES.search(received) and not self._may_parse(received):
                return h11.NEED_DATA
            if _is_too_large(received):
                raise h11.RemoteProtocolError("the head of the request is too large")
        if type(self._reader) is ChunkedReader:
            self._reader = _LimitedChunkedReader()  # the only way to limit the chunks, and the lines after a body
        event = super().next_event()
        return _in_origin_form(event) if isinstance(event, h11.Request) else event


class _LimitedChunkedReader(ChunkedReader):
    """Reads the chunks of one body, and the lines after it."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks = self._size = 0

    def __call__(self, buf: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        if self._reading_trailer and _is_too_large(bytes(buf)):  # h11 calls this again at the end of the body
            raise h11.RemoteProtocolError("the lines after the body are too large")
        event = super().__call__(buf)
        if isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._size += len(event.data)
            if self._chunks > FREE_CHUNKS + self._size // BYTES_FOR_A_CHUNK:
                raise h11.RemoteProtocolError("the body has too many small chunks")
        return event


def _in_origin_form(request: h11.Request) -> h11.Request:
    """Return a request for an absolute URI as one for its path. The host of the URI takes the place of the Host header (RFC 9112, 3.2.2)."""
    absolute = _ABSOLUTE_TARGET.fullmatch(request.target)
    if absolute is None:
        return request
    headers = [(b"host", absolute["authority"]), *(each for each in request.headers if each[0] != b"host")]
    target = absolute["rest"] if absolute["rest"].startswith(b"/") else b"/" + absolute["rest"]
    return h11.Request(method=request.method, target=target, headers=headers, http_version=request.http_version)


def _is_too_large(received: bytes) -> bool:
    """Return whether the lines up to the first empty one have too many bytes, or are too many."""
    end = _END_OF_LINES.search(received)
    size = end.end() if end else len(received)
    return size > MAX_HEAD_BYTES or received.count(b"\n", 0, size) > MAX_HEAD_LINES
