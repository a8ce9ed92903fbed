"""A client of the protocols with sessions that sends each request to the replica that the test names."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.support.hosting_server import INITIALIZE, MCP
from tests.support.processes import TIMEOUT

ELICITATION: dict[str, Any] = {"elicitation": {}}


@dataclass
class OpenCall:
    """A call in progress, and the messages on its stream."""

    id: int
    messages: AsyncIterator[dict[str, Any]]

    async def question(self) -> dict[str, Any]:
        """Return the next question of the server."""
        while True:
            received = await anext(self.messages)
            if received.get("method") == "elicitation/create":
                return received

    async def result(self) -> dict[str, Any]:
        """Return the answer of the call."""
        async for received in self.messages:
            if received.get("id") == self.id and "method" not in received:
                return received
        raise EOFError("the stream ended without an answer")


@dataclass
class HandshakeClient:
    """A session. `session` is sent with each request."""

    http: httpx2.AsyncClient
    headers: Mapping[str, str]
    session: str = ""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(10))

    async def initialize(self, url: str, **capabilities: Any) -> None:
        params = {**INITIALIZE["params"], "capabilities": capabilities}  # type: ignore[dict-item]
        answer = await self.http.post(f"{url}/mcp", json={**INITIALIZE, "params": params}, headers=self.headers)
        assert answer.status_code == 200, answer.text
        self.session = answer.headers["Mcp-Session-Id"]

    async def send(self, url: str, message: Mapping[str, Any], method: str = "POST") -> httpx2.Response:
        """Send one message and read its answer to the end."""
        return await self.http.request(method, f"{url}/mcp", json={"jsonrpc": "2.0", **message}, headers=self._own())

    async def ping(self, url: str) -> int:
        """Return the status of a ping."""
        return (await self.send(url, {"id": next(self.numbers), "method": "ping"})).status_code

    async def answer(self, url: str, question: Mapping[str, Any], content: Mapping[str, Any]) -> httpx2.Response:
        """Accept a question."""
        return await self.send(url, {"id": question["id"], "result": {"action": "accept", "content": content}})

    @asynccontextmanager
    async def call(self, url: str, tool: str, arguments: Mapping[str, Any]) -> AsyncIterator[OpenCall]:
        """Call a tool. Leaving the block disconnects."""
        number = next(self.numbers)
        params = {"name": tool, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        async with self.http.stream("POST", f"{url}/mcp", json=body, headers=self._own()) as response:
            assert response.status_code == 200
            yield OpenCall(number, _events(response))

    def _own(self) -> dict[str, str]:
        return {**self.headers, "Mcp-Session-Id": self.session, "MCP-Protocol-Version": "2025-11-25"}


@asynccontextmanager
async def handshake_client(token: str | None = None, **headers: str) -> AsyncIterator[HandshakeClient]:
    """Return a client without a session."""
    given = {**MCP, **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
        yield HandshakeClient(http, given)


async def _events(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data:") and line != "data:":
            yield json.loads(line.removeprefix("data:"))
