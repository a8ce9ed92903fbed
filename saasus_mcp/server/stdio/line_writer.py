"""The lines to the client: written at once, or with others of a turn of the event loop. They wait while the client is slow to read."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from saasus_mcp.server.stdio.line_splitter import MAX_LINE_BYTES
from saasus_mcp.server.stdio.pipe_transport import FINAL_WRITE_SECONDS

MAX_UNREAD_BYTES = MAX_LINE_BYTES
"""Bytes of lines that may wait for the client. While there are more, nothing is read from it and calls cannot send it more."""

STALLED_SECONDS = 60.0
"""Seconds in which a client must take a chunk while more than `MAX_UNREAD_BYTES` wait. The end of its input might not be read."""

CHUNK_BYTES = 64 * 1024
"""Bytes that are written together: what a pipe takes at once."""


class LineWriter:
    """Writes lines. Only one task waits for the client: a call that is cancelled must not leave half a line.

    Args:
        write_now: writes what the client takes now, and returns the rest.
        write_all: writes all of the data, of one task at a time.

    Attributes:
        is_full: whether more than `MAX_UNREAD_BYTES` wait.
        has_given_up: whether the client did not take a chunk in time. Nothing more is written.
    """

    def __init__(
        self, write_now: Callable[[bytes], bytes | memoryview], write_all: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._write_now, self._write_all = write_now, write_all
        self._gathered: list[bytes] = []
        self._waiting = deque[bytes | memoryview]()
        self._unread = 0
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._chunk = anyio.CancelScope()
        self._is_ending = self._is_closed = False
        self.is_full = self.has_given_up = False

    def put(self, line: bytes) -> None:
        """Write a line at once, or let it wait if the client is slow to read."""
        self._gathered.append(line)
        self._write_gathered()

    def put_soon(self, line: bytes) -> None:
        """Write a line in the next turn of the event loop, with all others of this turn, or before the next one that is written at once.

        A write to a pipe wakes the client up: one for each answer took 12% of the processor time of a small read at 32 at once.
        """
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._write_gathered)
        self._gathered.append(line)

    def _write_gathered(self) -> None:
        if not self._gathered:
            return
        lines = b"".join(self._gathered)
        self._gathered.clear()
        rest = lines if self._unread else self._write_now(lines)
        if not rest or self.has_given_up:
            return
        self._waiting.append(rest)
        self._unread += len(rest)
        self._arrived.set()
        if self._unread > MAX_UNREAD_BYTES and not self.is_full:
            self.is_full = True
            self._limit_chunk()

    async def wait_for_room(self) -> None:
        """Return when the writer is not full."""
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    async def write_waiting(self) -> None:
        """Write the lines that wait for the client, until all are written after `close`, or the client does not take them."""
        while not self.has_given_up:
            if self._waiting:
                await self._write_chunk()
            elif self._is_closed:
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    def close(self) -> None:
        """End `write_waiting` after the lines that were put."""
        self._write_gathered()
        self._is_closed = True
        self._arrived.set()
        self.limit_time()

    def limit_time(self) -> None:
        """Give up when the client does not take a chunk within `FINAL_WRITE_SECONDS`, because the server ends."""
        self._is_ending = True
        self._limit_chunk()

    async def _write_chunk(self) -> None:
        chunk = bytearray()
        while self._waiting and len(chunk) < CHUNK_BYTES:
            line, room = memoryview(self._waiting.popleft()), CHUNK_BYTES - len(chunk)
            chunk += line[:room]
            if len(line) > room:
                self._waiting.appendleft(line[room:])
        with anyio.CancelScope(deadline=self._deadline()) as self._chunk:
            await self._write_all(bytes(chunk))
        self.has_given_up = self._chunk.cancelled_caught
        if self.has_given_up:
            self._waiting.clear()
        else:
            self._unread -= len(chunk)
        self.is_full = self._unread > MAX_UNREAD_BYTES and not self.has_given_up
        if not self.is_full:
            self._room.set()

    def _limit_chunk(self) -> None:
        self._chunk.deadline = min(self._chunk.deadline, self._deadline())

    def _deadline(self) -> float:
        if not self._is_ending and not self.is_full:
            return math.inf
        return anyio.current_time() + (FINAL_WRITE_SECONDS if self._is_ending else STALLED_SECONDS)
