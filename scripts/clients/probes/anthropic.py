"""Anthropic's SDK: its conversion of MCP tools, and calls by the converted tools."""

from __future__ import annotations

from typing import Any

from anthropic.lib.tools.mcp import async_mcp_tool
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import Found, Task


async def probe(task: Task) -> Found:
    async with (
        stdio_client(StdioServerParameters(**task.unattended.entry())) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = (await session.list_tools()).tools
        by_name: dict[str, Any] = {tool.name: tool for tool in tools}

        def convert(tool: Any) -> Any:
            converted = async_mcp_tool(tool, session)
            converted.to_dict()
            return converted

        answers = await each_level(task.calls, lambda call: convert(by_name[call.tool]).call(dict(call.arguments)))
        return Found(len(tools), fits(convert, tools), answers)


if __name__ == "__main__":
    run(probe)
