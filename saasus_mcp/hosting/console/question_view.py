"""A question as the page of an approval shows it: facts, changes and prices ready for a template, with nothing left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from saasus_mcp.permissions.question.content import (
    Change,
    Fact,
    LabelledValue,
    Question,
    QuestionWarning,
    TieredPrice,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.dialog import render_body, render_line
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value
from saasus_mcp.permissions.question.layout import BRIEF_WARNINGS, all_lines, truncated_labels
from saasus_mcp.permissions.question.tier_table import TierRow, price_rows, tier_rows
from saasus_mcp.permissions.question.words import MARKS, WORDS

MAX_INLINE_ITEMS, MAX_FIRST_ITEMS = 3, 8
"""Items of a list that stand in one line, and that may stand above the warnings."""


@dataclass(frozen=True, slots=True)
class ValueView:
    """One value: a text, a list of values, the tiers of a price, or a value under a label.

    Attributes:
        count: how often it occurs in the list that it is an item of.
        left: items of the list that are not kept.
    """

    kind: Literal["text", "list", "tiers", "labelled"]
    text: str = ""
    items: tuple[ValueView, ...] = ()
    rows: tuple[TierRow, ...] = ()
    count: int = 1
    left: int = 0


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A fact, or what a call changes. A change of tiers has `rows`, one that sends nothing says what that does."""

    label: str
    value: ValueView | None = None
    before: ValueView | None = None
    after: ValueView | None = None
    rows: tuple[TierRow, ...] = ()


def question_content(question: Question, reader: Reader) -> dict[str, Any]:
    """What the page says of the question, in the order of its weight."""
    lines, language = all_lines(question), reader.language
    bodies = [line.body for line in lines if line.body is not None]
    first = [
        line.body for line in lines if line.role == "first" and isinstance(line.body, Fact) and not _many(line.body)
    ]
    return {
        "headline": format_sentence(question.headline, reader),
        "again": [each.text(language) for each in question.lead],
        "first": [_row(each, reader) for each in first],
        "changes": [_row(each, reader) for each in bodies if isinstance(each, Change)],
        "facts": [_row(each, reader) for each in bodies if isinstance(each, Fact) and each not in first],
        "reach": [_row(each, reader) for each in question.reach],
        "notices": [
            (_weight(each), MARKS[each.kind], format_sentence(each.text, reader)) for each in question.warnings
        ],
        "undo": question.undo.text(language) if question.undo is not None else "",
        "closing": [render_line(line, question, reader) for line in lines if line.role == "reason"],
        "cut": WORDS[language]["and"].join(each.text(language) for each in truncated_labels(question)),
        "details": [(each.name, each.value) for each in question.details],
    }


def _many(fact: Fact) -> bool:
    """Whether a list is so long that it would push what follows out of sight."""
    return isinstance(fact.value, ValueList) and len(fact.value.items) > MAX_FIRST_ITEMS


def _weight(notice: QuestionWarning) -> str:
    return "plain" if notice.kind in BRIEF_WARNINGS else "grave"


def _row(of: Fact | Change, reader: Reader) -> QuestionRow:
    label = of.label.text(reader.language)
    if isinstance(of, Fact):
        return QuestionRow(label, value=_shape(of.value, reader))
    after = _shape(of.after, reader)
    if of.effect != "change":
        # What leaving the field out does is said by the words of the whole line, behind its arrow.
        after = ValueView("text", render_body(of, reader).rpartition("→")[2].strip())
    rows = tier_rows(of, reader) if of.effect == "change" else ()
    return QuestionRow(label, before=_shape(of.before, reader), after=after, rows=rows)


def _shape(value: Value, reader: Reader) -> ValueView:
    if isinstance(value, TieredPrice):
        return ValueView("tiers", rows=price_rows(value, reader))
    if isinstance(value, LabelledValue) and isinstance(value.value, TieredPrice | ValueList):
        return ValueView("labelled", value.label.text(reader.language), (_shape(value.value, reader),))
    if isinstance(value, ValueList) and not _short(value):
        pairs = zip(value.items, value.counts, strict=True)
        items = tuple(replace(_shape(item, reader), count=count) for item, count in pairs)
        return ValueView("list", str(value.total), items, left=value.total - sum(value.counts))
    return ValueView("text", format_value(value, reader))


def _short(value: ValueList) -> bool:
    """Whether a list reads well in one line."""
    nested = any(isinstance(item, ValueList | TieredPrice) or _nested(item) for item in value.items)
    return len(value.items) <= MAX_INLINE_ITEMS and value.total == len(value.items) and not nested


def _nested(item: Value) -> bool:
    return isinstance(item, LabelledValue) and isinstance(item.value, ValueList | TieredPrice)
