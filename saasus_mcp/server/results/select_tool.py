"""Picking from an answer: the tool that picks from a kept one, and reads that give only what was picked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Text
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer, compact_json, failed_answer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.results.result_store import ResultStore
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer

SELECT_SCHEMA: Schema = {"type": "string", "maxLength": 1000, "description": "JMESPath over the full response"}
SELECT_FIELD = "select"


def select_tool(results: ResultStore) -> BuiltinTool:
    """`select_from_result`, over the answers kept for the caller."""

    async def run(call: Call) -> ToolAnswer:
        whole = await results.read(call.arguments["id"], call.principal)
        if whole is None:
            return failed_answer("Unknown result.", "Results are kept for 24 hours; repeat the call.")
        form = call.arguments.get("format", "json")
        expression = call.arguments["expression"]
        picked = await worker_threads.run_in_worker(call.principal.id, lambda: _selected(whole.value, expression, form))
        return await results.truncate(picked, call.principal, whole.origin)

    return BuiltinTool(
        name="select_from_result",
        title=Text("Select from a large response", "大きな応答からの抽出"),
        description="Pick from a truncated response, by JMESPath.",
        input_schema=object_schema(
            ("id", "expression"),
            id={"type": "string", "maxLength": 80},
            expression={"type": "string", "maxLength": SELECT_SCHEMA["maxLength"]},
            format={"type": "string", "enum": ["json", "csv"]},
        ),
        run=run,
    )


def _selected(whole: Any, expression: str, form: str) -> ToolAnswer:
    from saasus_mcp.server.results.jmespath_query import format_csv, run_query  # noqa: PLC0415 - only where something was cut

    picked = run_query(whole, expression)
    return structured_answer({"result": format_csv(picked) if form == "csv" else picked})


def check_expression(expression: str) -> None:
    """See that an expression can be evaluated, before anything is read for it. Empty text is no expression.

    Raises:
        InvalidArguments: it is no JMESPath, or calls a function that does not exist.
    """
    if expression:
        from saasus_mcp.server.results.jmespath_query import parse_expression  # noqa: PLC0415 - only where something is picked

        parse_expression(expression, SELECT_FIELD)


async def select_from_answer(given: ToolAnswer, expression: str, principal: Principal) -> ToolAnswer:
    """The answer of a read with what the expression finds in it alone; the answer itself where there is no expression.

    Raises:
        InvalidArguments: the expression does not fit the answer, or would cost too much.
    """
    if not expression:
        return given
    from saasus_mcp.server.results.jmespath_query import run_query  # noqa: PLC0415 - only where something is picked

    whole = given.structured if given.structured is not None else given.text

    def picked() -> ToolAnswer:
        found = {"result": run_query(whole, expression, SELECT_FIELD)}
        return replace(given, text=compact_json(found) + given.note, structured=found)

    return await worker_threads.run_in_worker(principal.id, picked)
