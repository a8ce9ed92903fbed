"""A question as plain text: the lines of a client's dialog, and of what the model is told."""

from __future__ import annotations

from saasus_mcp.catalog.model import Language
from saasus_mcp.permissions.question.formatting import Reader, fill, joined, say
from saasus_mcp.permissions.question.layout import Line, lines
from saasus_mcp.permissions.question.model import Change, Fact, Question
from saasus_mcp.permissions.question.words import MARKS, WORDS
from saasus_mcp.saasus.words import named, one_line, quoted


def dialog(question: Question, reader: Reader) -> str:
    """The whole question: at most twelve lines, the last of which says how to agree."""
    return "\n".join(text(line, question, reader) for line in lines(question))


def told(question: Question, reader: Reader) -> str:
    """The question for the model: without how to agree, which is not for it."""
    return "\n".join(text(line, question, reader) for line in lines(question) if line.role != "agree")


def text(line: Line, question: Question, reader: Reader) -> str:
    """One line of the dialog."""
    language = reader.language
    words = WORDS[language]
    if line.role == "headline":
        sandbox = f"{words['sandbox']} " if question.place.sandbox else ""
        return sandbox + fill(question.headline, reader)
    if line.unsent:
        return words["unsent"].format(fields=words["and"].join(each.label.get(language) for each in line.unsent))
    bodies = (line.body,) if line.body is not None else line.reach
    if bodies or line.warnings:
        warnings = (f"{MARKS[each.kind]} {fill(each.text, reader)}" for each in line.warnings)
        return joined((*(body(each, reader) for each in bodies), *warnings), language)
    if line.text is not None:
        return fill(line.text, reader)
    return _closing(line, question, language)


def body(of: Fact | Change, reader: Reader) -> str:
    """A fact or a change."""
    words, label = WORDS[reader.language], of.label.get(reader.language)
    if isinstance(of, Fact):
        return words["fact"].format(label=label, value=say(of.value, reader))
    return words[of.effect].format(label=label, before=say(of.before, reader), after=say(of.after, reader))


def _closing(line: Line, question: Question, language: Language) -> str:
    words = WORDS[language]
    if line.role == "requester":
        place = question.place
        return words["requester"].format(
            who=named(question.requester, language), profile=one_line(place.profile), saas=one_line(place.saas_id)
        )
    if line.role == "reason":
        return words["reason"].format(reason=quoted(question.reason, language))
    if line.role == "hidden":
        return words["hidden"].format(labels=words["and"].join(each.get(language) for each in question.hidden))
    if question.typed is not None:
        return words["type"].format(typed=quoted(question.typed.get(language), language))
    return words["confirm"]
