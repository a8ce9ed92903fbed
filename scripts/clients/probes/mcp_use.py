"""mcp-use: its client, its adapter to LangChain, and calls."""

from __future__ import annotations

from mcp_use import MCPClient
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter

from scripts.clients.probe import each_level, run
from scripts.clients.task import SERVER, Found, Task


async def probe(task: Task) -> Found:
    client = MCPClient({"mcpServers": {SERVER: task.unattended.entry()}})
    session = await client.create_session(SERVER)
    tools = await session.list_tools()
    converted = await LangChainAdapter().create_tools(client)
    answers = await each_level(task.calls, lambda call: session.call_tool(call.tool, dict(call.arguments)))
    await client.close_all_sessions()
    return Found(len(tools), len(converted), answers)


if __name__ == "__main__":
    run(probe)
