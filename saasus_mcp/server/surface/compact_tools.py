"""The compact surface: five tools that find, describe and run any operation, through the same pipeline as its own tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from saasus_mcp.catalog import Operation, UnknownTool
from saasus_mcp.catalog.catalogue import MAX_SHOWN_NAME, MAX_SUGGESTIONS
from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.common.language import Language, Text
from saasus_mcp.permissions.policy import wrappers
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation, mention_current_name
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.stated_reason import REASON_SCHEMA
from saasus_mcp.server.results.select_tool import SELECT_SCHEMA, check_expression, select_from_answer
from saasus_mcp.server.surface.annotations import ToolHints
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer
from saasus_mcp.server.surface.tool_description import describe_operation, summarize_operation
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS, READ_AND_SELECT

CALL_TOOL_TITLES: Mapping[str, Text] = {
    "call_read": Text("Run a reading operation", "参照の操作を実行"),
    "call_write": Text("Run a writing operation", "変更の操作を実行"),
    "call_destructive": Text("Run a destructive operation", "削除など重大な操作を実行"),
}
CALL_TOOL_NOTES: Mapping[str, str] = {
    "call_read": "",
    "call_write": "; a person may be asked first",
    "call_destructive": "; a person is asked first, or must approve elsewhere",
}
NAME_SCHEMA: Schema = {"type": "string", "description": "from search_operations"}
ARGUMENTS_SCHEMA: Schema = {"type": "object", "description": "see describe_operation"}
DEFAULT_HITS, MAX_HITS = 8, 50
SELECT_HINT = "call_read takes `select`: JMESPath over the full response."
NO_MATCH_HINT = "No match. Try other English or Japanese words for the action and its object."

SEARCH_OUTPUT_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "operations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **{name: {"type": "string"} for name in ("name", "title", "level", "line")},
                    "required": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "hint": {"type": "string"},
    },
}


class CompactTools:
    """The tools in front of one pipeline.

    Args:
        language: of titles.
    """

    def __init__(self, pipeline: Pipeline, language: Language) -> None:
        self._pipeline = pipeline
        self._language: Language = language

    def tools(self) -> tuple[BuiltinTool, ...]:
        """All five."""
        return (
            BuiltinTool(
                name="search_operations",
                title=Text("Search operations", "操作を検索"),
                description="Find SaaSus operations by what they do, in English or Japanese; best first.",
                input_schema=object_schema(
                    ("query",),
                    query={"type": "string"},
                    limit={"type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": DEFAULT_HITS},
                ),
                output_schema=SEARCH_OUTPUT_SCHEMA,
                run=self._search,
            ),
            BuiltinTool(
                name="describe_operation",
                title=Text("Describe an operation", "操作の詳細"),
                description="One operation in full: arguments, effects, policy decision for you, what a person is shown, an example.",
                input_schema=object_schema(("name",), name=NAME_SCHEMA),
                run=self._describe,
            ),
            *(self._calling(name, levels) for name, levels in CALL_TOOL_LEVELS.items()),
        )

    def _calling(self, name: str, levels: tuple[str, str]) -> BuiltinTool:
        reached = [operation for operation in self._pipeline.catalogue if operation.level in levels]
        more = {"select": SELECT_SCHEMA} if name == "call_read" else {"reason": REASON_SCHEMA}
        return BuiltinTool(
            name=name,
            title=CALL_TOOL_TITLES[name],
            description=f"Run an operation of level {levels[0]} or {levels[1]}{CALL_TOOL_NOTES[name]}.",
            input_schema=object_schema(("name",), name=NAME_SCHEMA, arguments=ARGUMENTS_SCHEMA, **more),
            run=self._runner(levels),
            hints=ToolHints.of_operations(reached),
            could_allow=lambda principal: any(self._allowed(operation, principal) for operation in reached),
        )

    def read_and_select(self) -> BuiltinTool:
        """The tool that reads and picks from the answer where operations are listed under their own names."""
        reading = self._calling("call_read", CALL_TOOL_LEVELS["call_read"])
        return replace(
            reading,
            name=READ_AND_SELECT,
            title=Text("Read and select", "参照と抽出"),
            description="Run a reading tool and pick from its full response, by JMESPath.",
            input_schema=object_schema(
                ("name", "select"), name={"type": "string"}, arguments={"type": "object"}, select=SELECT_SCHEMA
            ),
        )

    def _runner(self, levels: tuple[str, str]) -> Callable[[Call], Awaitable[ToolAnswer | PendingElicitation]]:
        async def run(call: Call) -> ToolAnswer | PendingElicitation:
            given_for = call.arguments.get("reason", call.reason)
            inner = replace(
                call, name=call.arguments["name"], arguments=call.arguments.get("arguments", {}), reason=given_for
            )
            expression = call.arguments.get("select", "")
            try:
                self._require_level(inner, levels)
                check_expression(expression)
            except (InvalidArguments, CallRefused) as error:
                return await self._pipeline.reject(inner, error)
            given = await self._pipeline.run(inner)
            if isinstance(given, PendingElicitation) or not given.ok:
                return given
            fitted = await self._pipeline.truncate(inner, await select_from_answer(given, expression, call.principal))
            return mention_current_name(self._pipeline.catalogue, inner.name, fitted)

        return run

    async def _search(self, call: Call) -> ToolAnswer:
        limit = call.arguments.get("limit", DEFAULT_HITS)
        found = list(islice(self._found(call.arguments["query"], call.principal), limit))
        rows = [summarize_operation(operation, self._language) for operation in found]
        hint = SELECT_HINT if any(operation.reads for operation in found) else ""
        hint = hint if rows else NO_MATCH_HINT
        return structured_answer({"operations": rows, **({"hint": hint} if hint else {})})

    async def _describe(self, call: Call) -> ToolAnswer:
        operation, pipeline = self._known(call.arguments["name"], call.principal), self._pipeline
        described = describe_operation(
            operation, call.principal, pipeline.policy, pipeline.destination.profile, self._language
        )
        return structured_answer({"call": call_tool_for(operation), **described})

    def _require_level(self, call: Call, levels: tuple[str, str]) -> None:
        """See that the operation that is to be called is of one of these levels.

        Raises:
            InvalidArguments: there is none of that name, or it is not of one of these levels.
            Refused: the caller's connection leaves it out.
        """
        try:
            operation = self._pipeline.catalogue.find(call.name)
        except UnknownTool:
            raise self._missing(call.name, call.principal) from None
        wrappers.require_not_narrowed(operation, call.principal)
        if operation.level not in levels:
            raise InvalidArguments(
                ("name",), f"{operation.tool} is {operation.level}.", f"Use {call_tool_for(operation)}."
            )

    def _known(self, name: str, principal: Principal) -> Operation:
        """The operation of this name, if this caller could ever be allowed it.

        Raises:
            InvalidArguments: there is none, or none for this caller, which is told in the same words.
        """
        catalogue = self._pipeline.catalogue
        try:
            operation = catalogue.find(name)
        except UnknownTool:
            operation = None
        if operation is not None and self._allowed(operation, principal):
            return operation
        raise self._missing(name, principal)

    def nearest_tools(self, name: str, principal: Principal) -> list[str]:
        """The tools of operations that a mistaken name may have meant and that this caller could ever be allowed."""
        near = self._pipeline.catalogue.index.nearest(name, len(self._pipeline.catalogue))
        return [each.tool for each in near if self._allowed(each, principal)][:MAX_SUGGESTIONS]

    def _missing(self, name: str, principal: Principal) -> InvalidArguments:
        nearest = self.nearest_tools(name, principal)
        mend = f"Nearest: {', '.join(nearest)}." if nearest else "Use search_operations to find operations."
        return InvalidArguments(("name",), f"there is no operation {name[:MAX_SHOWN_NAME]!r}.", mend)

    def _found(self, query: str, principal: Principal) -> Iterator[Operation]:
        """What a query finds of that which this caller could ever be allowed, best first."""
        catalogue = self._pipeline.catalogue
        hits = catalogue.index.search(query, len(catalogue))
        return (hit.operation for hit in hits if self._allowed(hit.operation, principal))

    def _allowed(self, operation: Operation, principal: Principal) -> bool:
        return self._pipeline.policy.could_allow(operation, principal, self._pipeline.destination.profile)


def call_tool_for(operation: Operation) -> str:
    """The calling tool that runs an operation."""
    return next(name for name, levels in CALL_TOOL_LEVELS.items() if operation.level in levels)
