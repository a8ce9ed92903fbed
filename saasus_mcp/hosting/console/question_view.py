"""Prepare a question for the template of an approval: all facts, changes and prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import one_of
from saasus_mcp.permissions.question.content import (
    MARKS,
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
from saasus_mcp.permissions.question.formatting import Reader, format_rest, format_sentence, format_total, format_value
from saasus_mcp.permissions.question.layout import BRIEF_WARNINGS, LASTING_WARNINGS, all_lines, truncated_labels
from saasus_mcp.permissions.question.tier_table import TierRow, price_rows, tier_rows

REQUEST_PARTS = frozenset({"tool", "request"})
"""Details of every call that are no arguments."""
MAX_INLINE_ITEMS, MAX_FIRST_ITEMS = 3, 8
"""Items of a list that fit in one line, and that may appear above the warnings."""


@dataclass(frozen=True, slots=True)
class ValueView:
    """One value: a text, a list of values, the tiers of a price, or a value under a label.

    Attributes:
        count: how often the value occurs in its list.
        rest: how many items of the list are not stored; empty if all are.
    """

    kind: Literal["text", "list", "tiers", "labelled"]
    text: str = ""
    items: tuple[ValueView, ...] = ()
    rows: tuple[TierRow, ...] = ()
    count: int = 1
    rest: str = ""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A fact or a change. A change of price tiers has `rows`."""

    label: str
    value: ValueView | None = None
    before: ValueView | None = None
    after: ValueView | None = None
    rows: tuple[TierRow, ...] = ()


def question_content(question: Question, reader: Reader) -> dict[str, Any]:
    """Return the parts of a question for the template."""
    lines, language = all_lines(question), reader.language
    bodies = [line.body for line in lines if line.body is not None]
    first = [
        line.body
        for line in lines
        if line.role == "first" and isinstance(line.body, Fact) and not _is_long_list(line.body.value)
    ]
    return {
        "headline": format_sentence(question.headline, reader),
        "again": [each.text(language) for each in question.lead],
        "first": [_row(each, reader) for each in first],
        "changes": [_row(each, reader) for each in bodies if isinstance(each, Change)],
        "facts": [_row(each, reader) for each in bodies if isinstance(each, Fact) and each not in first],
        "reach": [_row(each, reader) for each in question.reach],
        "notices": [
            (
                "plain" if each.kind in BRIEF_WARNINGS else "grave",
                MARKS[each.kind],
                _as_sentence(format_sentence(each.text, reader), reader),
            )
            for each in sorted(question.warnings, key=lambda each: each.kind not in LASTING_WARNINGS)
        ],
        "undo": question.undo.text(language) if question.undo is not None else "",
        "closing": [render_line(line, question, reader) for line in lines if line.role == "reason"],
        "cut": tuple(truncated_labels(question)),
        "details": [_detail(each, question, language) for each in question.details],
    }


def _detail(detail: Detail, question: Question, language: Language) -> tuple[str, str, str]:
    """Return a part of the request: its label in words, its name in the request, and its value."""
    if detail.name in REQUEST_PARTS:
        return one_of("console.request_part", detail.name).text(language), "", detail.value
    label = next((each.label.text(language) for each in question.facts if each.name == detail.name), "")
    repeats = label.casefold() == detail.name.replace("_", " ").casefold()
    return "" if repeats else label, detail.name, detail.value


def _as_sentence(text: str, reader: Reader) -> str:
    """Return a warning with a full stop. Those that share a line in a dialog have none."""
    stop = "。" if reader.language == "ja" else "."
    return text if text.endswith((".", "。", "?", "!", ")", ")")) else text + stop


def _is_long_list(value: Value) -> bool:
    """Return True for a list that would push the warnings out of sight."""
    return isinstance(value, ValueList) and len(value.items) > MAX_FIRST_ITEMS


def _row(body: Fact | Change, reader: Reader) -> QuestionRow:
    label = body.label.text(reader.language)
    if isinstance(body, Fact):
        return QuestionRow(label, value=_view(body.value, reader))
    after, rows = _view(body.after, reader), tier_rows(body, reader)
    if body.effect != "change":
        # The rendered line says, after its arrow, what leaving the field out does.
        after, rows = ValueView("text", render_body(body, reader).rpartition("→")[2].strip()), ()
    return QuestionRow(label, before=_view(body.before, reader), after=after, rows=rows)


def _view(value: Value, reader: Reader) -> ValueView:
    if isinstance(value, TieredPrice):
        return ValueView("tiers", rows=price_rows(value, reader))
    if isinstance(value, LabelledValue) and isinstance(value.value, TieredPrice | ValueList):
        return ValueView("labelled", value.label.text(reader.language), (_view(value.value, reader),))
    if isinstance(value, ValueList) and not _fits_in_line(value):
        pairs = zip(value.items, value.counts, strict=True)
        items = tuple(replace(_view(item, reader), count=count) for item, count in pairs)
        return ValueView("list", format_total(value, reader), items, rest=format_rest(value, len(value.items), reader))
    return ValueView("text", format_value(value, reader))


def _fits_in_line(value: ValueList) -> bool:
    values = [item.value if isinstance(item, LabelledValue) else item for item in value.items]
    nested = any(isinstance(each, ValueList | TieredPrice) for each in values)
    if len(value.items) > 1 and any(isinstance(item, LabelledValue | DescribedItem) for item in value.items):
        return False  # in one line, the end of it would separate a number from its label, and descriptions would run on
    return len(value.items) <= MAX_INLINE_ITEMS and value.total == len(value.items) and not nested
