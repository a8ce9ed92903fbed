"""The tools that a server lists, and how a called name is run. The surface changes what is listed, never what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from saasus_mcp.catalog import Operation, UnknownTool
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import nearest_names
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.offers.time_tools import time_tools
from saasus_mcp.server.pipeline.call import Call, PendingElicitation, mention_current_name
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.results.select_tool import select_tool
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.compact_tools import CompactTools
from saasus_mcp.server.surface.job_lookup import JobHints, JobLookup
from saasus_mcp.server.surface.narrowing import exclusion_reason, require_not_excluded
from saasus_mcp.server.surface.toolsets import SurfaceKind


class ToolSurface:
    """The surface of one pipeline. Every tool can be called by its name, listed or not.

    Args:
        kind: `full` lists every operation, `compact` five tools that run any operation.
        toolsets: if not empty, only their operations are listed, with either kind.
        extra_tools: further built-in tools. One with a toolset is listed like an operation of the toolset.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        language: Language,
        kind: SurfaceKind = "full",
        *,
        toolsets: frozenset[str] = frozenset(),
        extra_tools: Iterable[BuiltinTool] = (),
    ) -> None:
        extra_tools = tuple(extra_tools)
        jobs = JobLookup(extra_tools, language)
        self._hints = JobHints(jobs)
        self._compact = CompactTools(pipeline, language, jobs, self._hints)
        compact, read_and_select = self._compact.tools(), self._compact.read_and_select()
        common = (*time_tools(), select_tool(pipeline.results))
        self.kind: SurfaceKind = kind
        self.toolsets = toolsets
        self._pipeline = pipeline
        listed = (*compact, *common) if kind == "compact" else (*common, read_and_select)
        self._listed = (*listed, *(tool for tool in extra_tools if not tool.present_name))
        self._builtin = {tool.name: tool for tool in (*compact, *common, read_and_select, *extra_tools)}

    def list_tools(self, principal: Principal) -> list[BuiltinTool | Operation]:
        """Return the listed tools of which the policy allows this principal any call: built-in tools first."""
        builtin = [tool for tool in self._listed if not tool.toolset or self._shows(tool.toolset)]
        builtin = [tool for tool in builtin if tool.could_allow(principal) and not exclusion_reason(tool, principal)]
        if self.kind == "compact" and not self.toolsets:
            return [*builtin]
        operations = self._pipeline.list_operations(principal)
        return [*builtin, *(each for each in operations if self._shows(each.toolset))]

    def _shows(self, toolset: str) -> bool:
        return toolset in self.toolsets if self.toolsets else self.kind == "full"

    async def run(self, call: Call) -> ToolAnswer | PendingElicitation:
        """Return the answer of a call, or the question that a person must answer first."""
        if call.deadline is None:
            call = replace(call, deadline=self._pipeline.deadline_for(call))
        try:
            tool = self._builtin.get(call.name) or self._operation(call.name, call.principal)
            if isinstance(tool, BuiltinTool):
                require_not_excluded(tool, call.principal)
            answer = await (tool.handle(call) if isinstance(tool, BuiltinTool) else self._pipeline.run(call))
        except SaasusMcpError as error:
            return await self._pipeline.reject(call, error)
        if isinstance(answer, PendingElicitation) or not answer.ok:
            return answer
        if isinstance(tool, BuiltinTool):
            # A tool that repeats an answer of the API has already truncated it, with the calls it was made from.
            return await self._pipeline.results.truncate(answer, call.principal, ResultOrigin(tool.name, ()))
        answer = self._hints.add_note(tool, call.principal, answer, self._pipeline.clock())
        truncated = await self._pipeline.truncate(tool, answer, call.principal)
        return mention_current_name(self._pipeline.catalogue, call.name, truncated)

    def _operation(self, name: str, principal: Principal) -> Operation:
        """Return the operation of this name.

        Raises:
            UnknownTool: there is no such operation. The error names the nearest tools that the policy allows this caller.
        """
        operation = self._pipeline.catalogue.get(name)
        if operation is None:
            nearest = (*nearest_names(name, self._builtin), *self._compact.nearest_tools(name, principal))
            raise UnknownTool(name, nearest)
        return operation

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """Return the schema of the arguments of a tool, or None if there is no such tool."""
        if name in self._builtin:
            return self._builtin[name].input_schema
        operation = self._pipeline.catalogue.get(name)
        return None if operation is None else operation.input_schema
