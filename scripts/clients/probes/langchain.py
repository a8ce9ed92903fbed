"""LangChain's adapters: every tool as LangChain describes it to its agents and to OpenAI, and calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain_core.tools import render_text_description_and_args
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from mcp.types import ElicitResult

from scripts.clients.probe import READING_SECONDS, agreed, each_level, fits, run
from scripts.clients.task import DESTRUCTIVE, LEVELS, SERVER, WRITE_SENSITIVE, Found, Server, Task


async def probe(task: Task) -> Found:
    async def confirm(context: Any, params: Any, callback: Any) -> Any:
        await asyncio.sleep(READING_SECONDS)
        return ElicitResult(action="accept", content=agreed(params.requestedSchema, task.typed))

    tools, answers = await _try(task, task.unattended, None)
    _, asked = await _try(task, task.attended, Callbacks(on_elicitation=confirm), (WRITE_SENSITIVE, DESTRUCTIVE))
    render_text_description_and_args(tools)
    return Found(len(tools), fits(lambda tool: (tool.args, convert_to_openai_tool(tool)), tools), answers, asked)


async def _try(task: Task, server: Server, callbacks: Any, levels: Sequence[str] = LEVELS) -> Any:
    client = MultiServerMCPClient({SERVER: {"transport": "stdio", **server.entry()}}, callbacks=callbacks)
    async with client.session(SERVER) as session:
        tools = await load_mcp_tools(session, callbacks=callbacks, server_name=SERVER)
        by_name = {tool.name: tool for tool in tools}
        return tools, await each_level(
            task.calls, lambda call: by_name[call.tool].ainvoke(dict(call.arguments)), levels
        )


if __name__ == "__main__":
    run(probe)
