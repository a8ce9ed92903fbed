"""Standard input and output for MCP where the event loop cannot wait for them (Windows): a thread reads.

It is a daemon, so that an interrupt ends the process although the thread still waits for input.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from threading import Semaphore, Thread
from typing import Self

from anyio import to_thread

from saasus_mcp.server.stdio.line_splitter import Line, LineSplitter
from saasus_mcp.server.stdio.pipe_transport import CHUNK_BYTES, claim_standard_streams

MAX_BUFFERED_LINES = 64
"""Lines that were read and that nobody took yet."""


class ThreadTransport:
    """The two ends of a client, read and written by lines (see server.wire.Wire).

    Args:
        reading, writing: file descriptors that nobody else in this process uses.
    """

    discarded_id: str | None = None

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._turn = asyncio.Lock()
        self._heard: asyncio.Queue[Line | None] | None = None
        self._room = Semaphore(MAX_BUFFERED_LINES)

    @classmethod
    def claim(cls) -> Self:
        """The process's own (see server.wire.claimed)."""
        return cls(*claim_standard_streams())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Line:
        if self._heard is None:
            self._heard = asyncio.Queue()  # the thread waits for room, so that nothing waits for it in the event loop
            Thread(target=self._listen, args=(asyncio.get_running_loop(), self._heard), daemon=True).start()
        line = await self._heard.get()
        self._room.release()
        if line is None:
            raise StopAsyncIteration
        return line

    async def write(self, data: bytes) -> None:
        """Write all of it. Where nobody reads any more nothing is said: the end of input follows."""
        async with self._turn:
            with suppress(OSError):
                await to_thread.run_sync(self._write, data)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._writing, left) :]

    def _listen(self, loop: asyncio.AbstractEventLoop, heard: asyncio.Queue[Line | None]) -> None:
        lines = LineSplitter()
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while not lines.is_ended:
                try:
                    lines.feed(os.read(self._reading, CHUNK_BYTES))
                except OSError:
                    lines.end()
                while lines.ready:
                    self._room.acquire()
                    loop.call_soon_threadsafe(heard.put_nowait, lines.ready.popleft())
            loop.call_soon_threadsafe(heard.put_nowait, None)
