"""The lines of a question in a dialog, their order, and the parts that do not fit. Equal in every language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Literal, get_args

from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.question.content import Change, Fact, Question, QuestionWarning, Sentence, Value
from saasus_mcp.permissions.question.formatting import is_shown_whole

MAX_LINES = 12
"""Lines of a dialog, the one that says how to agree among them."""
BRIEF_WARNINGS = frozenset({"money", "email", "outside"})
"""Kinds of warning that share a line."""
LASTING_WARNINGS = frozenset({"irreversible", "recreate"})
"""Kinds of warning about what cannot be undone. They come before the consequences, and are shown strongest."""

FactOrChange = Fact | Change
LineRole = Literal[
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
LINE_ORDER: tuple[LineRole, ...] = get_args(LineRole)
"""In which the lines stand, from the first to the last."""


@dataclass(frozen=True, slots=True)
class DialogLine:
    """One line: its role and its data."""

    role: LineRole
    body: FactOrChange | None = None
    warnings: tuple[QuestionWarning, ...] = ()
    reach: tuple[Fact, ...] = ()
    unsent: tuple[Change, ...] = ()
    text: Text | Sentence | None = None


def dialog_lines(question: Question) -> tuple[DialogLine, ...]:
    lines, labels = list(_essential(question)), hidden_labels(question)
    if labels:
        lines.append(DialogLine("hidden", text=message("question.hidden", labels=labels).both()))
    lines += _extras(question)[: max(0, MAX_LINES - len(lines))]
    return tuple(sorted(lines, key=lambda line: LINE_ORDER.index(line.role)))


def all_lines(question: Question) -> tuple[DialogLine, ...]:
    """Return all lines, without the note about hidden parts."""
    changes = (DialogLine("body", body=each) for each in question.changes if not each.lead)
    facts = (DialogLine("body", body=each) for each in question.facts if not each.lead)
    rest = (line for line in _extras(question) if line.role not in ("body", "unsent"))
    shown = [*_essential(question), *rest, *changes, *facts]
    ordered = sorted(shown, key=lambda line: LINE_ORDER.index(line.role))
    return tuple(line for line in ordered if line.role != "agree")


def truncated_labels(question: Question) -> tuple[Text, ...]:
    """Return the labels of values that only the details show whole, even if every list item has a line."""
    bodies = [*_first(question), *_bodies(question), *_unsent(question), *question.reach]
    whole = partial(is_shown_whole, longest=inf)
    return tuple(dict.fromkeys(each.label for each in bodies if not all(map(whole, _values(each)))))


def hidden_labels(question: Question) -> tuple[Text, ...]:
    """Return the labels of values that the dialog does not show whole."""
    extras, room = _extras(question), max(0, MAX_LINES - len(list(_essential(question))))
    labels = _labels_beyond(extras, room)
    # The line that announces them takes the place of another.
    return _labels_beyond(extras, max(0, room - 1)) if labels else ()


def _labels_beyond(extras: list[DialogLine], room: int) -> tuple[Text, ...]:
    shown = [each for line in extras[:room] for each in _told(line) if not all(map(is_shown_whole, _values(each)))]
    left = [each for line in extras[room:] for each in (*_told(line), *line.unsent)]
    return tuple(dict.fromkeys(each.label for each in (*shown, *left)))


def _essential(question: Question) -> Iterator[DialogLine]:
    """Yield the lines that no dialog omits: action, consequences, requester, how to agree."""
    yield from (DialogLine("lead", text=text) for text in question.lead[:1])
    yield DialogLine("headline", text=question.headline)
    warnings = (each for each in question.warnings if each.kind not in BRIEF_WARNINGS)
    yield from (DialogLine("warning", warnings=(each,)) for each in sorted(warnings, key=_warning_rank))
    brief = tuple(each for each in question.warnings if each.kind in BRIEF_WARNINGS)
    if brief:
        yield DialogLine("brief", warnings=brief)
    yield DialogLine("requester")
    if question.reason:
        yield DialogLine("reason")
    yield DialogLine("agree")


def _warning_rank(warning: QuestionWarning) -> int:
    """Return the place of a warning: who the target is, then what cannot be undone, then the other consequences."""
    return 2 if warning.kind == "consequence" else int(warning.kind in LASTING_WARNINGS)


def _extras(question: Question) -> list[DialogLine]:
    """Return the lines for the remaining room, by importance."""
    extras = [DialogLine("first", body=each) for each in _first(question)]
    extras += [DialogLine("lead", text=text) for text in question.lead[1:]]
    if question.undo is not None:
        extras.append(DialogLine("undo", text=question.undo))
    if question.reach:
        extras.append(DialogLine("reach", reach=question.reach))
    if unsent := _unsent(question):
        extras.append(DialogLine("unsent", unsent=unsent))
    return [*extras, *(DialogLine("body", body=each) for each in _bodies(question))]


def _told(line: DialogLine) -> tuple[FactOrChange, ...]:
    return (line.body,) if line.body is not None else line.reach


def _first(question: Question) -> list[FactOrChange]:
    every: tuple[FactOrChange, ...] = (*question.facts, *question.changes)
    return [each for each in every if each.lead]


def _bodies(question: Question) -> list[FactOrChange]:
    """Return the lines below the warnings, by importance."""
    unsent = _unsent(question)
    changes = [each for each in question.changes if not each.lead and each not in unsent]
    return [*changes, *(each for each in question.facts if not each.lead)]


def _unsent(question: Question) -> tuple[Change, ...]:
    """Return omitted fields with an unknown effect. Several share one line."""
    found = tuple(each for each in question.changes if each.effect == "unknown" and not each.lead)
    return found if len(found) > 1 else ()


def _values(body: FactOrChange) -> tuple[Value, ...]:
    return (body.value,) if isinstance(body, Fact) else (body.before, body.after)
