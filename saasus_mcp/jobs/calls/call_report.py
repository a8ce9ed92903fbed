"""The end of a list of calls: run in its order, and reported row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.job_context import GroupResult, JobContext, outcome_of
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_question import format_notes
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.tables.table_reading import reading_notes


async def run_calls(work: JobContext, plan: Plan) -> JobResult:
    """Run the calls of a plan, and report the outcome of each row."""
    data = plan.data
    if data["only_plan"] or not plan.groups:
        rows = [{"outcome": "planned", **_without_step(row)} for row in data["rows"]]
        notes = format_notes((*plan.volatile_facts, *plan.facts)) if data["only_plan"] else reading_notes(data)
        return JobResult(Counter(row["outcome"] for row in rows), rows, notes=notes)
    results = await work.run_phases(plan.groups, data["phases"], data["needs"], stop_at_failure=data["stop"])
    by_step: dict[str, GroupResult | None] = {
        step.step: results.get(group.name) for group in plan.groups for step in group.steps
    }
    rows = [_finished_row(row, by_step, work.language) for row in data["rows"]]
    return JobResult(
        Counter(row["outcome"] for row in rows),
        rows,
        secrets=_secrets(rows, by_step, data["rows"]),
        notes=reading_notes(data),
    )


def _without_step(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "step"}


def _finished_row(
    row: Mapping[str, Any], by_step: Mapping[str, GroupResult | None], language: Language
) -> dict[str, Any]:
    """Return the row of a call with its outcome, and the reason if it was not applied."""
    step, told = row.get("step"), _without_step(row)
    if step is None:
        return told
    result = by_step[step]
    if result is not None and step in (result.answers or {}):
        return {**told, "outcome": "applied"}
    if result is None or result.failed_step == step:
        return {**told, **outcome_of(result)}
    return {**told, "outcome": "not_begun", "why": message("jobs_calls.earlier_call_failed").text(language)}


def _secrets(
    rows: list[dict[str, Any]], by_step: Mapping[str, GroupResult | None], planned: list[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the handles of new secrets by row. Only a person can take them out."""
    handles: dict[str, str] = {}
    for row, plan in zip(rows, planned, strict=True):
        step = plan.get("step")
        result = by_step.get(step) if step else None
        answer = (result.answers or {}).get(step) if result is not None and step else None
        for name, value in (answer or {}).items() if isinstance(answer, dict) else ():
            if isinstance(value, str) and value.startswith("secret://"):
                handles[f"{row['row']} {row.get('target', '')} {name}".strip()] = value
    return handles
