"""Standard input and output for MCP on Windows, where the event loop cannot wait for them: threads read and write.

They are daemons, so that the process can end while they wait for the client.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Self

from saasus_mcp.server.stdio.line_splitter import Line, LineSplitter
from saasus_mcp.server.stdio.pipe_transport import CHUNK_BYTES, claim_standard_streams

CHUNKS_AHEAD = 2
"""Chunks that are read before their lines are asked for. Their number is limited, not that of lines, which may be long."""

Outgoing = SimpleQueue[tuple[bytes, asyncio.Future[None]]]


class ThreadTransport:
    """The input and output of one client, by lines (see `PipeTransport`).

    Args:
        reading, writing: file descriptors that nothing else in this process uses.
    """

    discarded_id: str | None = None

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._queue: asyncio.Queue[list[Line]] | None = None
        self._is_ended = False
        self._room = Semaphore(CHUNKS_AHEAD)
        self._outgoing: Outgoing | None = None

    @classmethod
    def claim(cls) -> Self:
        """Take standard input and output from the rest of the process (see `claim_standard_streams`)."""
        return cls(*claim_standard_streams())

    async def read_lines(self) -> list[Line]:
        """Return the lines that have arrived, at least one. None at the end of the input."""
        if self._is_ended:
            return []
        if self._queue is None:
            self._queue = asyncio.Queue()  # the thread waits for room, never the event loop
            Thread(target=self._read_lines, args=(asyncio.get_running_loop(), self._queue), daemon=True).start()
        lines = await self._queue.get()
        self._room.release()
        return lines

    def end_input(self) -> None:
        """End the input."""
        self._is_ended = True
        if self._queue is not None:
            self._queue.put_nowait([])

    def write_now(self, data: bytes) -> bytes:
        """Return all of the data: only a thread can write."""
        return data

    async def write(self, data: bytes) -> None:
        """Write all of the data, of one task at a time. If the client no longer reads, ignore it: the end of input follows."""
        loop = asyncio.get_running_loop()
        if self._outgoing is None:
            self._outgoing = SimpleQueue()
            Thread(target=self._write_all, args=(loop, self._outgoing), daemon=True).start()
        written = loop.create_future()
        self._outgoing.put((data, written))
        await written

    def _write_all(self, loop: asyncio.AbstractEventLoop, outgoing: Outgoing) -> None:
        with suppress(RuntimeError):  # the loop is closed
            while True:
                data, written = outgoing.get()
                left = memoryview(data)
                with suppress(OSError):
                    while left:
                        left = left[os.write(self._writing, left) :]
                loop.call_soon_threadsafe(_finish, written)

    def _read_lines(self, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[list[Line]]) -> None:
        lines = LineSplitter()
        with suppress(RuntimeError):  # the loop is closed
            while not lines.is_ended:
                try:
                    lines.feed(os.read(self._reading, CHUNK_BYTES))
                except OSError:
                    lines.end()
                if lines.ready:
                    self._room.acquire()
                    loop.call_soon_threadsafe(queue.put_nowait, [*lines.ready])
                    lines.ready.clear()
            loop.call_soon_threadsafe(queue.put_nowait, [])


def _finish(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
