"""A question on a terminal: its lines in colours, laid out in the columns there are, with nothing left out."""

from __future__ import annotations

from collections.abc import Iterator

import click

from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.text_layout import wrap_text
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import display_width
from saasus_mcp.permissions.question.content import (
    Change,
    Detail,
    Fact,
    LabelledValue,
    Question,
    TieredPrice,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.dialog import render_body, render_line
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS, Reader, format_value
from saasus_mcp.permissions.question.layout import DialogLine, all_lines, truncated_labels
from saasus_mcp.permissions.question.tier_table import TierRow, price_rows, tier_rows
from saasus_mcp.settings import Settings

INDENT = "  "
COLUMN_GAP = 3
"""Columns between those of a table."""
STYLES: dict[str, dict[str, object]] = {
    "lead": {"fg": "yellow"},
    "headline": {"bold": True},
    "warning": {"fg": "red"},
    "brief": {"fg": "yellow"},
    "requester": {"dim": True},
    "reason": {"dim": True},
    "hidden": {"fg": "yellow"},
}
IRREVERSIBLE_WARNINGS = frozenset({"irreversible", "recreate"})
"""Kinds of warning that are in bold as well: what cannot be undone."""


def terminal_reader(settings: Settings) -> Reader:
    """Who reads on this terminal."""
    return Reader.of(settings.lang, settings.zone)


def render_question(question: Question, reader: Reader, columns: int, *, details: bool = False) -> Iterator[str]:
    """The lines of the question, without how to agree. Details are shown too where a value is not shown whole above."""
    for line in all_lines(question):
        yield from _styled(line, question, reader, columns)
    if details or truncated_labels(question):
        yield from ("", click.style(WORDS[reader.language]["details"], bold=True))
        yield from _details(question.details, columns)


def _styled(line: DialogLine, question: Question, reader: Reader, columns: int) -> Iterator[str]:
    style = dict(STYLES.get(line.role, {}))
    if any(each.kind in IRREVERSIBLE_WARNINGS for each in line.warnings):
        style["bold"] = True
    for each in _laid_out(line, question, reader, columns):
        yield click.style(each, **style) if style else each  # type: ignore[arg-type]


def _laid_out(line: DialogLine, question: Question, reader: Reader, columns: int) -> Iterator[str]:
    if line.body is not None:
        yield from _body(line.body, reader, columns)
        return
    said = safe(render_line(line, question, reader))
    mark, blank, rest = said.partition(" ")
    if line.role == "warning" and blank:  # what is broken goes on beside the mark
        yield from wrap_text(rest, columns, f"{mark} ")
    else:
        yield from wrap_text(said, columns, INDENT if line.role == "reach" else "")


def _body(of: Fact | Change, reader: Reader, columns: int) -> Iterator[str]:
    rows, label = tier_rows(of, reader), safe(of.label.text(reader.language))
    if rows:
        yield f"{INDENT}{label}:"
        yield from _table(rows, reader.language, change=isinstance(of, Change))
    elif isinstance(of, Fact) and _long(of.value):
        yield from _list(label, of.value, reader, columns)
    elif isinstance(of, Change) and (_long(of.before) or _long(of.after)):
        words = WORDS[reader.language]
        yield from _list(f"{label} ({words['now']})", of.before, reader, columns)
        yield from _list(f"{label} ({words['then']})", of.after, reader, columns)
    else:
        yield from wrap_text(safe(render_body(of, reader)), columns, INDENT)


def _long(value: Value) -> bool:
    """Whether a value has a line for each of its items: where they are many, or prices in tiers."""
    return isinstance(value, ValueList) and (len(value.items) > MAX_LIST_ITEMS or any(map(_tiered, value.items)))


def _tiered(item: Value) -> bool:
    return isinstance(item, LabelledValue) and isinstance(item.value, TieredPrice)


def _list(label: str, value: Value, reader: Reader, columns: int) -> Iterator[str]:
    """A list with a line for every item; another value in one line."""
    if not isinstance(value, ValueList):
        yield from wrap_text(f"{label}: {safe(format_value(value, reader))}", columns, INDENT)
        return
    words = WORDS[reader.language]
    total = "" if any(map(_tiered, value.items)) else f" {words['in_all'].format(total=f'{value.total:,}')}"
    yield f"{INDENT}{label}:{total}"
    for item, count in zip(value.items, value.counts, strict=True):
        yield from _item(item, count, reader, columns)
    left = value.total - sum(value.counts)
    if left:
        yield f"{INDENT * 2}- {words['more'].format(count=f'{left:,}')}"


def _item(item: Value, count: int, reader: Reader, columns: int) -> Iterator[str]:
    """One item of a list; of a price in tiers, a line for each tier."""
    begin = f"{INDENT * 2}- "
    if isinstance(item, LabelledValue) and isinstance(item.value, TieredPrice):
        yield from wrap_text(f"{safe(item.label.text(reader.language))}:", columns, begin)
        yield from _table(price_rows(item.value, reader), reader.language, change=False)
        return
    said = safe(format_value(item, reader))
    if count > 1:
        said = message("question.times", item=said, count=count).text(reader.language)
    yield from wrap_text(said, columns, begin)


def _table(rows: tuple[TierRow, ...], language: Language, *, change: bool) -> Iterator[str]:
    words = WORDS[language]
    cells = [(row.range, row.before or words["no_tier"], row.after or words["no_tier"]) for row in rows]
    if change:
        cells.insert(0, (words["tier"], words["now"], words["then"]))
    else:
        cells = [(each, price, "") for each, _, price in cells]
    first, second = (max(display_width(row[at]) for row in cells) for at in (0, 1))
    for row in cells:
        yield f"{INDENT * 3}{_padded(row[0], first)}{_padded(row[1], second)}{row[2]}".rstrip()


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - display_width(text) + COLUMN_GAP)


def _details(details: tuple[Detail, ...], columns: int) -> Iterator[str]:
    """The exact request, under the names that the API has for what is in it."""
    for detail in details:
        yield from wrap_text(safe(detail.value), columns, f"{INDENT}{safe(detail.name)}: ")
