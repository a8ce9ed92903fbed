"""OpenAI's Agents SDK: its server class, its conversion to function tools, and calls by those."""

from __future__ import annotations

import json

from agents import Agent, RunContextWrapper
from agents.mcp import MCPServerStdio, MCPUtil

from scripts.clients.probe import each_level, run
from scripts.clients.task import Call, Found, Task


async def probe(task: Task) -> Found:
    context = RunContextWrapper(None)
    entry = task.unattended.entry()
    async with MCPServerStdio(params=entry, client_session_timeout_seconds=60) as server:
        tools = await server.list_tools()
        by_name = {tool.name: tool for tool in tools}

        async def call(each: Call) -> object:
            return await MCPUtil.invoke_mcp_tool(server, by_name[each.tool], context, json.dumps(each.arguments))

        converted = await MCPUtil.get_function_tools(
            server, convert_schemas_to_strict=False, run_context=context, agent=Agent("probe")
        )
        return Found(len(tools), len(converted), await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
