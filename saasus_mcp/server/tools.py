"""Operations and the server's own tools as MCP tools, with schemas that every provider accepts."""

from typing import Any

from mcp.types import Tool, ToolAnnotations

from saasus_mcp.catalog import Language, Operation
from saasus_mcp.server.hints import Hints
from saasus_mcp.server.listing import listed_answer, listed_arguments
from saasus_mcp.server.own import OwnTool

META = "saasus.io/"


def tool(operation: Operation, language: Language) -> Tool:
    """The tool of one operation."""
    title = operation.title.get(language)
    return Tool(
        name=operation.tool,
        title=title,
        description=operation.terse,
        input_schema=listed_arguments(operation.input_schema),
        output_schema=listed_answer(operation.output_schema),
        annotations=annotations(Hints.of(operation), title),
        _meta=meta(operation),
    )


def own_tool(own: OwnTool, language: Language) -> Tool:
    """A tool of our own."""
    title = own.title.get(language)
    return Tool(
        name=own.name,
        title=title,
        description=own.description,
        input_schema=listed_arguments(own.input_schema),
        output_schema=None if own.output_schema is None else listed_answer(own.output_schema),
        annotations=annotations(own.hints, title),
    )


def annotations(hints: Hints, title: str) -> ToolAnnotations:
    """The protocol's hints, all explicit."""
    return ToolAnnotations(
        title=title,
        read_only_hint=hints.reads,
        destructive_hint=hints.destroys,
        idempotent_hint=hints.idempotent,
        open_world_hint=hints.outside,
    )


def meta(operation: Operation) -> dict[str, Any]:
    """Which operation of the API a tool is, and how grave."""
    return {
        META + "operation": operation.key,
        META + "http": f"{operation.method} {operation.path}",
        META + "level": operation.level,
    }
