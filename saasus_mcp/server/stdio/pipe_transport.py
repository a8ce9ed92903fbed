"""Standard input and output for MCP, waited for by the event loop itself.

The SDK's own stdio reads and writes through worker threads, which a short call pays for twice over. Here no thread stands
between, and until the loop runs the same pipes can be spoken to without one (see server.front).
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.server.stdio.line_splitter import Line, LineSplitter
from saasus_mcp.server.stdio.parent_process import POLL_SECONDS, ParentProcess

if TYPE_CHECKING:
    import anyio

CHUNK_BYTES = 64 * 1024


class PipeTransport:
    """The two ends of a client, read and written by lines.

    Args:
        reading, writing: file descriptors that nobody else in this process uses.
        parent: whose end is the end of the input, too.

    Attributes:
        unheard: the id of a request whose answer never reaches the client (see `unread`).
    """

    def __init__(self, reading: int, writing: int, parent: ParentProcess | None = None) -> None:
        self._reading, self._writing, self._parent = reading, writing, parent or ParentProcess()
        self._waits = _is_waited_for(reading)
        self._lines = LineSplitter()
        self._turn: anyio.Lock | None = None
        self.discarded_id: str | None = None
        if _is_pipe(writing):
            # A client may write on before it reads: then neither may wait for the other. A terminal is shared with others.
            os.set_blocking(writing, False)

    @classmethod
    def claim(cls, parent: ParentProcess) -> Self | None:
        """The process's own, taken from everybody else: what is printed goes to standard error, and there is no input.

        None where the event loop cannot wait for them (Windows; see server.thread_wire).
        """
        return None if sys.platform == "win32" else cls(*claim_standard_streams(), parent)

    # -- before the loop runs ------------------------------------------------------------------------------------------

    def read_line(self) -> Line | None:
        """The next line without its end; None where the client has ended its input, or the parent is gone."""
        while not self._lines.ready and not self._lines.is_ended:
            heard, _, _ = select.select([self._reading], [], [], POLL_SECONDS)
            if heard:
                self._read()
            elif self._parent.has_exited():
                self._lines.end()
        return self._lines.ready.popleft() if self._lines.ready else None

    def write_blocking(self, data: bytes) -> None:
        """Write all of it, listening all the while.

        Raises:
            BrokenPipeError: nobody reads it.
        """
        left = self._written(memoryview(data))
        while left:
            reading = [] if self._lines.is_ended else [self._reading]
            heard, ready, _ = select.select(reading, [self._writing], [], POLL_SECONDS)
            if heard:
                self._read()
            if not heard and not ready and self._parent.has_exited():
                raise BrokenPipeError
            left = self._written(left)

    def push_back(self, lines: Iterable[Line], unheard: str) -> None:
        """Give lines to whoever reads next. The answer to the request with the id `unheard` never reaches the client."""
        self._lines.ready.extendleft(reversed(list(lines)))
        self.discarded_id = unheard

    # -- while the loop runs -------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Line:
        import anyio  # noqa: PLC0415 - only where a loop runs

        while not self._lines.ready and not self._lines.is_ended:
            if self._waits:
                await anyio.wait_readable(self._reading)
            else:
                await anyio.lowlevel.checkpoint()
            self._read()
        if not self._lines.ready:
            raise StopAsyncIteration
        return self._lines.ready.popleft()

    async def write(self, data: bytes) -> None:
        """Write all of it. Where nobody reads any more nothing is said: the end of input follows."""
        import anyio  # noqa: PLC0415 - only where a loop runs

        self._turn = self._turn or anyio.Lock()
        async with self._turn:  # answers and refusals never mix
            try:
                left = self._written(memoryview(data))
                while left:
                    await anyio.wait_writable(self._writing)
                    left = self._written(left)
            except BrokenPipeError:
                return

    def _read(self) -> None:
        """Take in what there is, or wait for it where there is nothing."""
        try:
            data = os.read(self._reading, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # the other end is gone: a socket is reset, a terminal hung up
            data = b""
        self._lines.feed(data)

    def _written(self, data: memoryview) -> memoryview:
        """What is left after as much was written as is taken at once."""
        try:
            return data[os.write(self._writing, data) :]
        except BlockingIOError:
            return data
        except OSError as error:
            raise BrokenPipeError from error


def claim_standard_streams() -> tuple[int, int]:
    """Descriptors of standard input and output. What is printed goes to standard error from now on, and there is no input.

    Raises:
        SaasusMcpError: one of them is closed.
    """
    try:
        reading, writing = os.dup(0), os.dup(1)
    except OSError:
        raise SaasusMcpError(
            "Standard input or output is closed.", "Let an MCP client start the server, which needs both."
        ) from None
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return reading, writing


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _is_waited_for(descriptor: int) -> bool:
    """Whether there may be nothing to read for a while: a file has all it will ever have, and a loop cannot wait for it."""
    return _is_pipe(descriptor) or os.isatty(descriptor)
