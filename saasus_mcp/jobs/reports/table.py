"""Tables of jobs: a CSV text with headings in the reader's language, or records. Built row by row to save memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from saasus_mcp.server.results.jmespath_query import csv_cell

TableFormat = Literal["csv", "json"]


class Table:
    """Rows under named columns.

    Args:
        columns: the names of the fields of records.
        headings: the headings of a CSV; the names of the columns by default.
    """

    def __init__(self, columns: Sequence[str], form: TableFormat, headings: Sequence[str] | None = None) -> None:
        self._columns = tuple(columns)
        self._records: list[dict[str, Any]] = []
        self._text = io.StringIO()
        self._csv = csv.writer(self._text) if form == "csv" else None
        self.row_count = 0
        if self._csv is not None:
            self._csv.writerow([csv_cell(name) for name in headings or columns])

    def add_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows with one value per column."""
        for row in rows:
            self.row_count += 1
            if self._csv is not None:
                self._csv.writerow([csv_cell(value) for value in row])
            else:
                self._records.append(dict(zip(self._columns, row, strict=True)))

    def content(self) -> str | list[dict[str, Any]]:
        return self._records if self._csv is None else self._text.getvalue()
