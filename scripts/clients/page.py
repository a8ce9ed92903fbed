"""The table as a page: `docs/clients/tried.md` and its translation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.clients import proxied_results
from scripts.clients.registry import CLIENTS, Client
from scripts.clients.results import Row
from scripts.clients.task import LEVELS
from scripts.clients.wording import (
    ALL,
    ASKED_OR,
    BETWEEN,
    COLUMNS,
    COUNT,
    NOTES,
    OUTCOMES,
    PAGE,
    PROTOCOLS,
    PROXIED_COLUMNS,
    PROXY_NAMES,
    SKIPPED,
    UNKNOWN,
    Language,
)

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
    return PAGE[language].format(table="\n".join(lines), proxied="\n".join(_proxied_lines(language)))


def _proxied_lines(language: Language) -> list[str]:
    """Return the table of clients behind proxies."""
    rows = proxied_results.load()
    names = list(dict.fromkeys(row.proxy for row in rows))
    columns = (*PROXIED_COLUMNS[language], *(PROXY_NAMES[name] for name in names))
    lines = [_line(columns), _line(["---"] * len(columns))]
    for client, version, protocol, date in dict.fromkeys(
        (row.client, row.version, row.protocol, row.date) for row in rows
    ):
        counts = {row.proxy: row for row in rows if (row.client, row.protocol) == (client, protocol)}
        cells = [COUNT[language].format(count=counts[name].good, total=counts[name].tried) for name in names]
        shown = PROTOCOLS.get(protocol, protocol)
        lines.append(_line([client, version, date, shown, *cells]))
    return lines


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(client: Client, row: Row, language: Language) -> list[str]:
    counts = [_count(row.tools, row, language), _count(row.converted, row, language)]
    notes = [SKIPPED[row.skipped][language]] if row.skipped else [NOTES[note][language] for note in client.notes]
    ends = [_end(row, level, language) for level in LEVELS]
    return [client.name, row.version or UNKNOWN[language], row.date, *counts, *ends, BETWEEN[language].join(notes)]


def _count(count: int | None, row: Row, language: Language) -> str:
    if count is None:
        return UNKNOWN[language]
    return ALL[language] if count == row.total else COUNT[language].format(count=count, total=row.total)


def _end(row: Row, level: str, language: Language) -> str:
    alone = OUTCOMES[row.alone[level]][language] if level in row.alone else UNKNOWN[language]
    if level not in row.with_person:
        return alone
    return ASKED_OR[language].format(asked=OUTCOMES[row.with_person[level]][language], alone=alone)
