"""Which lines a question has in a dialog, in which order, and what of it finds no room there. The same in every language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from saasus_mcp.catalog.model import Text
from saasus_mcp.permissions.question.formatting import shown_whole
from saasus_mcp.permissions.question.model import Change, Fact, Labelled, Notice, Phrase, Question, Several, Value

MOST_LINES = 12
"""Lines of a dialog, the one that says how to agree among them."""
BRIEF = frozenset({"money", "email", "outside"})
"""Kinds of warning that share a line."""

Body = Fact | Change
Role = Literal[
    "lead",
    "headline",
    "first",
    "warning",
    "brief",
    "body",
    "unsent",
    "reach",
    "undo",
    "requester",
    "reason",
    "hidden",
    "agree",
]
ORDER: tuple[Role, ...] = get_args(Role)
"""In which the lines stand, from the first to the last."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is, and the data in it."""

    role: Role
    body: Body | None = None
    warnings: tuple[Notice, ...] = ()
    reach: tuple[Fact, ...] = ()
    unsent: tuple[Change, ...] = ()
    text: Text | Phrase | None = None


def lines(question: Question) -> tuple[Line, ...]:
    """The lines of the dialog."""
    kept = _extras(question)[: _room(question)]
    shown = [*_essential(question), *kept]
    return tuple(sorted(shown, key=lambda line: ORDER.index(line.role)))


def every_line(question: Question) -> tuple[Line, ...]:
    """The lines where there is room for all of them, without what a dialog says of its end."""
    changes = (Line("body", body=each) for each in question.changes if not each.lead)
    facts = (Line("body", body=each) for each in question.facts if not each.lead)
    rest = (line for line in _extras(question) if line.role not in ("body", "unsent"))
    shown = [*_essential(question), *rest, *changes, *facts]
    ordered = sorted(shown, key=lambda line: ORDER.index(line.role))
    return tuple(line for line in ordered if line.role not in ("hidden", "agree"))


def cut_short(question: Question) -> tuple[Text, ...]:
    """Labels of what is whole only in the details, even where a list has a line for each of its items."""
    bodies = [*_first(question), *_bodies(question), *_unsent(question), *question.reach]
    return tuple(dict.fromkeys(each.label for each in bodies if not all(map(_listed, _values(each)))))


def fitted(question: Question) -> Question:
    """The question with what its dialog hides, after something in it was replaced."""
    return replace(question, hidden=hidden(replace(question, hidden=())))


def hidden(question: Question) -> tuple[Text, ...]:
    """Labels of what the dialog does not show whole, or not at all."""
    extras, room = _extras(question), _room(question)
    shown = [each for line in extras[:room] for each in _told(line) if not _whole(each)]
    left = [each for line in extras[room:] for each in (*_told(line), *line.unsent)]
    labels = tuple(dict.fromkeys(each.label for each in (*shown, *left)))
    if labels and not question.hidden:  # the line that announces it takes the place of another
        return hidden(replace(question, hidden=labels))
    return labels


def _essential(question: Question) -> Iterator[Line]:
    """What no dialog goes without: what would be done, what follows, who asks, and how to agree."""
    yield from (Line("lead", text=text) for text in question.lead[:1])
    yield Line("headline", text=question.headline)
    yield from (Line("warning", warnings=(each,)) for each in question.warnings if each.kind not in BRIEF)
    brief = tuple(each for each in question.warnings if each.kind in BRIEF)
    if brief:
        yield Line("brief", warnings=brief)
    yield Line("requester")
    if question.reason:
        yield Line("reason")
    if question.hidden:
        yield Line("hidden")
    yield Line("agree")


def _extras(question: Question) -> list[Line]:
    """What stands in the room that is left, by weight."""
    extras = [Line("first", body=each) for each in _first(question)]
    extras += [Line("lead", text=text) for text in question.lead[1:]]
    if question.undo is not None:
        extras.append(Line("undo", text=question.undo))
    if question.reach:
        extras.append(Line("reach", reach=question.reach))
    if unsent := _unsent(question):
        extras.append(Line("unsent", unsent=unsent))
    return [*extras, *(Line("body", body=each) for each in _bodies(question))]


def _room(question: Question) -> int:
    return max(0, MOST_LINES - len(list(_essential(question))))


def _told(line: Line) -> tuple[Body, ...]:
    return (line.body,) if line.body is not None else line.reach


def _first(question: Question) -> list[Body]:
    every: tuple[Body, ...] = (*question.facts, *question.changes)
    return [each for each in every if each.lead]


def _bodies(question: Question) -> list[Body]:
    """What stands below the warnings, by weight."""
    unsent = _unsent(question)
    changes = [each for each in question.changes if not each.lead and each not in unsent]
    return [*changes, *(each for each in question.facts if not each.lead)]


def _unsent(question: Question) -> tuple[Change, ...]:
    """Fields that are not sent, and of which nobody knows whether they are kept: told in one line where they are several."""
    found = tuple(each for each in question.changes if each.effect == "unknown" and not each.lead)
    return found if len(found) > 1 else ()


def _whole(body: Body) -> bool:
    return all(map(shown_whole, _values(body)))


def _values(body: Body) -> tuple[Value, ...]:
    return (body.value,) if isinstance(body, Fact) else (body.before, body.after)


def _listed(value: Value) -> bool:
    if isinstance(value, Labelled):
        return _listed(value.value)
    if isinstance(value, Several):
        return sum(value.counts) == value.total and all(map(_listed, value.items))
    return shown_whole(value)
