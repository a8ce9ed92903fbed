"""Google's Agent Development Kit: its MCP toolset, the declarations that it gives Gemini, and calls."""

from __future__ import annotations

from typing import Any

from google.adk.agents import Agent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.sessions import InMemorySessionService
from google.adk.tools import ToolContext
from google.adk.tools.mcp_tool.mcp_session_manager import StdioConnectionParams
from google.adk.tools.mcp_tool.mcp_toolset import McpToolset
from mcp import StdioServerParameters

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import Call, Found, Task


async def probe(task: Task) -> Found:
    server = StdioServerParameters(**task.unattended.entry())
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server, timeout=60))
    tools = await toolset.get_tools()
    sessions = InMemorySessionService()
    session = await sessions.create_session(app_name="probe", user_id="probe")
    context = ToolContext(
        InvocationContext(invocation_id="probe", agent=Agent(name="probe"), session=session, session_service=sessions)
    )
    by_name: dict[str, Any] = {tool.name: tool for tool in tools}

    async def call(each: Call) -> object:
        return await by_name[each.tool].run_async(args=dict(each.arguments), tool_context=context)

    found = Found(
        len(tools),
        fits(lambda tool: tool._get_declaration(), tools),  # noqa: SLF001 - what it sends to the model
        await each_level(task.calls, call),
    )
    await toolset.close()
    return found


if __name__ == "__main__":
    run(probe)
