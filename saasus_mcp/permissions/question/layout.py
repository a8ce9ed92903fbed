"""Which lines a question has in a dialog, in which order, and what of it finds no room there. The same in every language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from saasus_mcp.catalog.model import Text
from saasus_mcp.permissions.question.formatting import shown_whole
from saasus_mcp.permissions.question.model import Change, Fact, Notice, Phrase, Question

MOST_LINES = 12
"""Lines of a dialog, the one that says how to agree among them."""
BRIEF = frozenset({"money", "email", "outside"})
"""Kinds of warning that share a line."""

Body = Fact | Change


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is, and the data in it."""

    role: Literal[
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
    body: Body | None = None
    warnings: tuple[Notice, ...] = ()
    reach: tuple[Fact, ...] = ()
    unsent: tuple[Change, ...] = ()
    text: Text | Phrase | None = None


def lines(question: Question) -> tuple[Line, ...]:
    """The lines of the dialog."""
    return (*_top(question), *_kept(question), *_bottom(question))


def fitted(question: Question) -> Question:
    """The question with what its dialog hides, after something in it was replaced."""
    return replace(question, hidden=hidden(replace(question, hidden=())))


def hidden(question: Question) -> tuple[Text, ...]:
    """Labels of what the dialog does not show whole, or not at all."""
    bodies, cut = _bodies(question), [each for each in _first(question) if not _whole(each)]
    room = len(_kept(question))
    left = [*cut, *(each for each in bodies[:room] if not _whole(each)), *bodies[room:]]
    labels = tuple(dict.fromkeys(each.label for each in left))
    if labels and not question.hidden:  # the line that announces it takes the place of another
        return hidden(replace(question, hidden=labels))
    return labels


def _first(question: Question) -> list[Body]:
    every: tuple[Body, ...] = (*question.facts, *question.changes)
    return [each for each in every if each.lead]


def _bodies(question: Question) -> list[Body]:
    """What stands below the warnings, by weight."""
    changes = [each for each in question.changes if not each.lead and each not in _unsent(question)]
    return [*changes, *(each for each in question.facts if not each.lead)]


def _unsent(question: Question) -> tuple[Change, ...]:
    """Fields that are not sent, and of which nobody knows whether they are kept: told in one line where they are several."""
    found = tuple(each for each in question.changes if each.effect == "unknown" and not each.lead)
    return found if len(found) > 1 else ()


def _top(question: Question) -> Iterator[Line]:
    yield from (Line("lead", text=text) for text in question.lead)
    yield Line("headline", text=question.headline)
    yield from (Line("first", body=each) for each in _first(question))
    yield from (Line("warning", warnings=(each,)) for each in question.warnings if each.kind not in BRIEF)
    brief = tuple(each for each in question.warnings if each.kind in BRIEF)
    if brief:
        yield Line("brief", warnings=brief)


def _kept(question: Question) -> list[Line]:
    room = MOST_LINES - len(list(_top(question))) - len(list(_bottom(question)))
    return [Line("body", body=each) for each in _bodies(question)[: max(0, room)]]


def _bottom(question: Question) -> Iterator[Line]:
    unsent = _unsent(question)
    if unsent:
        yield Line("unsent", unsent=unsent)
    if question.reach:
        yield Line("reach", reach=question.reach)
    if question.undo is not None:
        yield Line("undo", text=question.undo)
    yield Line("requester")
    if question.reason:
        yield Line("reason")
    if question.hidden:
        yield Line("hidden")
    yield Line("agree")


def _whole(body: Body) -> bool:
    if isinstance(body, Fact):
        return shown_whole(body.value)
    return shown_whole(body.before) and shown_whole(body.after)
