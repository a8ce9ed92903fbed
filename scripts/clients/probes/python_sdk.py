"""The official Python SDK, without and with a person who confirms."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp import Client, StdioServerParameters
from mcp_types import ElicitResult

from scripts.clients.probe import READING_SECONDS, agreed, each_level, run
from scripts.clients.task import DESTRUCTIVE, WRITE_SENSITIVE, Found, Server, Task


async def probe(task: Task) -> Found:
    async def confirm(context: Any, params: Any) -> ElicitResult:
        await asyncio.sleep(READING_SECONDS)
        return ElicitResult(action="accept", content=agreed(params.requested_schema, task.typed))

    async with Client(_started(task.unattended)) as client:
        tools = (await client.list_tools()).tools
        answers = await each_level(task.calls, lambda call: client.call_tool(call.tool, dict(call.arguments)))
    async with Client(_started(task.attended), elicitation_callback=confirm) as client:
        asked = await each_level(
            task.calls,
            lambda call: client.call_tool(call.tool, dict(call.arguments)),
            (WRITE_SENSITIVE, DESTRUCTIVE),
        )
    return Found(len(tools), answers=answers, asked=asked)


def _started(server: Server) -> StdioServerParameters:
    return StdioServerParameters(**server.entry())


if __name__ == "__main__":
    run(probe)
