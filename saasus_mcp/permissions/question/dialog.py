"""Questions as plain text, for a client's dialog and for the model."""

from __future__ import annotations

from saasus_mcp.common.language import Language
from saasus_mcp.common.text import one_line, quote_name, quote_text
from saasus_mcp.permissions.question.content import Change, Fact, Question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value, join_sentences
from saasus_mcp.permissions.question.layout import DialogLine, dialog_lines
from saasus_mcp.permissions.question.words import MARKS, WORDS


def render_dialog(question: Question, reader: Reader) -> str:
    """Return at most twelve lines, the last of which says how to agree."""
    return "\n".join(render_line(line, question, reader) for line in dialog_lines(question))


def render_for_model(question: Question, reader: Reader) -> str:
    """Return the question for the model, without how to agree."""
    return "\n".join(render_line(line, question, reader) for line in dialog_lines(question) if line.role != "agree")


def render_line(line: DialogLine, question: Question, reader: Reader) -> str:
    """Return one line of the dialog."""
    language = reader.language
    words = WORDS[language]
    if line.role == "headline":
        sandbox = f"{words['sandbox']} " if question.place.sandbox else ""
        return sandbox + format_sentence(question.headline, reader)
    if line.unsent:
        return words["unsent"].format(fields=words["and"].join(each.label.text(language) for each in line.unsent))
    bodies = (line.body,) if line.body is not None else line.reach
    if bodies or line.warnings:
        warnings = (f"{MARKS[each.kind]} {format_sentence(each.text, reader)}" for each in line.warnings)
        return join_sentences((*(render_body(each, reader) for each in bodies), *warnings), language)
    if line.text is not None:
        return format_sentence(line.text, reader)
    return _closing(line, question, language)


def render_body(of: Fact | Change, reader: Reader) -> str:
    """Return a fact or a change as text."""
    words, label = WORDS[reader.language], of.label.text(reader.language)
    if isinstance(of, Fact):
        return words["fact"].format(label=label, value=format_value(of.value, reader))
    return words[of.effect].format(
        label=label, before=format_value(of.before, reader), after=format_value(of.after, reader)
    )


def _closing(line: DialogLine, question: Question, language: Language) -> str:
    words = WORDS[language]
    if line.role == "requester":
        place = question.place
        return words["requester"].format(
            who=quote_name(question.requester, language), profile=one_line(place.profile), saas=one_line(place.saas_id)
        )
    if line.role == "reason":
        return words["reason"].format(reason=quote_text(question.reason, language))
    if line.role == "hidden":
        return words["hidden"].format(labels=words["and"].join(each.text(language) for each in question.hidden))
    if question.typed is not None:
        return words["type"].format(typed=quote_text(question.typed.text(language), language))
    return words["confirm"]
