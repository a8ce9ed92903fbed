"""AutoGen: its MCP adapters turn every tool into one of AutoGen's own, and calls by those."""

from __future__ import annotations

from typing import Any

from autogen_core import CancellationToken
from autogen_ext.tools.mcp import StdioServerParams, mcp_server_tools

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import Found, Task


async def probe(task: Task) -> Found:
    server = StdioServerParams(**task.unattended.entry(), read_timeout_seconds=60)
    tools = await mcp_server_tools(server)
    by_name: dict[str, Any] = {tool.name: tool for tool in tools}
    answers = await each_level(
        task.calls, lambda call: by_name[call.tool].run_json(dict(call.arguments), CancellationToken())
    )
    return Found(len(tools), fits(lambda tool: tool.schema, tools), answers)


if __name__ == "__main__":
    run(probe)
