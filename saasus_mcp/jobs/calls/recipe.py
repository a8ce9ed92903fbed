"""What jobs have in common that make calls from a table of their own columns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.calls.call_planner import CallPlanner, ListOptions
from saasus_mcp.jobs.calls.entries import CallEntry, CallTable, read_call_table
from saasus_mcp.jobs.calls.row_faults import faults_of
from saasus_mcp.jobs.job_reader import JobReader, require_one_of
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.period import parse_zone
from saasus_mcp.jobs.tables.cells import cell_text, narrow, parse_date
from saasus_mcp.jobs.tables.column_names import ColumnNames
from saasus_mcp.jobs.tables.table_reader import TableRow
from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX

SOURCES = ("rows", "csv", "result")
HEADINGS = ColumnNames(
    {
        "tenant": ("テナント", "テナント名", "テナントID", "tenant_id", "tenant_name"),
        "plan": ("プラン", "料金プラン", "next_plan_id"),
        "when": ("適用日", "適用日時"),
        "user": ("ユーザー", "メールアドレス", "email", "user_id"),
        "env": ("環境", "環境情報", "環境ID", "env_id"),
        "roles": ("ロール", "役割", "役割(ロール)", "role_names"),
    },
    {ATTRIBUTE_PREFIX: ("属性.",)},
)
RowCalls = Callable[[TableRow], Awaitable[Sequence[Mapping[str, Any]]]]
"""Returns the calls of one row, each with tool and arguments. A row without calls is as requested already."""


async def read_rows(reader: JobReader, args: Mapping[str, Any], required: Sequence[str]) -> CallTable:
    """Return the table, with its rows by column.

    Args:
        required: the columns. A name that ends with `.` stands for one or more columns that begin so.

    Raises:
        InvalidArguments: it is no such table. Without a column, no row could be run, so rows are not left out for that.
    """
    argument, content = require_one_of(args, *SOURCES), args.get("rows")
    if argument != "rows":
        argument, content = await reader.load_input(args, "csv", "result")
    table = await reader.run_in_thread(lambda: read_call_table(content, argument, HEADINGS.find, reader.encoding))
    columns = {name: _column_of(name, required) for row in table.rows for name in row.cells}
    shown = {name: HEADINGS.shown(name, "NAME" if name.endswith(".") else "") for name in required}
    other = sorted(name for name, column in columns.items() if column not in required)
    missing = tuple(shown[name] for name in required if name not in columns.values())
    if other or missing:
        fault = message("jobs_calls.other_column", column=Quoted(other[0])) if other else None
        fault = fault or message("jobs_calls.missing_columns", columns=missing)
        raise InvalidArguments((argument,), fault, message("jobs_calls.columns_hint", columns=tuple(shown.values())))
    return table


def _column_of(name: str, required: Sequence[str]) -> str:
    """Return the required column that a heading stands for, or the heading itself."""
    return next((each for each in required if each.endswith(".") and name.startswith(each)), name)


def list_table(argument: str, values: Sequence[str]) -> CallTable:
    """Return a list of names or ids as a table."""
    return CallTable(argument, tuple(TableRow(number, {argument: value}) for number, value in enumerate(values, 1)))


async def plan_rows(reader: JobReader, args: Mapping[str, Any], table: CallTable, make: RowCalls) -> Plan:
    planner = CallPlanner(reader, ListOptions.of(args, table.argument, table.reading))
    entries: list[CallEntry] = []
    for row in table.rows:
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


def parse_moment(text: str, args: Mapping[str, Any], column: str) -> int:
    """Return epoch seconds: as given, or the start of a day, or a time of day in ISO form in the zone of the job.

    Raises:
        InvalidArguments: it is no moment.
    """
    text = narrow(text)
    if text.isdecimal():
        return int(text)
    zone = parse_zone(args)
    try:
        return int(datetime.combine(datetime.fromisoformat(parse_date(text)), time(), zone).timestamp())
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArguments((column,), message("jobs_calls.no_moment", text=Quoted(text))) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())


def _first_cell(row: TableRow) -> str:
    return next((str(value)[:80] for value in row.cells.values() if value not in ("", None)), "")
