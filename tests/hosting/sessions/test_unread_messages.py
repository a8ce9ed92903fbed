"""A client that does not read its stream of the older SSE: what waits for it is bounded, and it goes on once it reads."""

from __future__ import annotations

import re
from itertools import count

import anyio
import pytest
from starlette.types import ASGIApp, Message, Scope

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.sessions import unread_messages
from tests.support.hosting_server import INITIALIZE, build_server, error_message
from tests.support.processes import TIMEOUT

ENDPOINT = re.compile(rb"data: (/messages/\S+)")


class SlowReader:
    """A client with an open stream, which reads nothing until it is let.

    Attributes:
        path: where it sends its messages, once the stream is open.
    """

    def __init__(self) -> None:
        self.path = ""
        self.opened, self.reads, self.leaves = anyio.Event(), anyio.Event(), anyio.Event()

    async def open(self, app: ASGIApp) -> None:
        headers = {"host": "mcp.example.com", "authorization": "Bearer alice-token", "accept": "text/event-stream"}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": "/sse",
            "raw_path": b"/sse",
            "query_string": b"",
            "root_path": "",
            "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await app(scope, self.receive, self.send)

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, part: Message) -> None:
        if found := ENDPOINT.search(part.get("body", b"")):
            self.path = found[1].decode()
            self.opened.set()
        elif part["type"] == "http.response.body":
            await self.reads.wait()


async def test_messages_of_a_caller_that_does_not_read_are_refused_until_it_reads(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_messages, "MAX_UNREAD", 4)
    made, reader, numbers = build_server(catalogue), SlowReader(), count(2)
    with anyio.fail_after(TIMEOUT):
        async with made.client() as client, anyio.create_task_group() as tasks:
            tasks.start_soon(reader.open, made.app)
            await reader.opened.wait()

            async def ping() -> int:
                body = {"jsonrpc": "2.0", "id": next(numbers), "method": "ping"}
                answer = await client.post(reader.path, json=body)
                assert answer.status_code == 202 or "read" in error_message(answer)
                await anyio.wait_all_tasks_blocked()
                return answer.status_code

            assert (await client.post(reader.path, json=INITIALIZE)).status_code == 202
            statuses = [await ping() for _ in range(20)]
            assert 4 <= statuses.count(202) < 10
            assert statuses[-1] == 429
            reader.reads.set()
            await anyio.wait_all_tasks_blocked()
            assert await ping() == 202
            reader.leaves.set()
