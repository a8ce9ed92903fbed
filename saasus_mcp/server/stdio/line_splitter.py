"""Bytes of standard input, split into lines of bounded size."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Bytes of one message."""
EDGE_BYTES = 64 * 1024
"""Bytes that are kept of the beginning and of the end of a longer line: the id of a message stands in one of them."""


@dataclass(frozen=True, slots=True)
class OversizedLine:
    """A line of more than `LONGEST_LINE` bytes, without its middle."""

    head: bytes
    tail: bytes


Line = bytes | OversizedLine


class LineSplitter:
    """The lines of a stream that arrives in chunks.

    Attributes:
        ready: complete lines, without their ends.
        ended: whether the stream is over; what it ended with is a line too.
    """

    def __init__(self) -> None:
        self.ready: deque[Line] = deque()
        self.is_ended = False
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Add a chunk; an empty one ends the stream."""
        if not data:
            self.end()
            return
        first, *more = data.split(b"\n")
        self._add(first)
        for part in more:
            self._finish()
            self._add(part)

    def end(self) -> None:
        """End the stream."""
        self.is_ended = True
        if self._size:
            self._finish()

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._head is not None:
            self._tail = (self._tail + part)[-EDGE_BYTES:]
            return
        self._parts.append(part)
        if self._size > MAX_LINE_BYTES:
            line = b"".join(self._parts)
            self._head, self._tail, self._parts = line[:EDGE_BYTES], line[-EDGE_BYTES:], []

    def _finish(self) -> None:
        line = b"".join(self._parts) if self._head is None else OversizedLine(self._head, self._tail)
        self.ready.append(line)
        self._parts, self._size, self._head, self._tail = [], 0, None, b""
