"""The rows of a table whose cells fill a template: a CSV text, or a stored result that is a list of records."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.tables.cells import cell_text

MAX_ROWS = 500
MAX_COLUMNS = 100
MARKS = (",", "\t", ";")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its line, and its cells by column. A cell is a text, a number, a truth value or None."""

    number: int
    cells: Mapping[str, Any]


def read_table(content: object, argument: str) -> list[TableRow]:
    """Return the rows that are not blank.

    Raises:
        InvalidArguments: it is not a table, or it has no row or too many.
    """
    rows = _records(content, argument) if isinstance(content, list) else _lines(content, argument)
    rows = [row for row in rows if any(value not in ("", None) for value in row.cells.values())]
    if not rows:
        raise InvalidArguments((argument,), message("jobs_calls.no_rows"), message("jobs_calls.table_hint"))
    if len(rows) > MAX_ROWS or max(len(row.cells) for row in rows) > MAX_COLUMNS:
        raise InvalidArguments(
            (argument,),
            message("jobs_calls.table_too_large", rows=MAX_ROWS, columns=MAX_COLUMNS),
            message("jobs_calls.too_many_calls_hint"),
        )
    return rows


def _records(content: list[Any], argument: str) -> list[TableRow]:
    rows = []
    for number, record in enumerate(content[: MAX_ROWS + 1], 1):
        if not isinstance(record, dict):
            raise _no_table(argument)
        for name, value in record.items():
            if isinstance(value, dict | list):
                fault = message("jobs_calls.nested_cell", row=number, column=str(name)[:80])
                raise InvalidArguments((argument,), fault, message("jobs_calls.table_hint"))
        rows.append(TableRow(number, {str(name).strip(): value for name, value in record.items()}))
    return rows


def _lines(content: object, argument: str) -> list[TableRow]:
    if not isinstance(content, str):
        raise _no_table(argument)
    text = content.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    mark = next((each for each in MARKS if each in first), ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="", restval="", delimiter=mark)
    rows: list[TableRow] = []
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if len(set(names)) != len(names) or "" in names:
            raise InvalidArguments((argument,), message("jobs_calls.headings"), message("jobs_calls.table_hint"))
        reader.fieldnames = names
        for record in reader:
            if "" in record:
                fault = message("jobs_calls.long_row", row=reader.line_num)
                raise InvalidArguments((argument,), fault, message("jobs_calls.table_hint"))
            rows.append(TableRow(reader.line_num, {name: cell_text(value) for name, value in record.items()}))
            if len(rows) > MAX_ROWS * 2:
                break
    except csv.Error as error:
        fault = message("jobs_calls.not_csv", error=str(error))
        raise InvalidArguments((argument,), fault, message("jobs_calls.table_hint")) from None
    return rows


def _no_table(argument: str) -> InvalidArguments:
    return InvalidArguments((argument,), message("jobs_calls.no_table"), message("jobs_calls.table_hint"))
