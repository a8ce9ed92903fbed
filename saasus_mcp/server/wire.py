"""Standard input and output for MCP, waited for by the event loop itself.

The SDK's own stdio reads and writes through worker threads, which a short call pays for twice over. Here no thread stands
between, and until the loop runs the same pipes can be spoken to without one (see server.front).
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import anyio
    from anyio import AsyncFile
    from mcp.shared._context_streams import ContextReceiveStream, ContextSendStream
    from mcp.shared.message import SessionMessage

    Streams = tuple[ContextReceiveStream[SessionMessage | Exception], ContextSendStream[SessionMessage]]

CHUNK = 64 * 1024
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of one message."""
TOO_LONG = f"The message is longer than {LONGEST_LINE // 1024 // 1024} MiB. Send less at once."


class Wire:
    """The two pipes of a client, read and written by lines.

    Args:
        reading, writing: file descriptors of pipes or sockets that nobody else in this process uses.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._lines: deque[bytes] = deque()
        self._begun: list[bytes] = []
        self._long = 0
        self._ended = False
        self._unheard = b""
        self._turn: anyio.Lock | None = None
        os.set_blocking(writing, False)  # a client may write on before it reads: then neither may wait for the other

    @classmethod
    def claim(cls) -> Self | None:
        """The process's own, taken from everybody else: what is printed goes to standard error, and there is no input.

        None where they are no pipes, or where the system cannot wait for those: the SDK's own stdio serves there.
        """
        if sys.platform == "win32" or not (_waitable(0) and _waitable(1)):
            return None
        reading, writing = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        return cls(reading, writing)

    # -- before the loop runs ------------------------------------------------------------------------------------------

    def hear(self) -> bytes | None:
        """The next line without its end; None where the client has ended its input."""
        while not self._lines and not self._ended:
            self._read()
        return self._lines.popleft() if self._lines else None

    def say(self, data: bytes) -> None:
        """Write all of it, listening all the while.

        Raises:
            BrokenPipeError: nobody reads it.
        """
        left = self._written(memoryview(data))
        while left:
            heard, _, _ = select.select([] if self._ended else [self._reading], [self._writing], [])
            if heard:
                self._read()
            left = self._written(left)

    def unread(self, lines: Iterable[bytes], unheard: str) -> None:
        """Give lines to whoever reads next. The answer to the request with the id `unheard` never reaches the client."""
        self._lines.extendleft(reversed(list(lines)))
        self._unheard = f'"id":"{unheard}"'.encode()

    # -- for the SDK, as its text files --------------------------------------------------------------------------------

    def streams(self) -> AbstractAsyncContextManager[Streams]:
        """What the SDK's server runs on."""
        from mcp.server.stdio import stdio_server  # noqa: PLC0415 - the SDK is the slowest import there is

        file = cast("AsyncFile[str]", self)
        return cast("AbstractAsyncContextManager[Streams]", stdio_server(file, file))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        import anyio  # noqa: PLC0415 - only where a loop runs

        from saasus_mcp.server import message_size  # noqa: PLC0415 - off the way to tools/list

        while True:
            while not self._lines and not self._ended:
                await anyio.wait_readable(self._reading)
                self._read()
            if not self._lines:
                raise StopAsyncIteration
            line = self._lines.popleft()
            why = message_size.excess(line) if len(line) <= LONGEST_LINE else TOO_LONG
            if why is None:
                return line.decode("utf-8", "replace")
            await self.write(message_size.refusal(line, why))

    async def write(self, text: str) -> None:
        """Write all of it. Where nobody reads any more nothing is said: the end of input follows."""
        import anyio  # noqa: PLC0415 - only where a loop runs

        data = text.encode()
        if self._unheard and self._unheard in data[: len(self._unheard) + 32]:
            self._unheard = b""
            return
        self._turn = self._turn or anyio.Lock()
        async with self._turn:  # the SDK's answers and refusals of this module never mix
            try:
                left = self._written(memoryview(data))
                while left:
                    await anyio.wait_writable(self._writing)
                    left = self._written(left)
            except BrokenPipeError:
                return

    async def flush(self) -> None:
        """Nothing: nothing is held back."""

    def _read(self) -> None:
        """Take in what there is, or wait for it where there is nothing. Of a line that is too long its beginning is kept."""
        try:
            data = os.read(self._reading, CHUNK)
        except ConnectionResetError:
            data = b""
        self._ended = not data
        first, *more = data.split(b"\n")
        self._long += len(first)
        if self._long - len(first) <= LONGEST_LINE:
            self._begun.append(first)
        if more or (self._ended and self._long):
            self._lines.append(b"".join(self._begun))
            self._lines.extend(more[:-1])
            self._begun, self._long = more[-1:], len(more[-1]) if more else 0

    def _written(self, data: memoryview) -> memoryview:
        """What is left after as much was written as is taken at once."""
        try:
            return data[os.write(self._writing, data) :]
        except BlockingIOError:
            return data
        except ConnectionResetError as error:
            raise BrokenPipeError from error


def _waitable(descriptor: int) -> bool:
    """Whether it is a pipe or a socket: a loop cannot wait for a file, and a terminal is shared with others."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
