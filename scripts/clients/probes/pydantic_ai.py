"""Pydantic AI: its MCP toolset, the schema transformers of OpenAI and Google, and calls."""

from __future__ import annotations

from typing import Any

from pydantic_ai.mcp import MCPToolset
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

from scripts.clients.probe import each_level, fits, run
from scripts.clients.task import SERVER, Found, Task


async def probe(task: Task) -> Found:
    async with MCPToolset({"mcpServers": {SERVER: task.unattended.entry()}}) as toolset:
        tools = await toolset.list_tools()

        def convert(tool: Any) -> None:
            schema = getattr(tool, "input_schema", None) or tool.inputSchema
            OpenAIJsonSchemaTransformer(schema).walk()
            OpenAIJsonSchemaTransformer(schema, strict=True).walk()
            GoogleJsonSchemaTransformer(schema).walk()

        answers = await each_level(task.calls, lambda call: toolset.direct_call_tool(call.tool, dict(call.arguments)))
        return Found(len(tools), fits(convert, tools), answers)


if __name__ == "__main__":
    run(probe)
