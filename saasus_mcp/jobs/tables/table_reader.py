"""Tables as rows under columns: a CSV text with any usual separator, or a list of records."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.tables.cells import is_filled
from saasus_mcp.jobs.tables.table_reading import SEPARATORS, XLSX, TableReading

MAX_TABLE_ROWS = 5_000
MAX_COLUMNS = 500
MAX_CELLS = 100_000
SAMPLE_ROWS = 20
"""Rows that are compared to find the separator."""
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?[\r\n]', re.IGNORECASE)
"""The first line that names the separator to Excel."""
CSV_FAULTS = {"unexpected end": "open_quote", "expected after": "after_quote", "field limit": "long_cell"}
"""What errors of the csv module contain, and the messages for them."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row that is not blank.

    Attributes:
        number: of the line on which it begins, as a text editor counts them, or of the record.
        cells: by column: texts of a CSV, any JSON values of a record.
        is_too_long: whether there are more filled cells than headings.
    """

    number: int
    cells: Mapping[str, Any]
    is_too_long: bool = False


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table, and how it was understood."""

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    reading: TableReading


def read_table(
    content: object, argument: str, column_of: Callable[[str], str] = str.strip, encoding: str = ""
) -> InputTable:
    """Return the rows of a CSV text or of a list of records.

    Blank rows are left out, also before the headings, and so are columns without a heading.

    Args:
        argument: the argument that the table comes from, for errors.
        column_of: returns the column that a heading names.
        encoding: of the file that the table was read from, for the reading.

    Raises:
        InvalidArguments: it is not such a table, two headings name one column, or it is too large.
    """
    if isinstance(content, str):
        text = content.removeprefix("\ufeff")
        separator = _find_separator(text, argument)
        numbered = _numbered_rows(text, separator, argument, counts_rows=encoding == XLSX)
        before, headings = next(
            ((rows, cells) for rows, (_, cells) in enumerate(numbered) if is_filled(cells)), (0, ())
        )
        columns = _name_columns(headings, column_of, argument)
        rows = (_split_row(number, cells, columns) if is_filled(cells) else None for number, cells in numbered)
    elif isinstance(content, list) and all(isinstance(record, dict) for record in content):
        separator, before = "", 0
        headings = list(dict.fromkeys(name for record in content[: MAX_TABLE_ROWS + 1] for name in record))
        columns = _name_columns(headings, column_of, argument)
        by_heading = dict(zip(headings, columns, strict=True))
        rows = (
            TableRow(number, {by_heading[name]: value for name, value in record.items() if by_heading[name]})
            if any(is_filled(value) for value in record.values())
            else None
            for number, record in enumerate(content[: MAX_TABLE_ROWS + 1], 1)
        )
    else:
        raise InvalidArguments.at((argument,), "jobs_tables.no_table")
    named = {column: heading.strip() for heading, column in zip(headings, columns, strict=True) if column}
    found, blank = _bounded(rows, len(named), argument)
    if separator and len(named) == 1 and any(map(_has_more_cells, found[:SAMPLE_ROWS])):
        title = message("jobs_tables.title_row", title=Quoted(next(iter(named.values()))))
        raise InvalidArguments((argument,), title, message("jobs_tables.title_row_hint"))
    reading = TableReading(SEPARATORS.get(separator, ""), len(found), named, encoding, before + blank)
    return InputTable(tuple(named), found, reading)


def require_rows(table: InputTable, argument: str) -> None:
    """Raise InvalidArguments if the table has no rows."""
    if not table.rows:
        raise InvalidArguments((argument,), message("jobs_tables.empty"), message("jobs_tables.no_table_hint"))


def _find_separator(text: str, argument: str) -> str:
    """Return the mark that splits the headings, and every row into as many cells. Raise InvalidArguments if several marks do."""
    separator_line = SEPARATOR_LINE.match(text)
    if separator_line is not None:
        return separator_line[1]
    widths = {mark: width for mark in SEPARATORS if (width := _widths(text, mark)) and width[0] > 1}
    even = {mark: width for mark, width in widths.items() if set(width) == {width[0]}} or widths
    most = max((width[0] for width in even.values()), default=0)
    found = [mark for mark, width in even.items() if width[0] == most] or [","]
    if len(found) > 1:
        raise InvalidArguments(
            (argument,), message("jobs_tables.separator_unclear"), message("jobs_tables.separator_hint")
        )
    return found[0]


def _widths(text: str, mark: str) -> list[int]:
    """Return the number of cells of the first rows; none if the text is not such a CSV."""
    try:
        rows = [row for row in islice(_reader(text, mark), SAMPLE_ROWS) if is_filled(row)]
    except csv.Error:
        return []
    return [len(row) for row in rows]


def _reader(text: str, mark: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=mark)


def _numbered_rows(
    text: str, separator: str, argument: str, *, counts_rows: bool
) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rows with their numbers.

    Args:
        counts_rows: a number is that of the row, as a spreadsheet shows it, and not that of its first line.
    """
    reader = _reader(text, separator)
    first = 1
    try:
        if SEPARATOR_LINE.match(text):
            next(reader)
        first = reader.line_num + 1
        for number, cells in enumerate(reader, first):
            yield number if counts_rows else first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        fault = next((fault for words, fault in CSV_FAULTS.items() if words in str(error)), "other")
        problem = message("jobs_tables.line_not_csv", line=first, error=one_of("jobs_tables.csv_fault", fault))
        raise InvalidArguments((argument,), problem, message("jobs_tables.no_table_hint")) from None


def _name_columns(headings: Sequence[str], column_of: Callable[[str], str], argument: str) -> list[str]:
    """Return the column of each heading; an empty one for a blank heading."""
    if len(headings) > MAX_COLUMNS:
        raise _too_large(argument)
    columns = [column_of(heading) if heading.strip() else "" for heading in headings]
    seen: dict[str, str] = {}
    for heading, column in zip(headings, columns, strict=True):
        if column and column in seen:
            first, second = Quoted(seen[column]), Quoted(heading.strip())
            problem = message("jobs_tables.column_twice", first=first, second=second, column=column)
            raise InvalidArguments((argument,), problem, message("jobs_tables.column_twice_hint"))
        seen[column] = heading.strip()
    return columns


def _split_row(number: int, cells: Sequence[str], columns: Sequence[str]) -> TableRow:
    named = {column: cell for column, cell in zip(columns, cells, strict=False) if column}
    named |= dict.fromkeys((column for column in columns[len(cells) :] if column), "")
    unnamed = [cell for cell, column in zip(cells, columns, strict=False) if not column]
    return TableRow(number, named, is_filled([*unnamed, *cells[len(columns) :]]))


def _has_more_cells(row: TableRow) -> bool:
    """Return whether a row below one heading has more cells. Tabs split no row if the first line has none."""
    return row.is_too_long or any("\t" in cell for cell in row.cells.values())


def _bounded(rows: Iterable[TableRow | None], width: int, argument: str) -> tuple[tuple[TableRow, ...], int]:
    """Return the rows that are not blank, and the number of the others."""
    found: list[TableRow] = []
    blank = 0
    for row in rows:
        if row is None:
            blank += 1
            continue
        found.append(row)
        if len(found) > MAX_TABLE_ROWS or len(found) * width > MAX_CELLS:
            raise _too_large(argument)
    return tuple(found), blank


def _too_large(argument: str) -> InvalidArguments:
    path = (argument,)
    return InvalidArguments.at(path, "jobs_tables.too_large", rows=MAX_TABLE_ROWS, columns=MAX_COLUMNS, cells=MAX_CELLS)
