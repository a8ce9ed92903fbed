"""How a table was understood: a fact of the question of its job, and a note of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.jobs.tables.decoding import UTF8
from saasus_mcp.permissions.question.content import Fact, FixedText

XLSX = "xlsx"
"""The encoding of a table that is the first sheet of a workbook."""

SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon"}
"""By mark: the key of its name among the messages."""
MAX_COLUMNS = 30
MAX_HEADING = 60
_KEY = "read"


@dataclass(frozen=True, slots=True)
class TableReading:
    """How a table was understood.

    Attributes:
        separator: a value of SEPARATORS; empty for records.
        rows: the number of rows that are not blank.
        columns: the headings, by the column that they were taken for.
        encoding: a value of ENCODINGS; empty if the table does not come from a file.
        blank_rows: the number of rows that were left out.
        zone: the IANA name of the time zone of times without one; empty if every time has one.
    """

    separator: str
    rows: int
    columns: Mapping[str, str]
    encoding: str = ""
    blank_rows: int = 0
    zone: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether nothing had to be interpreted: UTF-8, commas, times with zones, and the names of the columns as headings."""
        is_text = not self.zone and self.encoding in ("", UTF8) and self.separator in ("", "comma")
        return is_text and all(name == heading for name, heading in self.columns.items())

    def describe(self) -> Message:
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
        if self.zone:
            parts.append(message("jobs_tables.zone", zone=self.zone))
        return message("jobs_tables.reading", parts=tuple(parts), columns=shown)


def reading_data(reading: TableReading | None) -> dict[str, Any]:
    """Return what the data of a plan stores about the reading of its table: nothing if it was plain."""
    return {} if reading is None or reading.is_plain else {_KEY: asdict(reading)}


def reading_facts(reading: TableReading | None) -> tuple[Fact, ...]:
    """Return the fact that a person reads before the job begins."""
    if reading is None or reading.is_plain:
        return ()
    label = message("jobs_tables.reading_label").both()
    return (Fact("reading", label, FixedText(reading.describe().both())),)


def reading_notes(data: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the note of the report, from the data of the plan."""
    if _KEY not in data:
        return ()
    return (message("jobs_tables.reading_note", reading=TableReading(**data[_KEY]).describe()),)
