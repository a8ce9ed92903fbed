"""The compact surface: five tools that find, describe and run any operation, through the same pipeline as its own tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from saasus_mcp.catalog import Language, Operation, Text, UnknownTool
from saasus_mcp.catalog.catalogue import LONGEST_SHOWN, NEAREST
from saasus_mcp.catalog.model import Schema
from saasus_mcp.permissions import narrowed
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.server.call import Asking, Call, under_present_name
from saasus_mcp.server.describing import brief, describe
from saasus_mcp.server.hints import Hints
from saasus_mcp.server.own import OwnTool, answered, closed
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.reason import REASON
from saasus_mcp.server.selection import SELECT, check_select, selected
from saasus_mcp.server.toolsets import CALLS, READ_AND_SELECT

TITLES: Mapping[str, Text] = {
    "call_read": Text("Run a reading operation", "参照の操作を実行"),
    "call_write": Text("Run a writing operation", "変更の操作を実行"),
    "call_destructive": Text("Run a destructive operation", "削除など重大な操作を実行"),
}
ASKS: Mapping[str, str] = {
    "call_read": "",
    "call_write": "; a person may be asked first",
    "call_destructive": "; a person is asked first, or must approve elsewhere",
}
NAME: Schema = {"type": "string", "description": "from search_operations"}
ARGUMENTS: Schema = {"type": "object", "description": "see describe_operation"}
USUAL, MOST = 8, 50
SELECTS = "call_read takes `select`: JMESPath over the full response."
NOTHING = "No match. Try other English or Japanese words for the action and its object."

FOUND: Schema = {
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


class Compact:
    """The tools in front of one pipeline.

    Args:
        language: of titles.
    """

    def __init__(self, pipeline: Pipeline, language: Language) -> None:
        self._pipeline = pipeline
        self._language: Language = language

    def tools(self) -> tuple[OwnTool, ...]:
        """All five."""
        return (
            OwnTool(
                name="search_operations",
                title=Text("Search operations", "操作を検索"),
                description="Find SaaSus operations by what they do, in English or Japanese; best first.",
                input_schema=closed(
                    ("query",),
                    query={"type": "string"},
                    limit={"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
                ),
                output_schema=FOUND,
                run=self._search,
            ),
            OwnTool(
                name="describe_operation",
                title=Text("Describe an operation", "操作の詳細"),
                description="One operation in full: arguments, effects, policy decision for you, what a person is shown, an example.",
                input_schema=closed(("name",), name=NAME),
                run=self._describe,
            ),
            *(self._calling(name, levels) for name, levels in CALLS.items()),
        )

    def _calling(self, name: str, levels: tuple[str, str]) -> OwnTool:
        reached = [operation for operation in self._pipeline.catalogue if operation.level in levels]
        more = {"select": SELECT} if name == "call_read" else {"reason": REASON}
        return OwnTool(
            name=name,
            title=TITLES[name],
            description=f"Run an operation of level {levels[0]} or {levels[1]}{ASKS[name]}.",
            input_schema=closed(("name",), name=NAME, arguments=ARGUMENTS, **more),
            run=self._runner(levels),
            hints=Hints.of_any(reached),
            could_allow=lambda principal: any(self._allowed(operation, principal) for operation in reached),
        )

    def read_and_select(self) -> OwnTool:
        """The tool that reads and picks from the answer where operations are listed under their own names."""
        reading = self._calling("call_read", CALLS["call_read"])
        return replace(
            reading,
            name=READ_AND_SELECT,
            title=Text("Read and select", "参照と抽出"),
            description="Run a reading tool and pick from its full response, by JMESPath.",
            input_schema=closed(
                ("name", "select"), name={"type": "string"}, arguments={"type": "object"}, select=SELECT
            ),
        )

    def _runner(self, levels: tuple[str, str]) -> Callable[[Call], Awaitable[ToolAnswer | Asking]]:
        async def run(call: Call) -> ToolAnswer | Asking:
            given_for = call.arguments.get("reason", call.reason)
            inner = replace(
                call, name=call.arguments["name"], arguments=call.arguments.get("arguments", {}), reason=given_for
            )
            expression = call.arguments.get("select", "")
            try:
                self._require_level(inner, levels)
                check_select(expression)
            except (InvalidArguments, Refused) as error:
                return await self._pipeline.refused(inner, error)
            given = await self._pipeline.run(inner)
            if isinstance(given, Asking) or not given.ok:
                return given
            fitted = await self._pipeline.cut(inner, await selected(given, expression, call.principal))
            return under_present_name(self._pipeline.catalogue, inner.name, fitted)

        return run

    async def _search(self, call: Call) -> ToolAnswer:
        limit = call.arguments.get("limit", USUAL)
        found = list(islice(self._found(call.arguments["query"], call.principal), limit))
        rows = [brief(operation, self._language) for operation in found]
        hint = SELECTS if any(operation.reads for operation in found) else ""
        hint = hint if rows else NOTHING
        return answered({"operations": rows, **({"hint": hint} if hint else {})})

    async def _describe(self, call: Call) -> ToolAnswer:
        operation, pipeline = self._known(call.arguments["name"], call.principal), self._pipeline
        described = describe(operation, call.principal, pipeline.policy, pipeline.place.profile, self._language)
        return answered({"call": caller(operation), **described})

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
        narrowed.require(operation, call.principal)
        if operation.level not in levels:
            raise InvalidArguments(("name",), f"{operation.tool} is {operation.level}.", f"Use {caller(operation)}.")

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

    def nearest(self, name: str, principal: Principal) -> list[str]:
        """The tools of operations that a mistaken name may have meant and that this caller could ever be allowed."""
        near = self._pipeline.catalogue.index.nearest(name, len(self._pipeline.catalogue))
        return [each.tool for each in near if self._allowed(each, principal)][:NEAREST]

    def _missing(self, name: str, principal: Principal) -> InvalidArguments:
        nearest = self.nearest(name, principal)
        mend = f"Nearest: {', '.join(nearest)}." if nearest else "Use search_operations to find operations."
        return InvalidArguments(("name",), f"there is no operation {name[:LONGEST_SHOWN]!r}.", mend)

    def _found(self, query: str, principal: Principal) -> Iterator[Operation]:
        """What a query finds of that which this caller could ever be allowed, best first."""
        catalogue = self._pipeline.catalogue
        hits = catalogue.index.search(query, len(catalogue))
        return (hit.operation for hit in hits if self._allowed(hit.operation, principal))

    def _allowed(self, operation: Operation, principal: Principal) -> bool:
        return self._pipeline.policy.could_allow(operation, principal, self._pipeline.place.profile)


def caller(operation: Operation) -> str:
    """The calling tool that runs an operation."""
    return next(name for name, levels in CALLS.items() if operation.level in levels)
