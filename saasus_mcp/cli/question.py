"""A question on a terminal: its lines in colours, laid out in the columns there are, with nothing left out."""

from __future__ import annotations

from collections.abc import Iterator

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli.columns import wrapped
from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.permissions.question.dialog import body, text
from saasus_mcp.permissions.question.formatting import MOST_SHOWN, Reader, say
from saasus_mcp.permissions.question.layout import Line, cut_short, every_line
from saasus_mcp.permissions.question.model import Change, Detail, Fact, Labelled, Question, Several, Tiers, Value
from saasus_mcp.permissions.question.tables import TierRow, steps, tiers
from saasus_mcp.permissions.question.words import WORDS as SAID
from saasus_mcp.saasus.words import width
from saasus_mcp.settings import Settings

INDENT = "  "
GAP = 3
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
GRAVE = frozenset({"irreversible", "recreate"})
"""Kinds of warning that are in bold as well: what cannot be undone."""


def reader(settings: Settings) -> Reader:
    """Who reads on this terminal."""
    return Reader.of(settings.lang, settings.zone)


def shown(question: Question, reader: Reader, columns: int, *, details: bool = False) -> Iterator[str]:
    """The lines of the question, without how to agree. Details are shown too where a value is not shown whole above."""
    for line in every_line(question):
        yield from _styled(line, question, reader, columns)
    if details or cut_short(question):
        yield from ("", click.style(WORDS[reader.language]["details"], bold=True))
        yield from _details(question.details, columns)


def _styled(line: Line, question: Question, reader: Reader, columns: int) -> Iterator[str]:
    style = dict(STYLES.get(line.role, {}))
    if any(each.kind in GRAVE for each in line.warnings):
        style["bold"] = True
    for each in _laid_out(line, question, reader, columns):
        yield click.style(each, **style) if style else each  # type: ignore[arg-type]


def _laid_out(line: Line, question: Question, reader: Reader, columns: int) -> Iterator[str]:
    if line.body is not None:
        yield from _body(line.body, reader, columns)
        return
    said = safe(text(line, question, reader))
    mark, blank, rest = said.partition(" ")
    if line.role == "warning" and blank:  # what is broken goes on beside the mark
        yield from wrapped(rest, columns, f"{mark} ")
    else:
        yield from wrapped(said, columns, INDENT if line.role == "reach" else "")


def _body(of: Fact | Change, reader: Reader, columns: int) -> Iterator[str]:
    rows, label = tiers(of, reader), safe(of.label.get(reader.language))
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
        yield from wrapped(safe(body(of, reader)), columns, INDENT)


def _long(value: Value) -> bool:
    """Whether a value has a line for each of its items: where they are many, or prices in tiers."""
    return isinstance(value, Several) and (len(value.items) > MOST_SHOWN or any(map(_tiered, value.items)))


def _tiered(item: Value) -> bool:
    return isinstance(item, Labelled) and isinstance(item.value, Tiers)


def _list(label: str, value: Value, reader: Reader, columns: int) -> Iterator[str]:
    """A list with a line for every item; another value in one line."""
    if not isinstance(value, Several):
        yield from wrapped(f"{label}: {safe(say(value, reader))}", columns, INDENT)
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
    if isinstance(item, Labelled) and isinstance(item.value, Tiers):
        yield from wrapped(f"{safe(item.label.get(reader.language))}:", columns, begin)
        yield from _table(steps(item.value, reader), reader.language, change=False)
        return
    said = safe(say(item, reader))
    if count > 1:
        said = SAID[reader.language]["times"].format(item=said, count=f"{count:,}")
    yield from wrapped(said, columns, begin)


def _table(rows: tuple[TierRow, ...], language: Language, *, change: bool) -> Iterator[str]:
    words = WORDS[language]
    cells = [(row.range, row.before or words["no_tier"], row.after or words["no_tier"]) for row in rows]
    if change:
        cells.insert(0, (words["tier"], words["now"], words["then"]))
    else:
        cells = [(each, price, "") for each, _, price in cells]
    first, second = (max(width(row[at]) for row in cells) for at in (0, 1))
    for row in cells:
        yield f"{INDENT * 3}{_padded(row[0], first)}{_padded(row[1], second)}{row[2]}".rstrip()


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text) + GAP)


def _details(details: tuple[Detail, ...], columns: int) -> Iterator[str]:
    """The exact request, under the names that the API has for what is in it."""
    for detail in details:
        yield from wrapped(safe(detail.value), columns, f"{INDENT}{safe(detail.name)}: ")
