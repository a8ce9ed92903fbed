"""Which tools are listed, and how a name that a client calls is run. Presentation, never authority."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from saasus_mcp.catalog import Language, Operation, UnknownTool
from saasus_mcp.catalog.catalogue import LONGEST_SHOWN
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server import clock, selection
from saasus_mcp.server.call import Asking, Call, under_present_name
from saasus_mcp.server.compact import Compact
from saasus_mcp.server.narrowing import require, why_not
from saasus_mcp.server.own import OwnTool
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.results import Source
from saasus_mcp.server.toolsets import Kind


class Surface:
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
        kind: Kind = "full",
        toolsets: frozenset[str] = frozenset(),
        more: Iterable[OwnTool] = (),
    ) -> None:
        self._compact = Compact(pipeline, language)
        compact, reading = self._compact.tools(), self._compact.read_and_select()
        always, more = (*clock.tools(), selection.tool(pipeline.results)), tuple(more)
        self.kind: Kind = kind
        self.toolsets = toolsets
        self._pipeline = pipeline
        self._listed = (*compact, *always, *more) if kind == "compact" else (*always, reading, *more)
        self._own = {tool.name: tool for tool in (*compact, *always, reading, *more)}

    def listed(self, principal: Principal) -> list[OwnTool | Operation]:
        """Our own tools, then operations: those of which some call could be anything but denied to this principal."""
        own = [tool for tool in self._listed if not tool.toolset or self._shows(tool.toolset)]
        own = [tool for tool in own if tool.could_allow(principal) and not why_not(tool, principal)]
        if self.kind == "compact" and not self.toolsets:
            return [*own]
        operations = self._pipeline.listed(principal)
        return [*own, *(each for each in operations if self._shows(each.toolset))]

    def _shows(self, toolset: str) -> bool:
        return toolset in self.toolsets if self.toolsets else self.kind == "full"

    async def run(self, call: Call) -> ToolAnswer | Asking:
        """The answer of a call, or the question that a person must answer first."""
        call = replace(call, deadline=self._pipeline.deadline(call))
        try:
            tool = self._own.get(call.name) or self._operation(call.name, call.principal)
            if isinstance(tool, OwnTool):
                require(tool, call.principal)
            given = await (tool.answer(call) if isinstance(tool, OwnTool) else self._pipeline.run(call))
        except SaasusMcpError as error:
            return await self._pipeline.refused(call, error)
        if isinstance(given, Asking) or not given.ok:
            return given
        if isinstance(tool, OwnTool):
            # One that tells what the API answered has cut its answer already, under the calls that it was made of.
            return await self._pipeline.results.fit(given, call.principal, Source(tool.name, ()))
        fitted = await self._pipeline.cut(call, given)
        return under_present_name(self._pipeline.catalogue, call.name, fitted)

    def _operation(self, name: str, principal: Principal) -> Operation:
        """The operation of this name.

        Raises:
            UnknownTool: there is none; the nearest that this caller could be allowed, tools of our own among them.
        """
        try:
            return self._pipeline.catalogue.find(name)
        except UnknownTool:
            from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

            own = get_close_matches(name[:LONGEST_SHOWN], self._own)
            raise UnknownTool(name, (*own, *self._compact.nearest(name, principal))) from None

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The schema of a tool's arguments; None where there is no such tool."""
        if name in self._own:
            return self._own[name].input_schema
        try:
            return self._pipeline.catalogue.find(name).input_schema
        except UnknownTool:
            return None
