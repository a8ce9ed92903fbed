"""The rows of a table that becomes calls: a CSV text, or a stored result that is a list of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.tables.cells import cell_text
from saasus_mcp.jobs.tables.table_reader import TableRow, read_table, require_rows
from saasus_mcp.jobs.tables.table_reading import TableReading

MAX_ROWS = 500
MAX_HEADING = 80


@dataclass(frozen=True, slots=True)
class CallTable:
    """Rows that become calls. A cell is a text, a number, a truth value or None.

    Attributes:
        argument: the argument that the table comes from, for errors.
        reading: None for a list that is no table.
    """

    argument: str
    rows: tuple[TableRow, ...]
    reading: TableReading | None = None


def read_call_table(
    content: object, argument: str, column_of: Callable[[str], str] = str.strip, encoding: str = ""
) -> CallTable:
    """Return the rows that are not blank.

    Args:
        column_of: returns the column that a heading names.
        encoding: of the file that the table was read from, for the reading.

    Raises:
        InvalidArguments: it is not such a table, or it has no row or too many.
    """
    table = read_table(content, argument, column_of, encoding)
    require_rows(table, argument)
    if len(table.rows) > MAX_ROWS:
        fault = message("jobs_calls.table_too_large", rows=MAX_ROWS)
        raise InvalidArguments((argument,), fault, message("jobs_calls.too_many_calls_hint"))
    rows = tuple(TableRow(row.number, _read_cells(row, argument)) for row in table.rows)
    return CallTable(argument, rows, table.reading)


def _read_cells(row: TableRow, argument: str) -> Mapping[str, Any]:
    if row.is_too_long:
        fault = message("jobs_calls.long_row", row=row.number)
        raise InvalidArguments((argument,), fault, message("jobs_calls.table_hint"))
    for column, value in row.cells.items():
        if isinstance(value, dict | list):
            name = Quoted(column[:MAX_HEADING])
            fault = message("jobs_calls.nested_cell", row=row.number, column=name)
            raise InvalidArguments((argument,), fault, message("jobs_calls.table_hint"))
    return {name: cell_text(value) if isinstance(value, str) else value for name, value in row.cells.items()}
