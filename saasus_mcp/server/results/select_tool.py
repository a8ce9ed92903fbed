"""The selection of parts of an answer by JMESPath."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.results.result_store import ResultStore
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer

SELECT_SCHEMA: Schema = {"type": "string", "maxLength": 1000, "description": "JMESPath over the full response"}
SELECT_FIELD = "select"
NOT_FOUND = "The expression finds null, or no list where CSV needs one."
MAX_FIELDS = 30
"""Fields of a stored value that a hint names."""


def select_tool(results: ResultStore) -> BuiltinTool:
    """Return the tool `select_from_result`, which selects from the stored answers of the caller."""

    async def run(call: Call) -> ToolAnswer:
        result = await results.read(call.arguments["id"], call.principal)
        if result is None:
            return failed_answer(message("server.result_unknown"), message("server.result_unknown_hint"))
        expression, output_format = call.arguments["expression"], call.arguments.get("format", "json")

        def select() -> ToolAnswer:
            from saasus_mcp.server.results.jmespath_query import format_csv, run_query  # noqa: PLC0415 - only if used

            selected = run_query(result.value, expression)
            if selected is None or (output_format == "csv" and not isinstance(selected, list)):
                return structured_answer({"result": selected, "hint": f"{NOT_FOUND} {describe_root(result.value)}"})
            return structured_answer({"result": format_csv(selected) if output_format == "csv" else selected})

        answer = await worker_threads.run_in_worker(call.principal.id, select)
        return await results.truncate(answer, call.principal, result.origin)

    return BuiltinTool(
        name="select_from_result",
        title=one_of("server.tool_title", "select_from_result"),
        description="Pick from a truncated response, by JMESPath.",
        input_schema=object_schema(
            ("id", "expression"),
            id={"type": "string", "maxLength": 80},
            expression={"type": "string", "maxLength": SELECT_SCHEMA["maxLength"]},
            format={"type": "string", "enum": ["json", "csv"]},
        ),
        run=run,
        app="table",
    )


def describe_root(value: Any) -> str:
    """Return what an expression starts from: the fields of an object or of the items of a list."""
    if isinstance(value, dict):
        fields = [f"{name} ({_kind(each)})" for name, each in [*value.items()][:MAX_FIELDS]]
        return f"The root is an object with {', '.join(fields) or 'no fields'}."
    if isinstance(value, list):
        first = value[0] if value else None
        fields = [*first][:MAX_FIELDS] if isinstance(first, dict) else []
        return (
            f"The root is a list of {len(value)} objects with {', '.join(fields)}."
            if fields
            else f"The root is a {_kind(value)}."
        )
    return f"The root is a {_kind(value)}: the expression @ returns it whole."


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"list of {len(value)}"
    return {dict: "object", str: "text", bool: "boolean", type(None): "null"}.get(type(value), "number")


def check_expression(expression: str) -> None:
    """Check an expression before anything is read for it. An empty text is valid.

    Raises:
        InvalidArguments: the expression is not JMESPath, or calls an unknown function.
    """
    if expression:
        from saasus_mcp.server.results.jmespath_query import parse_expression  # noqa: PLC0415 - only if used

        parse_expression(expression, SELECT_FIELD)


async def select_from_answer(answer: ToolAnswer, expression: str, principal: Principal) -> ToolAnswer:
    """Return the answer of a read with only the result of the expression. An empty expression selects everything.

    Raises:
        InvalidArguments: the expression does not fit the answer, or costs too much.
    """
    if not expression:
        return answer
    from saasus_mcp.server.results.jmespath_query import run_query  # noqa: PLC0415 - only if used

    full: Any = answer.structured if answer.structured is not None else answer.text

    def select() -> ToolAnswer:
        selected = {"result": run_query(full, expression, SELECT_FIELD)}
        return replace(answer, text=compact_json(selected) + answer.note, structured=selected)

    return await worker_threads.run_in_worker(principal.id, select)
