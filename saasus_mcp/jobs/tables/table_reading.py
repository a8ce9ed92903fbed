"""How a table was understood, for the person who made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.messages import Message, message, one_of

SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon"}
"""By mark: the key of its name among the messages."""
MAX_COLUMNS = 30
MAX_HEADING = 60


@dataclass(frozen=True, slots=True)
class TableReading:
    """How a table was understood.

    Attributes:
        separator: a value of SEPARATORS; empty for records.
        rows: the number of rows that are not blank.
        columns: the headings, by the column that they were taken for.
    """

    separator: str
    rows: int
    columns: Mapping[str, str]

    @property
    def is_plain(self) -> bool:
        """Whether nothing had to be interpreted: commas, and the names of the columns as headings."""
        return self.separator in ("", "comma") and all(name == heading for name, heading in self.columns.items())

    def describe(self) -> Message:
        """Return the reading as a text."""
        names = [
            heading[:MAX_HEADING] if name == heading else f"{heading[:MAX_HEADING]} → {name[:MAX_HEADING]}"
            for name, heading in self.columns.items()
        ]
        shown = tuple(names[:MAX_COLUMNS]) + (("…",) if len(names) > MAX_COLUMNS else ())
        separator = one_of("jobs_tables.separator", self.separator or "records")
        return message("jobs_tables.reading", separator=separator, count=self.rows, columns=shown)

    def as_data(self) -> dict[str, Any]:
        return {"separator": self.separator, "rows": self.rows, "columns": dict(self.columns)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> TableReading:
        return cls(data["separator"], data["rows"], data["columns"])
