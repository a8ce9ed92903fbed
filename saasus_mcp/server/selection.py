"""Picking from an answer: the tool that picks from a kept one, and reads that give only what was picked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saasus_mcp.catalog import Text
from saasus_mcp.catalog.model import Schema
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.saasus.answer import ToolAnswer, compact, failed
from saasus_mcp.server import large_work
from saasus_mcp.server.call import Call
from saasus_mcp.server.own import OwnTool, answered, closed
from saasus_mcp.server.results import Results

SELECT: Schema = {"type": "string", "maxLength": 1000, "description": "JMESPath over the full response"}
FIELD = "select"


def tool(results: Results) -> OwnTool:
    """`select_from_result`, over the answers kept for the caller."""

    async def run(call: Call) -> ToolAnswer:
        whole = await results.read(call.arguments["id"], call.principal)
        if whole is None:
            return failed("Unknown result.", "Results are kept for 24 hours; repeat the call.")
        form = call.arguments.get("format", "json")
        expression = call.arguments["expression"]
        picked = await large_work.run(call.principal.id, lambda: _selected(whole.value, expression, form))
        return await results.fit(picked, call.principal, whole.source)

    return OwnTool(
        name="select_from_result",
        title=Text("Select from a large response", "大きな応答からの抽出"),
        description="Pick from a truncated response, by JMESPath.",
        input_schema=closed(
            ("id", "expression"),
            id={"type": "string", "maxLength": 80},
            expression={"type": "string", "maxLength": SELECT["maxLength"]},
            format={"type": "string", "enum": ["json", "csv"]},
        ),
        run=run,
    )


def _selected(whole: Any, expression: str, form: str) -> ToolAnswer:
    from saasus_mcp.server.selecting import as_csv, select  # noqa: PLC0415 - only where something was cut

    picked = select(whole, expression)
    return answered({"result": as_csv(picked) if form == "csv" else picked})


def check_select(expression: str) -> None:
    """See that an expression can be evaluated, before anything is read for it. Empty text is no expression.

    Raises:
        InvalidArguments: it is no JMESPath, or calls a function that does not exist.
    """
    if expression:
        from saasus_mcp.server.selecting import parse  # noqa: PLC0415 - only where something is picked

        parse(expression, FIELD)


async def selected(given: ToolAnswer, expression: str, principal: Principal) -> ToolAnswer:
    """The answer of a read with what the expression finds in it alone; the answer itself where there is no expression.

    Raises:
        InvalidArguments: the expression does not fit the answer, or would cost too much.
    """
    if not expression:
        return given
    from saasus_mcp.server.selecting import select  # noqa: PLC0415 - only where something is picked

    whole = given.structured if given.structured is not None else given.text

    def picked() -> ToolAnswer:
        found = {"result": select(whole, expression, FIELD)}
        return replace(given, text=compact(found) + given.note, structured=found)

    return await large_work.run(principal.id, picked)
