"""Operations as MCP tools, exactly as the catalogue holds them."""

from typing import Any

from mcp.types import Tool, ToolAnnotations

from saasus_mcp.catalog import Language, Operation

META = "saasus.io/"


def tool(operation: Operation, language: Language) -> Tool:
    """The tool of one operation; its hints come from the table of effects, never from the HTTP verb."""
    title = operation.title.get(language)
    return Tool(
        name=operation.tool,
        title=title,
        description=operation.terse,
        input_schema=operation.input_schema,
        output_schema=operation.output_schema,
        annotations=hints(operation, title),
        _meta=meta(operation),
    )


def hints(operation: Operation, title: str) -> ToolAnnotations:
    """The protocol's hints, all explicit, in the protocol's own meanings."""
    effects = operation.effects
    return ToolAnnotations(
        title=title,
        read_only_hint=operation.reads,
        destructive_hint=not (operation.reads or effects.adds_only),
        idempotent_hint=effects.idempotent,
        open_world_hint=effects.email != "no" or bool(effects.outside),
    )


def meta(operation: Operation) -> dict[str, Any]:
    """Which operation of the API a tool is, and how grave."""
    return {
        META + "operation": operation.key,
        META + "http": f"{operation.method} {operation.path}",
        META + "level": operation.level,
    }
