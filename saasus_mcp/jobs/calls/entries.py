"""The calls of a list, as their caller wrote them: inline, or rows of a table in a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.json_tree import iterate_scalars
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.tables.cells import cell_text
from saasus_mcp.jobs.tables.table_reader import InputTable, TableRow, read_table, require_rows

COLUMN_REFERENCE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
"""A column in a template, or an escaped brace."""
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,40}")
CALL_FIELDS = frozenset({"tool", "arguments", "id"})
MAX_CHARACTERS = 4_000_000
"""Of all texts of a list together, after the cells are filled in."""
REFERENCE_KEY = "$from"
MAX_TEMPLATE_ROWS = 500
MAX_HEADING = 80


def read_call_table(
    content: object, argument: str, column_of: Callable[[str], str] = str.strip, encoding: str = ""
) -> InputTable:
    """Return the rows that are not blank. A cell is a text, a number, a truth value or None.

    Args:
        column_of: returns the column that a heading names.
        encoding: of the file that the table was read from, for the reading.

    Raises:
        InvalidArguments: it is not such a table, or it has no row or too many.
    """
    table = read_table(content, argument, column_of, encoding)
    require_rows(table, argument)
    if len(table.rows) > MAX_TEMPLATE_ROWS:
        fault = message("jobs_calls.table_too_large", rows=MAX_TEMPLATE_ROWS)
        raise InvalidArguments((argument,), fault, message("jobs_calls.too_many_calls_hint"))
    return replace(table, rows=tuple(TableRow(row.number, _read_cells(row, argument)) for row in table.rows))


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


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One call of a list.

    Attributes:
        row: the number of the call, or of the line of the table, as people count them.
        group: entries of one group run one after another, and groups in their order or independently.
        id: the name by which later calls refer to the answer, unique in the list; may be empty.
        tool, arguments: as the caller wrote them.
        undoes: the call that this one undoes, and the number of the inverse call.
        tabular: whether the arguments are cells of a table, in which a list is a text with semicolons.
        label: what people call the row of which the call is made; empty if they wrote the call themselves.
    """

    row: int
    group: int
    id: str
    tool: str
    arguments: Mapping[str, Any]
    tabular: bool = False
    undoes: tuple[str, int] | None = None
    label: str = ""

    @property
    def shown(self) -> str:
        """How a fault names the call."""
        return self.label or self.tool


def read_calls(calls: Sequence[Mapping[str, Any]]) -> list[CallEntry]:
    return [
        CallEntry(number, number, str(call.get("id", "")), str(call["tool"]), call.get("arguments") or {})
        for number, call in enumerate(calls, 1)
    ]


def fill_template(template: Sequence[Mapping[str, Any]], rows: Sequence[TableRow], limit: int) -> list[CallEntry]:
    """Return the calls of each row. Cells are inserted as they are, once: a cell is never read as a template or as JSON.

    Raises:
        InvalidArguments: the template names a column that the table does not have, or the list becomes too large.
    """
    if len(template) * len(rows) > limit:
        raise too_many_calls(len(template) * len(rows), limit)
    columns = {name for row in rows for name in row.cells}
    for number, call in enumerate(template):
        _require_call(call, number)
        _require_columns(call, columns)
    budget = _Budget()
    ids = {str(call.get("id", "")) for call in template} - {""}
    return [
        CallEntry(
            row.number,
            row.number,
            f"{row.number}/{call['id']}" if call.get("id") else "",
            str(call["tool"]),
            _fill_arguments(call.get("arguments") or {}, row, ids, budget),
            tabular=True,
        )
        for row in rows
        for call in template
    ]


def too_many_calls(count: int, limit: int) -> InvalidArguments:
    return InvalidArguments.at(("calls",), "jobs_calls.too_many_calls", count=count, limit=limit)


def _require_call(call: Mapping[str, Any], number: int) -> None:
    """Require that a call of a template has the form of a listed call."""
    texts = [call.get("tool"), call.get("id", "a")]
    fits = all(isinstance(text, str) for text in texts) and ID_PATTERN.fullmatch(str(texts[1])) is not None
    if not fits or not isinstance(call.get("arguments", {}), Mapping) or not call.keys() <= CALL_FIELDS:
        raise InvalidArguments(("template", number), message("jobs_calls.template_call"))


class _Budget:
    """Counts the characters of the filled arguments."""

    def __init__(self) -> None:
        self._left = MAX_CHARACTERS

    def charge(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise InvalidArguments(
                ("template",),
                message("jobs_calls.too_large", limit=MAX_CHARACTERS),
                message("jobs_calls.too_many_calls_hint"),
            )
        return text


def _require_columns(call: Mapping[str, Any], columns: set[str]) -> None:
    if COLUMN_REFERENCE.search(str(call["tool"])) or COLUMN_REFERENCE.search(str(call.get("id", ""))):
        raise InvalidArguments.at(("template",), "jobs_calls.fixed_tool")
    for text in iterate_scalars(call.get("arguments") or {}):
        for found in COLUMN_REFERENCE.finditer(text) if isinstance(text, str) else ():
            if found[1] is not None and found[1].strip() not in columns:
                raise InvalidArguments(
                    ("template",),
                    message("jobs_calls.unknown_column", column=Quoted(found[1])),
                    message("jobs_calls.columns_hint", columns=tuple(sorted(columns))),
                )


def _fill_arguments(arguments: Mapping[str, Any], row: TableRow, ids: set[str], budget: _Budget) -> dict[str, Any]:
    """Return the arguments with the cells of a row. An argument that is only an empty cell is left out."""
    filled = {name: _fill(value, row, ids, budget) for name, value in arguments.items()}
    return {name: value for name, value in filled.items() if value is not None}


def _fill(value: Any, row: TableRow, ids: set[str], budget: _Budget) -> Any:
    if isinstance(value, str):
        return _fill_text(value, row, budget)
    if isinstance(value, Mapping):
        if value.keys() == {REFERENCE_KEY} and isinstance(value[REFERENCE_KEY], str):
            name, dot, field = value[REFERENCE_KEY].partition(".")
            return {REFERENCE_KEY: f"{row.number}/{name}{dot}{field}" if name in ids else value[REFERENCE_KEY]}
        return _fill_arguments(value, row, ids, budget)
    if isinstance(value, list):
        return [each for item in value if (each := _fill(item, row, ids, budget)) is not None]
    return value


def _fill_text(text: str, row: TableRow, budget: _Budget) -> Any:
    """Return the text with cells in place. A text that is one column alone becomes the cell itself, None if it is empty."""
    alone = COLUMN_REFERENCE.fullmatch(text)
    if alone is not None and alone[1] is not None:
        cell = row.cells.get(alone[1].strip(), "")
        if isinstance(cell, str):
            return budget.charge(cell) or None
        return cell

    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        cell = row.cells.get(found[1].strip(), "")
        return budget.charge("" if cell is None else str(cell))

    return budget.charge(COLUMN_REFERENCE.sub(put, text))
