"""An API that closes connections at any moment, and knows which requests arrived."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Literal, get_args

Moment = Literal[
    "never", "before", "in_head", "in_body", "before_response", "in_response_head", "in_response_body", "after_response"
]
"""When a connection is closed. `after_response`: it was kept, and the next request meets a closed one."""
MOMENTS: tuple[Moment, ...] = get_args(Moment)
RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_TRACE = re.compile(rb"\r\nX-Saasus-Trace-Id: (\S+)\r\n")
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def serve_connections(serve: Serving) -> AsyncIterator[str]:
    """Serve connections on loopback, and yield the origin."""
    tasks = set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ClosingApi:
    """Closes each connection at a random one of some moments, with FIN or RST.

    Attributes:
        arrived: how often each request, named by its trace id, arrived completely.
        answered: the requests whose whole response was written.
    """

    def __init__(self, moments: Sequence[Moment], seed: int = 0) -> None:
        self.moments = moments
        self.arrived: Counter[str] = Counter()
        self.answered: set[str] = set()
        self._random = random.Random(seed)  # noqa: S311 - guards nothing

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback, and yield the origin."""
        async with serve_connections(self._serve) as origin:
            yield origin

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            moment = self._random.choice(self.moments)
            if self._random.random() < 0.5:
                reset = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            if moment == "before":
                return
            if moment == "in_head":
                await reader.readexactly(20)
                return
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if moment == "in_body" and length:
                await reader.readexactly(int(length[1]) // 2)
                return
            await reader.readexactly(int(length[1]) if length else 0)
            trace = _TRACE.search(head)
            assert trace is not None
            self.arrived[trace[1].decode()] += 1
            if not await self._answer(writer, moment, trace[1].decode()):
                return

    async def _answer(self, writer: asyncio.StreamWriter, moment: Moment, trace: str) -> bool:
        """Write the response, or part of it. Return whether the connection is kept."""
        written = {"before_response": 0, "in_response_head": 30, "in_response_body": len(RESPONSE) - 4}.get(moment)
        writer.write(RESPONSE[:written])
        await writer.drain()
        if written is None:
            self.answered.add(trace)
        return moment in ("never", "before", "in_head", "in_body")
