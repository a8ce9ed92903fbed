"""Tools of our own, beside the operations of the API: checked as strictly, answered in the same way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Text
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.saasus import arguments, validation
from saasus_mcp.saasus.tool_answer import ToolAnswer, compact_json
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.surface.annotations import LOOKUP_HINTS, ToolHints


@dataclass(frozen=True, slots=True, eq=False)
class BuiltinTool:
    """One tool of our own.

    Attributes:
        description: terse English, for the model.
        input_schema: of an object; what it does not declare is refused.
        run: answers a call whose arguments fit the schema, or raises a SaasusMcpError; any other exception is a defect, of
            which the client is told nothing.
        could_allow: whether some call of this principal could be anything but denied; else it is not listed.
        output_schema: what the answer's structured part satisfies; None where it may be anything.
        toolset: with whose operations it is listed; empty where it always is.
    """

    name: str
    title: Text
    description: str
    input_schema: Schema
    run: Callable[[Call], Awaitable[ToolAnswer | PendingElicitation]]
    output_schema: Schema | None = None
    hints: ToolHints = LOOKUP_HINTS
    could_allow: Callable[[Principal], bool] = lambda _: True
    toolset: str = ""

    async def handle(self, call: Call) -> ToolAnswer | PendingElicitation:
        """The answer of a call with whatever arguments a client sends.

        Raises:
            SaasusMcpError: they do not fit, or what they ask for cannot be had.
        """
        large = worker_threads.is_large(call.arguments)
        values = (
            await worker_threads.run_in_worker(call.principal.id, lambda: self._fit(call)) if large else self._fit(call)
        )
        return await self.run(replace(call, arguments=values))

    def _fit(self, call: Call) -> dict[str, Any]:
        values = arguments.parse_plain_arguments(self.name, self.input_schema, call.arguments)
        validation.validate_schema(self.input_schema, values)
        return values


def object_schema(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """The schema of a tool's arguments. What is not a declared property is refused (saasus.validation)."""
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def structured_answer(value: dict[str, Any]) -> ToolAnswer:
    """An answer that is all data."""
    return ToolAnswer(True, compact_json(value), value)
