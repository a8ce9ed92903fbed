"""The compact surface: five tools that find, describe and run any operation through the pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.catalogue import MAX_SUGGESTIONS
from saasus_mcp.catalog.model import REASON_ARGUMENT, REASON_SCHEMA
from saasus_mcp.catalog.search import MAX_QUERY_LENGTH
from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import MAX_SHOWN_NAME
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.wrappers import require_not_narrowed
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation, mention_current_name
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.results.select_tool import SELECT_SCHEMA, check_expression, select_from_answer
from saasus_mcp.server.surface.annotations import ToolHints
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer
from saasus_mcp.server.surface.job_lookup import JobHints, JobLookup
from saasus_mcp.server.surface.tool_description import describe_operation, summarize_operation
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS, READ_AND_SELECT

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
PERSON_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "undoes a change of this server with `saasus-mcp undo`": (
        "undo",
        "revert",
        "roll back",
        "rollback",
        "元に戻",
        "巻き戻",
        "さっきの",
        "直前の",
    ),
    "sees what waits for approval with `saasus-mcp approvals`": ("pending approval", "waiting approval", "承認待ち"),
    "reads who did what through this server with `saasus-mcp audit search`": (
        "audit log",
        "audit trail",
        "who changed",
        "who did",
        "監査ログ",
        "誰が変更",
        "誰がやった",
    ),
    "stops all writes with `saasus-mcp freeze`": ("freeze", "stop all writes", "凍結", "書き込みを止"),
}
"""What only a person does, with the words that ask for it."""

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
        "jobs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **{name: {"type": "string"} for name in ("name", "call", "title", "line")},
                    "required": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "hint": {"type": "string"},
    },
}


@dataclass(frozen=True, slots=True)
class CompactTools:
    """The tools of the compact surface for one pipeline. `hints`: leads from repeated calls to a job."""

    pipeline: Pipeline
    language: Language
    jobs: JobLookup
    hints: JobHints

    def tools(self) -> tuple[BuiltinTool, ...]:
        return (
            BuiltinTool(
                name="search_operations",
                title=one_of("server.tool_title", "search_operations"),
                description="Find SaaSus operations and jobs by what they do, in English or Japanese; best first.",
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
                title=one_of("server.tool_title", "describe_operation"),
                description="One operation or job in full: arguments, effects, policy decision for you, what a person is shown, an example.",
                input_schema=object_schema(("name",), name=NAME_SCHEMA),
                run=self._describe,
            ),
            *(self._call_tool(name, levels) for name, levels in CALL_TOOL_LEVELS.items()),
        )

    def _call_tool(self, name: str, levels: tuple[str, str]) -> BuiltinTool:
        def operations() -> Iterator[Operation]:
            return (operation for operation in self.pipeline.catalogue if operation.level in levels)

        more = {"select": SELECT_SCHEMA} if name == "call_read" else {REASON_ARGUMENT: REASON_SCHEMA}
        return BuiltinTool(
            name=name,
            title=one_of("server.tool_title", name),
            description=f"Run an operation of level {levels[0]} or {levels[1]}{CALL_TOOL_NOTES[name]}.",
            input_schema=object_schema(("name",), name=NAME_SCHEMA, arguments=ARGUMENTS_SCHEMA, **more),
            run=self._runner(levels),
            hints=lambda: ToolHints.of_operations(operations()),
            could_allow=lambda principal: any(self._allowed(operation, principal) for operation in operations()),
            app="table" if name == "call_read" else "approval",
        )

    def read_and_select(self) -> BuiltinTool:
        """Return the tool of the full surface that reads and selects from the answer."""
        levels = CALL_TOOL_LEVELS["call_read"]
        return replace(
            self._call_tool("call_read", levels),
            run=self._runner(levels, lists_all=True),
            name=READ_AND_SELECT,
            title=one_of("server.tool_title", "read_and_select"),
            description="Run a reading tool and pick from its full response, by JMESPath.",
            input_schema=object_schema(
                ("name", "select"), name={"type": "string"}, arguments={"type": "object"}, select=SELECT_SCHEMA
            ),
        )

    def _runner(
        self, levels: tuple[str, str], *, lists_all: bool = False
    ) -> Callable[[Call], Awaitable[ToolAnswer | PendingElicitation]]:
        """Return what runs operations of these levels.

        Args:
            lists_all: whether the client has a tool for each operation, which an error then names.
        """

        async def run(call: Call) -> ToolAnswer | PendingElicitation:
            inner = replace(
                call,
                name=call.arguments["name"],
                arguments=call.arguments.get("arguments", {}),
                reason=call.arguments.get("reason", call.reason),
            )
            expression = call.arguments.get("select", "")
            try:
                self._require_level(inner, levels, lists_all=lists_all)
                check_expression(expression)
            except (InvalidArguments, CallRefused) as error:
                return await self.pipeline.reject(inner, error)
            answer = await self.pipeline.run(inner)
            if isinstance(answer, PendingElicitation) or not answer.ok:
                return answer
            operation = self.pipeline.catalogue.find(inner.name)
            answer = self.hints.add_note(operation, call.principal, answer, self.pipeline.clock())
            selected = await select_from_answer(answer, expression, call.principal)
            truncated = await self.pipeline.truncate(operation, selected, call.principal)
            return mention_current_name(self.pipeline.catalogue, inner.name, truncated)

        return run

    async def _search(self, call: Call) -> ToolAnswer:
        limit = call.arguments.get("limit", DEFAULT_HITS)
        found = list(islice(self._found(call.arguments["query"], call.principal), limit))
        rows = [summarize_operation(operation, self.language) for operation in found]
        hint = SELECT_HINT if any(operation.reads for operation in found) else ""
        jobs = self.jobs.search(self.pipeline.catalogue.index, call.arguments["query"], call.principal)
        hint = " ".join(filter(None, [person_hint(call.arguments["query"]), hint if rows or jobs else NO_MATCH_HINT]))
        parts = {"jobs": jobs, "operations": rows, "hint": hint}
        return structured_answer({name: part for name, part in parts.items() if part or name == "operations"})

    async def _describe(self, call: Call) -> ToolAnswer:
        job = self.jobs.find(call.arguments["name"], call.principal)
        if job is not None:
            return structured_answer(self.jobs.describe(job))
        operation, pipeline = self._known(call.arguments["name"], call.principal), self.pipeline
        described = describe_operation(
            operation, call.principal, pipeline.policy, pipeline.destination.profile, language=self.language
        )
        return structured_answer({"call": call_tool_for(operation), **described})

    def _require_level(self, call: Call, levels: tuple[str, str], *, lists_all: bool) -> None:
        """Check that the operation exists and has one of these levels.

        Raises:
            InvalidArguments: there is no such operation, or it has another level.
            CallRefused: the connection does not offer the operation.
        """
        operation = self.pipeline.catalogue.get(call.name)
        if operation is None:
            if self.jobs.find(call.name, call.principal) is not None:
                tool = call.name if lists_all else self.jobs.call_tool_for(call.name)
                hint = message("server.wrong_level_hint", tool=tool)
                raise InvalidArguments(("name",), message("server.is_job", name=call.name), hint)
            raise self._missing(call.name, call.principal)
        require_not_narrowed(operation, call.principal)
        if operation.level not in levels:
            raise InvalidArguments(
                ("name",),
                message("server.wrong_level", tool=operation.tool, level=operation.level),
                message("server.wrong_level_hint", tool=operation.tool if lists_all else call_tool_for(operation)),
            )

    def _known(self, name: str, principal: Principal) -> Operation:
        """Return the operation of this name, if the policy allows this caller any call of it.

        Raises:
            InvalidArguments: there is no such operation, or none for this caller. The text is the same in both cases.
        """
        operation = self.pipeline.catalogue.get(name)
        if operation is not None and self._allowed(operation, principal):
            return operation
        raise self._missing(name, principal)

    def nearest_tools(self, name: str, principal: Principal) -> list[str]:
        """Return the tools that a misspelled name may mean and that the policy allows this caller."""
        near = self.pipeline.catalogue.index.nearest(name, len(self.pipeline.catalogue))
        return [each.tool for each in near if self._allowed(each, principal)][:MAX_SUGGESTIONS]

    def _missing(self, name: str, principal: Principal) -> InvalidArguments:
        nearest = self.nearest_tools(name, principal)
        hint = (
            message("server.nearest_hint", names=tuple(nearest))
            if nearest
            else message("server.unknown_operation_hint")
        )
        return InvalidArguments(("name",), message("server.unknown_operation", name=repr(name[:MAX_SHOWN_NAME])), hint)

    def _found(self, query: str, principal: Principal) -> Iterator[Operation]:
        """Return the results of a search that the policy allows this caller, best first."""
        catalogue = self.pipeline.catalogue
        hits = catalogue.index.search(query, len(catalogue))
        return (hit.operation for hit in hits if self._allowed(hit.operation, principal))

    def _allowed(self, operation: Operation, principal: Principal) -> bool:
        return self.pipeline.policy.could_allow(operation, principal, self.pipeline.destination.profile)


def call_tool_for(operation: Operation) -> str:
    """Return the tool of the compact surface that runs an operation."""
    return next(name for name, levels in CALL_TOOL_LEVELS.items() if operation.level in levels)


def person_hint(query: str) -> str:
    """Return by which command a person does what a query asks for, if there is one, besides the tools found."""
    folded = query[:MAX_QUERY_LENGTH].casefold()
    asked = (action for action, words in PERSON_COMMANDS.items() if any(word in folded for word in words))
    return next((f"A person {action} in a terminal." for action in asked), "")
