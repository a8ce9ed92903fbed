"""Which tools are listed, and how a name that a client calls is run. Presentation, never authority."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from saasus_mcp.catalog import Operation, UnknownTool
from saasus_mcp.catalog.catalogue import MAX_SHOWN_NAME
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.offers import time_tools
from saasus_mcp.server.pipeline.call import Call, PendingElicitation, mention_current_name
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.results import select_tool
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.compact_tools import CompactTools
from saasus_mcp.server.surface.narrowing import exclusion_reason, require_not_excluded
from saasus_mcp.server.surface.toolsets import SurfaceKind


class ToolSurface:
    """What one server shows of one pipeline. Every tool answers to its name, listed or not.

    Args:
        language: of titles.
        kind: `full` lists every operation, `compact` five tools that reach them all.
        toolsets: where given, only their operations are listed; with `compact`, they are listed too.
        more: further tools of our own, listed in either; one that has a toolset like an operation of it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        language: Language,
        kind: SurfaceKind = "full",
        toolsets: frozenset[str] = frozenset(),
        extra_tools: Iterable[BuiltinTool] = (),
    ) -> None:
        self._compact = CompactTools(pipeline, language)
        compact, reading = self._compact.tools(), self._compact.read_and_select()
        always, extra_tools = (*time_tools.time_tools(), select_tool.select_tool(pipeline.results)), tuple(extra_tools)
        self.kind: SurfaceKind = kind
        self.toolsets = toolsets
        self._pipeline = pipeline
        self._listed = (*compact, *always, *extra_tools) if kind == "compact" else (*always, reading, *extra_tools)
        self._own = {tool.name: tool for tool in (*compact, *always, reading, *extra_tools)}

    def list_tools(self, principal: Principal) -> list[BuiltinTool | Operation]:
        """Our own tools, then operations: those of which some call could be anything but denied to this principal."""
        own = [tool for tool in self._listed if not tool.toolset or self._shows(tool.toolset)]
        own = [tool for tool in own if tool.could_allow(principal) and not exclusion_reason(tool, principal)]
        if self.kind == "compact" and not self.toolsets:
            return [*own]
        operations = self._pipeline.list_operations(principal)
        return [*own, *(each for each in operations if self._shows(each.toolset))]

    def _shows(self, toolset: str) -> bool:
        return toolset in self.toolsets if self.toolsets else self.kind == "full"

    async def run(self, call: Call) -> ToolAnswer | PendingElicitation:
        """The answer of a call, or the question that a person must answer first."""
        call = replace(call, deadline=self._pipeline.deadline_for(call))
        try:
            tool = self._own.get(call.name) or self._operation(call.name, call.principal)
            if isinstance(tool, BuiltinTool):
                require_not_excluded(tool, call.principal)
            given = await (tool.handle(call) if isinstance(tool, BuiltinTool) else self._pipeline.run(call))
        except SaasusMcpError as error:
            return await self._pipeline.reject(call, error)
        if isinstance(given, PendingElicitation) or not given.ok:
            return given
        if isinstance(tool, BuiltinTool):
            # One that tells what the API answered has cut its answer already, under the calls that it was made of.
            return await self._pipeline.results.truncate(given, call.principal, ResultOrigin(tool.name, ()))
        fitted = await self._pipeline.truncate(call, given)
        return mention_current_name(self._pipeline.catalogue, call.name, fitted)

    def _operation(self, name: str, principal: Principal) -> Operation:
        """The operation of this name.

        Raises:
            UnknownTool: there is none; the nearest that this caller could be allowed, tools of our own among them.
        """
        try:
            return self._pipeline.catalogue.find(name)
        except UnknownTool:
            from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

            own = get_close_matches(name[:MAX_SHOWN_NAME], self._own)
            raise UnknownTool(name, (*own, *self._compact.nearest_tools(name, principal))) from None

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The schema of a tool's arguments; None where there is no such tool."""
        if name in self._own:
            return self._own[name].input_schema
        try:
            return self._pipeline.catalogue.find(name).input_schema
        except UnknownTool:
            return None
