"""The lines of standard input, with a limit on their size."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_LINE_BYTES = 16 * 1024 * 1024
EDGE_BYTES = 64 * 1024
"""Bytes at the start and at the end of an oversized line. One of them contains the id of the message."""


@dataclass(frozen=True, slots=True)
class OversizedLine:
    """A line of more than `MAX_LINE_BYTES` bytes, without its middle."""

    head: bytes
    tail: bytes


Line = bytes | OversizedLine


class LineSplitter:
    """The lines of a stream that arrives in chunks.

    Attributes:
        ready: complete lines, without their ends.
        is_ended: whether the stream has ended. An incomplete last line counts as a line.
    """

    def __init__(self) -> None:
        self.ready: deque[Line] = deque()
        self.is_ended = False
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Add a chunk. An empty chunk ends the stream."""
        if not data:
            self.end()
            return
        first, *more = data.split(b"\n")
        self._add(first)
        for part in more:
            self._finish()
            self._add(part)

    def end(self) -> None:
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
