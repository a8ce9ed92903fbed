"""What jobs have in common that make calls: from a table of their own columns to the report row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted, one_line
from saasus_mcp.jobs.calls.call_planner import CallPlanner, ListOptions
from saasus_mcp.jobs.calls.entries import CallEntry, read_call_table
from saasus_mcp.jobs.calls.row_faults import faults_of
from saasus_mcp.jobs.job_context import GroupResult, JobContext, outcome_of
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_question import format_notes
from saasus_mcp.jobs.job_reader import JobReader, require_one_of
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.tables.cells import ColumnNames, cell_text
from saasus_mcp.jobs.tables.table_reader import TableRow
from saasus_mcp.jobs.tables.table_reading import reading_notes
from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX

SOURCES = ("rows", "csv", "result")
MAX_LABEL = 80
"""Characters of a cell by which a fault names its row."""
HEADINGS = ColumnNames(
    {
        "tenant": ("テナント", "テナント名", "テナントID", "tenant_id", "tenant_name"),
        "plan": ("プラン", "料金プラン", "next_plan_id"),
        "when": ("適用日", "適用日時", "using_next_plan_from"),
        "tax": ("税率", "next_plan_tax_rate_id"),
        "user": ("ユーザー", "メールアドレス", "email", "user_id"),
        "env": ("環境", "環境情報", "環境ID", "env_id"),
        "roles": ("ロール", "役割", "役割(ロール)", "role_names"),
    },
    {ATTRIBUTE_PREFIX: ("属性.",)},
)
ListedRows = tuple[ListOptions, Sequence[TableRow]]
RowCalls = Callable[[TableRow], Awaitable[Sequence[Mapping[str, Any]]]]
"""Returns the calls of one row, each with tool and arguments. A row without calls is as requested already."""


async def read_rows(
    reader: JobReader,
    args: Mapping[str, Any],
    required: Sequence[str],
    optional: Sequence[str] = (),
    headings: ColumnNames = HEADINGS,
) -> ListedRows:
    """Return the rows of the table, with their cells by column.

    Args:
        required: the columns. A name that ends with `.` stands for one or more columns that begin so.
        optional: the columns that the table may have as well.
        headings: finds the columns.

    Raises:
        InvalidArguments: it is no such table. Without a column, no row could be run, so rows are not left out for that.
    """
    argument, content = require_one_of(args, *SOURCES), args.get("rows")
    if argument != "rows":
        argument, content = await reader.load_input(args, "csv", "result")
    table = await reader.run_in_thread(lambda: read_call_table(content, argument, headings.find, reader.encoding))
    prefixes = [name for name in required if name.endswith(".")]
    columns = {
        name: next((each for each in prefixes if name.startswith(each)), name)
        for row in table.rows
        for name in row.cells
    }
    shown = {name: headings.shown(name, "NAME" if name.endswith(".") else "") for name in (*required, *optional)}
    other = sorted(name for name, column in columns.items() if column not in (*required, *optional))
    missing = tuple(shown[name] for name in required if name not in columns.values())
    if other or missing:
        fault = message("jobs_calls.other_column", column=Quoted(other[0])) if other else None
        fault = fault or message("jobs_calls.missing_columns", columns=missing)
        raise InvalidArguments((argument,), fault, message("jobs_calls.columns_hint", columns=tuple(shown.values())))
    return ListOptions.of(args, argument, table.reading), table.rows


def list_rows(args: Mapping[str, Any], argument: str) -> ListedRows:
    """Return a list of names or ids as rows."""
    rows = [TableRow(number, {argument: value}) for number, value in enumerate(args[argument], 1)]
    return ListOptions.of(args, argument), rows


async def plan_rows(reader: JobReader, listed: ListedRows, make: RowCalls, headings: ColumnNames = HEADINGS) -> Plan:
    options, rows = listed
    planner = CallPlanner(reader, options, lambda argument: headings.shown(headings.find(argument)))
    entries: list[CallEntry] = []
    for row in rows:
        try:
            calls = await make(row)
        except SaasusMcpError as error:
            for fault in faults_of(row.number, _first_cell(row), error):
                planner.add_fault(fault)
            continue
        if not calls:
            planner.add_unchanged(row.number, _first_cell(row))
        entries += [
            CallEntry(
                row.number, row.number, "", str(call["tool"]), call["arguments"], tabular=True, label=_first_cell(row)
            )
            for call in calls
        ]
    return await planner.plan(entries)


def text_of(row: TableRow, column: str) -> str:
    """Return the text of a cell, empty without one."""
    return cell_text(row.cells.get(column, ""))


def required_text(row: TableRow, column: str) -> str:
    """Return the text of a cell.

    Raises:
        InvalidArguments: it is empty.
    """
    text = text_of(row, column)
    if not text:
        raise InvalidArguments((column,), message("jobs_calls.empty_cell"))
    return text


def _first_cell(row: TableRow) -> str:
    return next((one_line(str(value), MAX_LABEL) for value in row.cells.values() if value not in ("", None)), "")


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
