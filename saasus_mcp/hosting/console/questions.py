"""A question as the page of an approval shows it: facts, changes and prices ready for a template, with nothing left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from saasus_mcp.permissions.question.dialog import body, text
from saasus_mcp.permissions.question.formatting import Reader, fill, say
from saasus_mcp.permissions.question.layout import BRIEF, cut_short, every_line
from saasus_mcp.permissions.question.model import Change, Fact, Labelled, Notice, Question, Several, Tiers, Value
from saasus_mcp.permissions.question.tables import TierRow, steps, tiers
from saasus_mcp.permissions.question.words import MARKS, WORDS

FEW, MANY = 3, 8
"""Items of a list that stand in one line, and that may stand above the warnings."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One value: a text, a list of values, the tiers of a price, or a value under a label.

    Attributes:
        count: how often it occurs in the list that it is an item of.
        left: items of the list that are not kept.
    """

    kind: Literal["text", "list", "tiers", "labelled"]
    text: str = ""
    items: tuple[Shape, ...] = ()
    rows: tuple[TierRow, ...] = ()
    count: int = 1
    left: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A fact, or what a call changes. A change of tiers has `rows`, one that sends nothing says what that does."""

    label: str
    value: Shape | None = None
    before: Shape | None = None
    after: Shape | None = None
    rows: tuple[TierRow, ...] = ()


def page(question: Question, reader: Reader) -> dict[str, Any]:
    """What the page says of the question, in the order of its weight."""
    lines, language = every_line(question), reader.language
    bodies = [line.body for line in lines if line.body is not None]
    first = [
        line.body for line in lines if line.role == "first" and isinstance(line.body, Fact) and not _many(line.body)
    ]
    return {
        "headline": fill(question.headline, reader),
        "again": [each.get(language) for each in question.lead],
        "first": [_row(each, reader) for each in first],
        "changes": [_row(each, reader) for each in bodies if isinstance(each, Change)],
        "facts": [_row(each, reader) for each in bodies if isinstance(each, Fact) and each not in first],
        "reach": [_row(each, reader) for each in question.reach],
        "notices": [(_weight(each), MARKS[each.kind], fill(each.text, reader)) for each in question.warnings],
        "undo": question.undo.get(language) if question.undo is not None else "",
        "closing": [text(line, question, reader) for line in lines if line.role == "reason"],
        "cut": WORDS[language]["and"].join(each.get(language) for each in cut_short(question)),
        "details": [(each.name, each.value) for each in question.details],
    }


def _many(fact: Fact) -> bool:
    """Whether a list is so long that it would push what follows out of sight."""
    return isinstance(fact.value, Several) and len(fact.value.items) > MANY


def _weight(notice: Notice) -> str:
    return "plain" if notice.kind in BRIEF else "grave"


def _row(of: Fact | Change, reader: Reader) -> Row:
    label = of.label.get(reader.language)
    if isinstance(of, Fact):
        return Row(label, value=_shape(of.value, reader))
    after = _shape(of.after, reader)
    if of.effect != "change":
        # What leaving the field out does is said by the words of the whole line, behind its arrow.
        after = Shape("text", body(of, reader).rpartition("→")[2].strip())
    rows = tiers(of, reader) if of.effect == "change" else ()
    return Row(label, before=_shape(of.before, reader), after=after, rows=rows)


def _shape(value: Value, reader: Reader) -> Shape:
    if isinstance(value, Tiers):
        return Shape("tiers", rows=steps(value, reader))
    if isinstance(value, Labelled) and isinstance(value.value, Tiers | Several):
        return Shape("labelled", value.label.get(reader.language), (_shape(value.value, reader),))
    if isinstance(value, Several) and not _short(value):
        pairs = zip(value.items, value.counts, strict=True)
        items = tuple(replace(_shape(item, reader), count=count) for item, count in pairs)
        return Shape("list", str(value.total), items, left=value.total - sum(value.counts))
    return Shape("text", say(value, reader))


def _short(value: Several) -> bool:
    """Whether a list reads well in one line."""
    nested = any(isinstance(item, Several | Tiers) or _nested(item) for item in value.items)
    return len(value.items) <= FEW and value.total == len(value.items) and not nested


def _nested(item: Value) -> bool:
    return isinstance(item, Labelled) and isinstance(item.value, Several | Tiers)
