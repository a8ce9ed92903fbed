"""The parser of one client's requests, with limits for what h11 reads line by line."""

from __future__ import annotations

import re

import h11

MAX_HEAD_BYTES, MAX_HEAD_LINES = 32 * 1024, 128
"""The head of a request: h11 takes microseconds for each line, and limits only heads that arrive in parts."""
_END_OF_LINES = re.compile(rb"(?:\A|\n)\r?\n")


class LimitedConnection(h11.Connection):
    """A server's h11 connection that refuses a request before it costs much time to parse."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)

    def next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        """Return the next event.

        Raises:
            h11.RemoteProtocolError: the request is malformed, or above a limit.
        """
        if self.their_state is h11.IDLE and _is_too_large(self.trailing_data[0]):
            raise h11.RemoteProtocolError("the head of the request is too large")
        return super().next_event()


def _is_too_large(received: bytes) -> bool:
    """Return whether the lines up to the first empty one have too many bytes, or are too many."""
    end = _END_OF_LINES.search(received)
    size = end.end() if end else len(received)
    return size > MAX_HEAD_BYTES or received.count(b"\n", 0, size) > MAX_HEAD_LINES
