"""FastMCP's client, without and with a person who confirms."""

from __future__ import annotations

import asyncio
from typing import Any

from fastmcp import Client

from scripts.clients.probe import READING_SECONDS, agreed, each_level, run
from scripts.clients.task import DESTRUCTIVE, SERVER, WRITE_SENSITIVE, Call, Found, Server, Task


def _client(server: Server, **options: Any) -> Any:
    return Client({"mcpServers": {SERVER: server.entry()}}, **options)


async def probe(task: Task) -> Found:
    async def confirm(message: str, kind: Any, params: Any, context: Any) -> Any:
        await asyncio.sleep(READING_SECONDS)
        return agreed(params.requested_schema, task.typed)

    async with _client(task.unattended) as client:
        tools = await client.list_tools()
        answers = await each_level(task.calls, lambda call: _call(client, call))
    async with _client(task.attended, elicitation_handler=confirm) as client:
        asked = await each_level(task.calls, lambda call: _call(client, call), (WRITE_SENSITIVE, DESTRUCTIVE))
    return Found(len(tools), answers=answers, asked=asked)


async def _call(client: Any, call: Call) -> object:
    return (await client.call_tool(call.tool, dict(call.arguments))).data or "no data"


if __name__ == "__main__":
    run(probe)
