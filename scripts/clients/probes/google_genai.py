"""Google's Gen AI SDK: its conversion of MCP tools; the session behind it is the MCP SDK's."""

from __future__ import annotations

from google.genai._mcp_utils import mcp_to_gemini_tool
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
        answers = await each_level(task.calls, lambda call: session.call_tool(call.tool, dict(call.arguments)))
        return Found(len(tools), fits(mcp_to_gemini_tool, tools), answers)


if __name__ == "__main__":
    run(probe)
