"""Strands Agents: its MCP client, the tool specifications that it gives a model, and calls."""

from __future__ import annotations

from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from strands.tools.mcp import MCPClient

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import Call, Found, Task


async def probe(task: Task) -> Found:
    server = StdioServerParameters(**task.unattended.entry())
    with MCPClient(lambda: stdio_client(server)) as client:
        tools = client.list_tools_sync()

        async def call(each: Call) -> object:
            return await client.call_tool_async(each.tool, name=each.tool, arguments=dict(each.arguments))

        return Found(len(tools), fits(lambda tool: tool.tool_spec, tools), await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
