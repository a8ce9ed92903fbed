"""Operations and the server's own tools as MCP tools, with schemas that every provider accepts."""

from typing import Any

from mcp.types import Tool, ToolAnnotations

from saasus_mcp.catalog import Operation
from saasus_mcp.common.language import Language
from saasus_mcp.server.surface.annotations import ToolHints
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.provider_schema import provider_input_schema, provider_output_schema

META_PREFIX = "saasus.io/"


def operation_tool(operation: Operation, language: Language) -> Tool:
    """The tool of one operation."""
    title = operation.title.text(language)
    return Tool(
        name=operation.tool,
        title=title,
        description=operation.terse,
        input_schema=provider_input_schema(operation.input_schema),
        output_schema=provider_output_schema(operation.output_schema),
        annotations=tool_annotations(ToolHints.of_operation(operation), title),
        _meta=operation_meta(operation),
    )


def builtin_tool(own: BuiltinTool, language: Language) -> Tool:
    """A tool of our own."""
    title = own.title.text(language)
    return Tool(
        name=own.name,
        title=title,
        description=own.description,
        input_schema=provider_input_schema(own.input_schema),
        output_schema=None if own.output_schema is None else provider_output_schema(own.output_schema),
        annotations=tool_annotations(own.hints, title),
    )


def tool_annotations(hints: ToolHints, title: str) -> ToolAnnotations:
    """The protocol's hints, all explicit."""
    return ToolAnnotations(
        title=title,
        read_only_hint=hints.read_only,
        destructive_hint=hints.destructive,
        idempotent_hint=hints.idempotent,
        open_world_hint=hints.open_world,
    )


def operation_meta(operation: Operation) -> dict[str, Any]:
    """Which operation of the API a tool is, and how grave."""
    return {
        META_PREFIX + "operation": operation.key,
        META_PREFIX + "http": f"{operation.method} {operation.path}",
        META_PREFIX + "level": operation.level,
    }
