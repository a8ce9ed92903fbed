"""How a table was understood, for the person who made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.jobs.tables.decoding import UTF8

XLSX = "xlsx"
"""The encoding of a table that is the first sheet of a workbook."""

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
        encoding: a value of ENCODINGS; empty if the table does not come from a file.
        blank_rows: the number of rows that were left out.
    """

    separator: str
    rows: int
    columns: Mapping[str, str]
    encoding: str = ""
    blank_rows: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether nothing had to be interpreted: UTF-8, commas, and the names of the columns as headings."""
        is_text = self.encoding in ("", UTF8) and self.separator in ("", "comma")
        return is_text and all(name == heading for name, heading in self.columns.items())

    def describe(self) -> Message:
        """Return the reading as a text."""
        names = [
            heading[:MAX_HEADING] if name == heading else f"{heading[:MAX_HEADING]} → {name[:MAX_HEADING]}"
            for name, heading in self.columns.items()
        ]
        shown = tuple(names[:MAX_COLUMNS]) + (("…",) if len(names) > MAX_COLUMNS else ())
        parts = [message("jobs_tables.rows", count=self.rows)]
        if self.encoding != XLSX:
            parts.insert(0, one_of("jobs_tables.separator", self.separator or "records"))
        if self.encoding:
            parts.insert(0, one_of("jobs_tables.encoding", self.encoding))
        if self.blank_rows:
            parts.append(message("jobs_tables.blank_rows", count=self.blank_rows))
        return message("jobs_tables.reading", parts=tuple(parts), columns=shown)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> TableReading:
        return cls(**data)
