"""The table as a page: `docs/clients/tried.md` and its translation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.clients.registry import CLIENTS, Client
from scripts.clients.results import Row
from scripts.clients.task import LEVELS
from scripts.clients.wording import ASKED_OR, BETWEEN, COLUMNS, COUNT, NOTES, OUTCOMES, PAGE, SKIPPED, UNKNOWN, Language

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "clients"
FILES: Mapping[Language, Path] = {"en": FOLDER / "tried.md", "ja": FOLDER / "tried.ja.md"}


def write(rows: Mapping[str, Row]) -> None:
    """Write the page in both languages."""
    for language, file in FILES.items():
        file.write_text(page(rows, language), encoding="utf-8")


def page(rows: Mapping[str, Row], language: Language) -> str:
    """Return the page in a language."""
    columns = COLUMNS[language]
    lines = [_line(columns), _line(["---"] * len(columns))]
    lines += [_line(_cells(client, rows[client.key], language)) for client in CLIENTS if client.key in rows]
    return PAGE[language].format(table="\n".join(lines))


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(client: Client, row: Row, language: Language) -> list[str]:
    counts = [_count(row.tools, row, language), _count(row.converted, row, language)]
    notes = [SKIPPED[row.skipped][language]] if row.skipped else [NOTES[note][language] for note in client.notes]
    ends = [_end(row, level, language) for level in LEVELS]
    return [client.name, row.version or UNKNOWN[language], row.date, *counts, *ends, BETWEEN[language].join(notes)]


def _count(count: int | None, row: Row, language: Language) -> str:
    return UNKNOWN[language] if count is None else COUNT[language].format(count=count, total=row.total)


def _end(row: Row, level: str, language: Language) -> str:
    alone = OUTCOMES[row.alone[level]][language] if level in row.alone else UNKNOWN[language]
    if level not in row.with_person:
        return alone
    return ASKED_OR[language].format(asked=OUTCOMES[row.with_person[level]][language], alone=alone)
