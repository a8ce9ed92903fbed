"""A client on the pipes of a server in this process."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.shared.dispatcher import OnRequest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.server.mcp_server import build_server
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.stdio.protocol_eras import serve
from saasus_mcp.server.stdio.thread_transport import ThreadTransport
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline

PATIENCE = 30.0
MakeWire = Callable[[int, int], PipeTransport | ThreadTransport]


def initialize(revision: str = "2025-11-25") -> bytes:
    params = {
        "protocolVersion": revision,
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "test", "version": "1"},
    }
    return line(request("initialize", "initialize", **params)) + line(
        {"jsonrpc": "2.0", "method": "notifications/initialized"}
    )


def request(id: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


class Pipes:
    """The client's ends of the pipes."""

    def __init__(self, writing: int, reading: int) -> None:
        self._writing, self._reading = writing, reading
        self._heard = b""

    async def send(self, data: bytes) -> None:
        await anyio.to_thread.run_sync(self._send, data)

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._writing, left) :]

    async def next(self) -> dict[str, Any]:
        while b"\n" not in self._heard:
            await anyio.wait_readable(self._reading)
            self._heard += os.read(self._reading, 65536)
        first, _, self._heard = self._heard.partition(b"\n")
        message: dict[str, Any] = json.loads(first)
        return message

    async def until(self, id: Any) -> list[dict[str, Any]]:
        """Return the messages up to the answer to a request."""
        heard = [await self.next()]
        while heard[-1].get("id") != id or "method" in heard[-1]:
            heard.append(await self.next())
        return heard

    async def answer(self, message: bytes, id: Any) -> dict[str, Any]:
        await self.send(message)
        return (await self.until(id))[-1]


@asynccontextmanager
async def served(
    catalogue: Catalogue, store: Store, make: MakeWire = PipeTransport, client: ApiClient | None = None
) -> AsyncIterator[tuple[Pipes, StubApi, StdioDispatcher]]:
    (theirs, mine), (read, write) = os.pipe(), os.pipe()
    api = StubApi(catalogue)
    server = build_server(build_pipeline(api, store, client=client), lambda _: PRINCIPAL, "en")
    dispatcher = StdioDispatcher(make(theirs, write))
    try:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve, server, dispatcher)
                yield Pipes(mine, read), api, dispatcher
                os.close(mine)
    finally:
        for each in (theirs, read, write):
            os.close(each)


@asynccontextmanager
async def dispatched(on_request: OnRequest, make: MakeWire = PipeTransport) -> AsyncIterator[Pipes]:
    """Serve one client by a handler alone. At the end, the client ends its input."""
    (theirs, mine), (read, write) = os.pipe(), os.pipe()
    try:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(StdioDispatcher(make(theirs, write)).run, on_request, ignore)
                yield Pipes(mine, read)
                os.close(mine)
    finally:
        for each in (theirs, read, write):
            os.close(each)


async def ignore(*_: object) -> None:
    """Take a notification."""
