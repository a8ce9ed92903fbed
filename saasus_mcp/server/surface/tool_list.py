"""Operations and built-in tools as MCP tools, and their serialized form in `tools/list`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcp.types import ListToolsResult, Tool, ToolAnnotations
from mcp_types.methods import serialize_server_result

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.jobs import JOBS_TOOLSET
from saasus_mcp.catalog.model import REASON_ARGUMENT
from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Language
from saasus_mcp.server.apps.extension import app_of_operation, tool_ui, with_ui
from saasus_mcp.server.surface.annotations import ToolHints
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.provider_schema import provider_input_schema, provider_output_schema

META_PREFIX = "saasus.io/"
LIST_TOOLS_METHOD = "tools/list"
UNLISTED_KEYWORDS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "default"})


def operation_tool(operation: Operation, language: Language) -> Tool:
    title = operation.title.text(language)
    return Tool(
        name=operation.tool,
        title=title,
        description=operation.terse,
        input_schema=provider_input_schema(operation.input_schema),
        output_schema=provider_output_schema(operation.output_schema),
        annotations=_annotations(ToolHints.of_operation(operation), title),
        _meta={
            META_PREFIX + "operation": operation.key,
            META_PREFIX + "http": f"{operation.method} {operation.path}",
            META_PREFIX + "level": operation.level,
        },
    )


def builtin_tool(tool: BuiltinTool, language: Language) -> Tool:
    """Return the MCP tool of a built-in tool."""
    title = tool.title.text(language)
    return Tool(
        name=tool.name,
        title=title,
        description=tool.description,
        input_schema=_listed_schema(tool),
        output_schema=None if tool.output_schema is None else provider_output_schema(tool.output_schema),
        annotations=_annotations(tool.hints(), title),
    )


def _listed_schema(tool: BuiltinTool) -> Schema:
    """Return the schema of a tool's arguments without sizes and defaults, which would cost every client tokens.

    A call is checked against the whole schema. Jobs, of which there are many, do not describe the reason either.
    """
    schema: Schema = _without_limits(provider_input_schema(tool.input_schema))
    properties = schema.get("properties", {})
    if tool.toolset == JOBS_TOOLSET and REASON_ARGUMENT in properties:
        return {**schema, "properties": {**properties, REASON_ARGUMENT: {"type": "string"}}}
    return schema


def _without_limits(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_limits(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_limits(value)
        for name, value in schema.items()
        if name not in UNLISTED_KEYWORDS or isinstance(value, dict)
    }


def _annotations(hints: ToolHints, title: str) -> ToolAnnotations:
    return ToolAnnotations(
        title=title,
        read_only_hint=hints.read_only,
        destructive_hint=hints.destructive,
        idempotent_hint=hints.idempotent,
        open_world_hint=hints.open_world,
    )


def ui_of(tool: BuiltinTool | Operation) -> dict[str, Any]:
    """Return `_meta.ui` of a tool, for clients that show apps."""
    if isinstance(tool, BuiltinTool):
        return tool_ui(tool.app, for_apps=tool.for_apps)
    return tool_ui(app_of_operation(tool))


class ToolListCache:
    """Serialized tools, by protocol version, name and whether the client shows apps, for every caller.

    The SDK would serialize and validate some two hundred tools for each request. That takes about 70 ms of processor time,
    during which every other caller waits.
    """

    def __init__(self, language: Language) -> None:
        self._language = language
        self._serialized: dict[tuple[str, str, bool], dict[str, Any]] = {}

    def serialize(
        self, tools: Iterable[BuiltinTool | Operation], version: str, *, apps: bool = False
    ) -> list[dict[str, Any]]:
        """Return the tools as the SDK sends them in a protocol version. Do not change the result: it is shared.

        Args:
            apps: whether the client shows apps.
        """
        return [self._serialize(tool, version, apps=apps) for tool in tools]

    def _serialize(self, tool: BuiltinTool | Operation, version: str, *, apps: bool) -> dict[str, Any]:
        key = version, tool.name if isinstance(tool, BuiltinTool) else tool.tool, apps
        if key not in self._serialized and apps:
            self._serialized[key] = with_ui(self._serialize(tool, version, apps=False), ui_of(tool))
        if key not in self._serialized:
            mcp_tool = (
                builtin_tool(tool, self._language)
                if isinstance(tool, BuiltinTool)
                else operation_tool(tool, self._language)
            )
            result = ListToolsResult(tools=[mcp_tool], ttl_ms=0, cache_scope="private")
            dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
            [self._serialized[key]] = serialize_server_result(LIST_TOOLS_METHOD, version, dumped)["tools"]
        return self._serialized[key]
