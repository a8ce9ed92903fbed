"""Agno: its MCP toolkit, the functions that it gives a model, and calls by those."""

from __future__ import annotations

import json
from typing import Any

from agno.tools.function import FunctionCall
from agno.tools.mcp import MCPTools
from mcp import StdioServerParameters

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import Call, Found, Task


async def probe(task: Task) -> Found:
    server = StdioServerParameters(**task.unattended.entry())
    async with MCPTools(server_params=server, timeout_seconds=60) as toolkit:
        functions: dict[str, Any] = toolkit.functions

        async def call(each: Call) -> object:
            made = FunctionCall(function=functions[each.tool], arguments=dict(each.arguments), call_id=each.tool)
            ended = await made.aexecute()
            return ended.error or ended.result

        converted = fits(lambda function: json.dumps(function.to_dict()), functions.values())
        return Found(len(functions), converted, await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
