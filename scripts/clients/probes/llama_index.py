"""LlamaIndex: its MCP tool specification turns every tool into a function tool, and calls by those."""

from __future__ import annotations

from typing import Any

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import Found, Task


async def probe(task: Task) -> Found:
    server = task.unattended
    client = BasicMCPClient(server.command, args=list(server.args), env=dict(server.env), timeout=60)
    tools = await McpToolSpec(client=client).to_tool_list_async()
    by_name: dict[str, Any] = {tool.metadata.name: tool for tool in tools}
    answers = await each_level(task.calls, lambda call: by_name[call.tool].acall(**call.arguments))
    return Found(len(tools), fits(lambda tool: tool.metadata.to_openai_tool(skip_length_check=True), tools), answers)


if __name__ == "__main__":
    run(probe)
