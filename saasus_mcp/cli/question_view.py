"""Render a question on a terminal: in colours, within the columns, and complete."""

from __future__ import annotations

from collections.abc import Iterator

import click

from saasus_mcp.cli.text_layout import wrap_text
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import display_width, visible_text
from saasus_mcp.permissions.question.content import (
    Change,
    DescribedItem,
    Detail,
    Fact,
    LabelledValue,
    Question,
    TieredPrice,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.dialog import render_body, render_line
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS, Reader, format_rest, format_total, format_value
from saasus_mcp.permissions.question.layout import (
    LASTING_WARNINGS,
    DialogLine,
    all_lines,
    dialog_lines,
    truncated_labels,
)
from saasus_mcp.permissions.question.tier_table import TierRow, price_rows, tier_rows
from saasus_mcp.settings.environment import Settings

INDENT = "  "
MAX_LINES = 50
"""After more lines, the beginning has left most screens."""
MAX_REPEATED = 4
"""Lines of a fact that stands again at the end; longer ones are lists."""
COLUMN_GAP = 3
"""Spaces between the columns of a table."""
STYLES: dict[str, dict[str, object]] = {
    "lead": {"fg": "yellow"},
    "headline": {"bold": True},
    "warning": {"fg": "red"},
    "brief": {"fg": "yellow"},
    "requester": {"dim": True},
    "reason": {"dim": True},
    "hidden": {"fg": "yellow"},
}


def terminal_reader(settings: Settings) -> Reader:
    """Return the language and time zone of the person at this terminal."""
    return Reader.of(settings.lang, settings.zone)


def render_question(question: Question, reader: Reader, columns: int, *, details: bool = False) -> Iterator[str]:
    """Yield the lines of the question, without how to agree. A long one ends with what it began with.

    Args:
        details: add the exact request. It is added too if a value above is truncated.
    """
    shown = [text for line in all_lines(question) for text in _styled(line, question, reader, columns)]
    if details or truncated_labels(question):
        shown += ["", click.style(message("cli_approvals.details").text(reader.language), bold=True)]
        shown += _details(question.details, columns)
    yield from shown
    if len(shown) > MAX_LINES:
        yield ""
        for line in dialog_lines(question):
            again = list(_styled(line, question, reader, columns))
            if line.role not in ("hidden", "agree") and len(again) <= MAX_REPEATED:
                yield from again


def _styled(line: DialogLine, question: Question, reader: Reader, columns: int) -> Iterator[str]:
    style = dict(STYLES.get(line.role, {}))
    if any(each.kind in LASTING_WARNINGS for each in line.warnings):
        style["bold"] = True
    for each in _lines(line, question, reader, columns):
        yield click.style(each, **style) if style else each  # type: ignore[arg-type]


def _lines(line: DialogLine, question: Question, reader: Reader, columns: int) -> Iterator[str]:
    if line.body is not None:
        yield from _body(line.body, reader, columns)
        return
    text = visible_text(render_line(line, question, reader))
    mark, blank, rest = text.partition(" ")
    if line.role == "warning" and blank:  # the next lines begin beside the mark
        yield from wrap_text(rest, columns, f"{mark} ")
    else:
        yield from wrap_text(text, columns, INDENT if line.role == "reach" else "")


def _body(body: Fact | Change, reader: Reader, columns: int) -> Iterator[str]:
    rows, label = tier_rows(body, reader), visible_text(body.label.text(reader.language))
    if rows:
        yield f"{INDENT}{label}:"
        yield from _table(rows, reader, change=isinstance(body, Change))
    elif isinstance(body, Fact) and _has_lines(body.value):
        yield from _list(label, body.value, reader, columns)
    elif isinstance(body, Change) and (_has_lines(body.before) or _has_lines(body.after)):
        before = message("cli_approvals.labelled_before", label=label).text(reader.language)
        after = message("cli_approvals.labelled_after", label=label).text(reader.language)
        yield from _list(before, body.before, reader, columns)
        yield from _list(after, body.after, reader, columns)
    else:
        yield from wrap_text(visible_text(render_body(body, reader)), columns, INDENT)


def _has_lines(value: Value) -> bool:
    """Return True for a list with a line for each item: a long one, or one of described items or with tiered prices."""
    if not isinstance(value, ValueList):
        return False
    described = len(value.items) > 1 and any(isinstance(item, DescribedItem) for item in value.items)
    return described or len(value.items) > MAX_LIST_ITEMS or any(map(_is_tiered, value.items))


def _is_tiered(item: Value) -> bool:
    return isinstance(item, LabelledValue) and isinstance(item.value, TieredPrice)


def _list(label: str, value: Value, reader: Reader, columns: int) -> Iterator[str]:
    """Yield a list with a line for every item, or another value on one line."""
    if not isinstance(value, ValueList):
        yield from wrap_text(f"{label}: {visible_text(format_value(value, reader))}", columns, INDENT)
        return
    yield f"{INDENT}{label}:" + ("" if any(map(_is_tiered, value.items)) else f" {format_total(value, reader)}")
    for item, count in zip(value.items, value.counts, strict=True):
        yield from _item(item, count, reader, columns)
    if rest := format_rest(value, len(value.items), reader):
        yield f"{INDENT * 2}- {rest}"


def _item(item: Value, count: int, reader: Reader, columns: int) -> Iterator[str]:
    """Yield one item of a list; a tiered price has a line for each tier."""
    begin = f"{INDENT * 2}- "
    if isinstance(item, LabelledValue) and isinstance(item.value, TieredPrice):
        yield from wrap_text(f"{visible_text(item.label.text(reader.language))}:", columns, begin)
        yield from _table(price_rows(item.value, reader), reader, change=False)
        return
    text = visible_text(format_value(item, reader))
    if count > 1:
        text = message("cli_approvals.repeated_item", item=text, number=count).text(reader.language)
    yield from wrap_text(text, columns, begin)


def _table(rows: tuple[TierRow, ...], reader: Reader, *, change: bool) -> Iterator[str]:
    def text(of: Message) -> str:
        return of.text(reader.language)

    empty = text(message("cli_approvals.no_tier"))
    cells = [(row.range, row.before or empty, row.after or empty) for row in rows]
    if change:
        heading = message("cli_approvals.tier"), message("cli_approvals.before"), message("cli_approvals.after")
        cells.insert(0, (text(heading[0]), text(heading[1]), text(heading[2])))
    else:
        cells = [(range_, price, "") for range_, _, price in cells]
    first, second = (max(display_width(row[column]) for row in cells) for column in (0, 1))
    for row in cells:
        yield f"{INDENT * 3}{_padded(row[0], first)}{_padded(row[1], second)}{row[2]}".rstrip()


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - display_width(text) + COLUMN_GAP)


def _details(details: tuple[Detail, ...], columns: int) -> Iterator[str]:
    """Yield the exact request, with the API's names."""
    for detail in details:
        begin = f"{INDENT}{visible_text(detail.name)}: "
        if display_width(begin) > columns // 2:  # beside it, a list would have a line for each item
            yield from wrap_text(begin.strip(), columns, INDENT)
            begin = INDENT * 2
        yield from wrap_text(visible_text(detail.value), columns, begin)
