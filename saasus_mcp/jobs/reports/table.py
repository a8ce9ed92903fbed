"""Tables of jobs: a CSV text in the reader's language, or records with codes. Built row by row to save memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message
from saasus_mcp.server.results.jmespath_query import csv_cell

TableFormat = Literal["csv", "json"]


class Table:
    """Rows under named columns.

    A message in a heading or a cell is its text in a CSV. Records, which programs read, have its code: the last part of its id.
    Several messages in a tuple are one cell.
    """

    def __init__(self, columns: Iterable[Message | str], form: TableFormat, language: Language) -> None:
        self._language = language
        self._records: list[dict[str, Any]] = []
        self._text = io.StringIO()
        self._csv = csv.writer(self._text) if form == "csv" else None
        self._columns = [self._cell(each) for each in columns]
        self.row_count = 0
        if self._csv is not None:
            self._csv.writerow(self._columns)

    def add_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows with one value per column."""
        for row in rows:
            self.row_count += 1
            cells = [self._cell(value) for value in row]
            if self._csv is not None:
                self._csv.writerow(cells)
            else:
                self._records.append(dict(zip(self._columns, cells, strict=True)))

    def _cell(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return "; ".join(map(self._cell, value))
        if self._csv is not None:
            return csv_cell(value.text(self._language) if isinstance(value, Message) else value)
        if isinstance(value, Message):
            return value.id.rpartition(".")[2]
        return f"{value:f}" if isinstance(value, Decimal) else value  # JSON has no decimals

    def content(self) -> str | list[dict[str, Any]]:
        return self._records if self._csv is None else self._text.getvalue()
