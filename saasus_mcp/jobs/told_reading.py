"""How the table of a job was read: a fact of its question and a note of its report, unless nothing had to be interpreted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.messages import Message, bilingual, message
from saasus_mcp.jobs.tables.table_reading import TableReading
from saasus_mcp.permissions.question.content import Fact, FixedText

_KEY = "read"


def reading_data(reading: TableReading | None) -> dict[str, Any]:
    """Return what the data of a plan stores about the reading of its table."""
    return {} if reading is None or reading.is_plain else {_KEY: reading.as_data()}


def reading_facts(reading: TableReading | None) -> tuple[Fact, ...]:
    """Return the fact that a person reads before the job begins."""
    if reading is None or reading.is_plain:
        return ()
    label = bilingual(message("jobs_tables.reading_label"))
    return (Fact("reading", label, FixedText(bilingual(reading.describe()))),)


def reading_notes(data: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the note of the report, from the data of the plan."""
    if _KEY not in data:
        return ()
    return (message("jobs_tables.reading_note", reading=TableReading.from_data(data[_KEY]).describe()),)
