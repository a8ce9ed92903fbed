"""The lines to the client. They are written at once, and wait only while the client is slow to read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from anyio.abc import TaskStatus
from anyio.streams.memory import MemoryObjectSendStream

WAITING_LINES = 64
"""Lines that may wait to be written. A call whose answer is the next one waits with it."""

WRITE_BYTES = 64 * 1024
"""Lines that are ready together are written together, up to about this size: what a pipe takes at once."""

FINAL_WRITE_SECONDS = 5.0
"""Seconds for the client to read the lines that wait when the server ends."""


class LineWriter:
    """Writes lines. A task that waits can be cancelled, and must not leave half a line: so only one task waits for the client.

    Args:
        write_now: writes what the client takes now, and returns the rest.
        write_all: writes all of the data, of one task at a time.
    """

    def __init__(
        self, write_now: Callable[[bytes], bytes | memoryview], write_all: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._write_now, self._write_all = write_now, write_all
        self._waiting: MemoryObjectSendStream[bytes | memoryview]
        self._writing = anyio.CancelScope()
        self._is_behind = False

    async def write(self, line: bytes) -> None:
        """Write a line at once, or let it wait if the client is slow to read.

        Raises:
            anyio.ClosedResourceError, anyio.BrokenResourceError: nothing more is written.
        """
        if self._is_behind:
            await self._waiting.send(line)
            self._is_behind = True  # the earlier lines can be written by now, and this one is next
        elif rest := self._write_now(line):
            self._is_behind = True
            self._waiting.send_nowait(rest)

    async def write_waiting(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Write the lines that wait for the client, until `close`."""
        self._waiting, lines = anyio.create_memory_object_stream[bytes | memoryview](WAITING_LINES)
        task_status.started()
        async with lines:
            with self._writing:
                async for line in lines:
                    data = bytearray(line)
                    with suppress(anyio.WouldBlock, anyio.EndOfStream):
                        while len(data) < WRITE_BYTES:
                            data += lines.receive_nowait()
                    await self._write_all(bytes(data))
                    self._is_behind = lines.statistics().current_buffer_used > 0

    def close(self) -> None:
        """Close the queue. Lines that wait are written."""
        self._is_behind = True  # so that `write` finds the queue closed
        self._waiting.close()

    def limit_time(self) -> None:
        """Give the client a few more seconds to read."""
        self._writing.deadline = anyio.current_time() + FINAL_WRITE_SECONDS
