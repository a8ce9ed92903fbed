"""The tables that jobs give out: CSV as text, or records; built row by row, so that only what is given out is held."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from saasus_mcp.server.results.jmespath_query import csv_cell

TableFormat = Literal["csv", "json"]


class Table:
    """Rows under named columns."""

    def __init__(self, columns: Sequence[str], form: TableFormat) -> None:
        self._columns = tuple(columns)
        self._records: list[dict[str, Any]] = []
        self._written = io.StringIO()
        self._csv = csv.writer(self._written) if form == "csv" else None
        self.row_count = 0
        if self._csv is not None:
            self._csv.writerow([csv_cell(name) for name in columns])

    def add_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, a value a column."""
        for row in rows:
            self.row_count += 1
            if self._csv is not None:
                self._csv.writerow([csv_cell(value) for value in row])
            else:
                self._records.append(dict(zip(self._columns, row, strict=True)))

    def content(self) -> str | list[dict[str, Any]]:
        """The table: a text, or records."""
        return self._records if self._csv is None else self._written.getvalue()
