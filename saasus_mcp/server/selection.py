"""The tool that picks from a large answer."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Text
from saasus_mcp.saasus.answer import ToolAnswer, failed
from saasus_mcp.server import large_work
from saasus_mcp.server.call import Call
from saasus_mcp.server.own import OwnTool, answered, closed
from saasus_mcp.server.results import Results


def tool(results: Results) -> OwnTool:
    """`select_from_result`, over the answers kept for the caller."""

    async def run(call: Call) -> ToolAnswer:
        whole = await results.read(call.arguments["id"], call.principal)
        if whole is None:
            return failed("There is no such result.", "Results last 24 hours; make the call again.")
        form = call.arguments.get("format", "json")
        expression = call.arguments["expression"]
        picked = await large_work.run(call.principal.id, lambda: _selected(whole.value, expression, form))
        return await results.fit(picked, call.principal, whole.source)

    return OwnTool(
        name="select_from_result",
        title=Text("Select from a large answer", "大きな応答からの抽出"),
        description="Pick from an answer that was cut, by JMESPath.",
        input_schema=closed(
            ("id", "expression"),
            id={"type": "string", "maxLength": 80},
            expression={"type": "string", "maxLength": 1000},
            format={"type": "string", "enum": ["json", "csv"]},
        ),
        run=run,
    )


def _selected(whole: Any, expression: str, form: str) -> ToolAnswer:
    from saasus_mcp.server.selecting import as_csv, select  # noqa: PLC0415 - only where something was cut

    picked = select(whole, expression)
    return answered({"result": as_csv(picked) if form == "csv" else picked})
