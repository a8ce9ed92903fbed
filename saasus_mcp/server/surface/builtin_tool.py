"""The tools of this server that are not operations. Arguments and answers follow the same rules as those of operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.common.messages import Localized, message
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus import arguments, validation
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.apps.extension import AppName
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.results.result_store import RESULTS_URI
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.surface.annotations import LOOKUP_HINTS, ToolHints


@dataclass(frozen=True, slots=True, eq=False)
class BuiltinTool:
    """A tool of this server that is not an operation.

    Attributes:
        description: terse English, for the model.
        input_schema: of an object. An undeclared argument is refused.
        run: answers a call whose arguments fit the schema, or raises a SaasusMcpError. The client sees no text of another error.
        could_allow: returns whether the policy allows this principal any call. If not, the tool is not listed.
        output_schema: of the structured answer. None if it may be anything.
        hints: returns the annotations. Only a list needs them, and those of some tools need every operation of the catalogue.
        toolset: the tool is listed with the operations of this toolset. Empty if it is always listed.
        present_name: the name of the tool that replaced this one, which is then not listed. Empty for any other tool.
        app: the MCP app that shows the answers.
        for_apps: whether apps may call the tool.
    """

    name: str
    title: Localized
    description: str
    input_schema: Schema
    run: Callable[[Call], Awaitable[ToolAnswer | PendingElicitation]]
    output_schema: Schema | None = None
    hints: Callable[[], ToolHints] = lambda: LOOKUP_HINTS
    could_allow: Callable[[Principal], bool] = lambda _: True
    toolset: str = ""
    present_name: str = ""
    app: AppName | None = None
    for_apps: bool = False

    async def handle(self, call: Call) -> ToolAnswer | PendingElicitation:
        """Check the arguments that a client sent, and run the tool.

        Raises:
            SaasusMcpError: the arguments do not fit, or the tool cannot answer.
        """
        values = await worker_threads.run_by_size(call.principal.id, call.arguments, lambda: self._checked(call))
        return await self.run(replace(call, arguments=values))

    def _checked(self, call: Call) -> dict[str, Any]:
        values = arguments.parse_plain_arguments(self.name, self.input_schema, call.arguments)
        _require_result_elsewhere(self.input_schema, values)
        validation.validate_schema(self.input_schema, values)
        return values


def _require_result_elsewhere(schema: Schema, values: Mapping[str, Any]) -> None:
    """Raise InvalidArguments, with the right argument, if the address of a result is the value of one that takes the content itself."""
    if "result" not in schema["properties"]:
        return
    for name, value in values.items():
        if not name.endswith("result") and isinstance(value, str) and value.startswith(RESULTS_URI):
            right = "other_result" if name.startswith("other_") else "result"
            raise InvalidArguments(
                (name,), message("jobs.result_elsewhere"), message("jobs.result_elsewhere_hint", name=right)
            )


def object_schema(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return the schema of the arguments of a tool. An undeclared argument is refused (see `saasus.validation`)."""
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def structured_answer(value: dict[str, Any]) -> ToolAnswer:
    """Return an answer of data only."""
    return ToolAnswer(True, compact_json(value), value)
