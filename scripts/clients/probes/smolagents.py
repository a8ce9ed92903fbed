"""smolagents: its MCP client turns every tool into one of its own, and calls."""

from __future__ import annotations

from typing import Any

from mcp import StdioServerParameters
from smolagents import MCPClient

from scripts.clients.probe import each_level, run
from scripts.clients.task import Call, Found, Task


async def probe(task: Task) -> Found:
    with MCPClient(StdioServerParameters(**task.unattended.entry()), structured_output=False) as tools:
        by_name: dict[str, Any] = {tool.name: tool for tool in tools}

        async def call(each: Call) -> object:
            return by_name[each.tool](**each.arguments)

        return Found(len(tools), len(by_name), await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
