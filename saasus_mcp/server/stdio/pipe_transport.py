"""Standard input and output for MCP, which the event loop itself waits for.

The SDK's own stdio reads and writes in worker threads, which cost a short call twice. Without threads, the same pipes can also be
used before the loop runs (see `stdio.early`).
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.server.stdio.line_splitter import MAX_LINE_BYTES, Line, LineSplitter
from saasus_mcp.server.stdio.parent_process import POLL_SECONDS, ParentProcess

if TYPE_CHECKING:
    import asyncio

CHUNK_BYTES = 64 * 1024

FINAL_WRITE_SECONDS = 5.0
"""Seconds in which the client must read on when its input or the server ends."""

MAX_EARLY_READS = MAX_LINE_BYTES // CHUNK_BYTES
"""Chunks that are read while the client does not read an early response."""


class PipeTransport:
    """The input and output of one client, by lines.

    Args:
        reading, writing: file descriptors that nothing else in this process uses.
        parent: its end is the end of the input, too.

    Attributes:
        discarded_id: the id of a request whose answer is not sent (see `push_back`).
    """

    def __init__(self, reading: int, writing: int, parent: ParentProcess | None = None) -> None:
        self._reading, self._writing, self._parent = reading, writing, parent or ParentProcess()
        self._can_wait = _can_wait_for(reading)
        self._lines = LineSplitter()
        self._arrived: asyncio.Future[None] | None = None
        self.discarded_id: str | None = None
        if _is_pipe(writing):
            # A client may write more before it reads, so that neither may wait for the other. A terminal is shared with others.
            os.set_blocking(writing, False)

    @classmethod
    def claim(cls, parent: ParentProcess) -> Self | None:
        """Take standard input and output from the rest of the process: prints go to standard error, and there is no input.

        None if the event loop cannot wait for them (Windows, see `ThreadTransport`).
        """
        return None if sys.platform == "win32" else cls(*claim_standard_streams(), parent)

    # -- before the loop runs ------------------------------------------------------------------------------------------

    def read_line(self) -> Line | None:
        """Return the next line without its end, or None if the client has ended its input or the parent has exited."""
        while not self._lines.ready and not self._lines.is_ended:
            readable, _, _ = select.select([self._reading], [], [], POLL_SECONDS)
            if readable:
                self._read()
            elif self._parent.has_exited():
                self._lines.end()
        return self._lines.ready.popleft() if self._lines.ready else None

    def write_blocking(self, data: bytes) -> None:
        """Write all of the data, and read some input meanwhile. Raise BrokenPipeError if the client does not read."""
        left = self._write_some(memoryview(data))
        reads, idle = 0, 0.0
        while left:
            reading = [] if self._lines.is_ended or reads == MAX_EARLY_READS else [self._reading]
            readable, ready, _ = select.select(reading, [self._writing], [], POLL_SECONDS)
            if readable:
                self._read()
                reads += 1
            idle = 0.0 if readable or ready else idle + POLL_SECONDS
            if (idle and self._parent.has_exited()) or (not reading and idle >= FINAL_WRITE_SECONDS):
                raise BrokenPipeError
            left = self._write_some(left)

    def push_back(self, lines: Iterable[Line], discarded_id: str) -> None:
        """Return lines to the input. The answer to the request with the id `discarded_id` is not sent."""
        self._lines.ready.extendleft(reversed(list(lines)))
        self.discarded_id = discarded_id

    # -- while the loop runs -------------------------------------------------------------------------------------------

    async def read_lines(self) -> list[Line]:
        """Return the lines that have arrived, at least one. None at the end of the input."""
        while not self._lines.ready and not self._lines.is_ended:
            await self._wait_for_input()
        lines = list(self._lines.ready)
        self._lines.ready.clear()
        return lines

    async def _wait_for_input(self) -> None:
        """Wait until the loop has read something. Between two waits, it goes on watching: to begin takes longer than to read."""
        import asyncio  # noqa: PLC0415 - only where a loop runs

        if not self._can_wait:
            await asyncio.sleep(0)
            self._read()
            return
        loop = asyncio.get_running_loop()
        if self._arrived is None:
            loop.add_reader(self._reading, self._on_input, loop)
        self._arrived = loop.create_future()
        try:
            await self._arrived
        except BaseException:
            self._stop_watching(loop)
            raise

    def _on_input(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read what has arrived if it is waited for. Otherwise, the client waits, too."""
        if self._arrived is None or self._arrived.done():
            self._stop_watching(loop)
            return
        self._read()
        if self._lines.is_ended:
            self.end_input()
        elif self._lines.ready:
            self._arrived.set_result(None)

    def _stop_watching(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._reading)
        self._arrived = None

    def end_input(self) -> None:
        """End the input: what has arrived is the last."""
        self._lines.end()
        if self._arrived is not None:
            if not self._arrived.done():
                self._arrived.set_result(None)
            self._stop_watching(self._arrived.get_loop())

    def write_now(self, data: bytes | memoryview) -> memoryview:
        """Write what the client takes now, and return the rest. If it no longer reads, ignore it: the end of input follows."""
        try:
            return self._write_some(memoryview(data))
        except BrokenPipeError:
            return memoryview(b"")

    async def write(self, data: bytes) -> None:
        """Write all of the data, of one task at a time. See `write_now`."""
        import anyio  # noqa: PLC0415 - only where a loop runs

        left = self.write_now(data)
        while left:
            await anyio.wait_writable(self._writing)
            left = self.write_now(left)

    def _read(self) -> None:
        """Read the available input, or wait for input."""
        try:
            data = os.read(self._reading, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # the client is gone: a socket was reset, a terminal hung up
            data = b""
        self._lines.feed(data)

    def _write_some(self, data: memoryview) -> memoryview:
        """Write as much as the pipe takes, and return the rest."""
        try:
            return data[os.write(self._writing, data) :]
        except BlockingIOError:
            return data
        except OSError as error:
            raise BrokenPipeError from error


def claim_standard_streams() -> tuple[int, int]:
    """Return descriptors of standard input and output. From now on, prints go to standard error and there is no input.

    Raises:
        SaasusMcpError: one of them is closed.
    """
    try:
        reading, writing = os.dup(0), os.dup(1)
    except OSError:
        raise SaasusMcpError.of("server.stdio_closed") from None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return reading, writing


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _can_wait_for(descriptor: int) -> bool:
    """Return whether input may arrive later. A file has all of it, and the loop cannot wait for a file."""
    return _is_pipe(descriptor) or os.isatty(descriptor)
