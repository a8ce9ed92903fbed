"""Questions as plain text, for a client's dialog and for the model. Some clients show it as Markdown or HTML, so it has no marks of these."""

from __future__ import annotations

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Localized, message, one_of
from saasus_mcp.common.text import Quoted, inert_markup, one_line
from saasus_mcp.permissions.question.content import MARKS, Change, Fact, Question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value, join_on_line
from saasus_mcp.permissions.question.layout import DialogLine, dialog_lines


def render_dialog(question: Question, reader: Reader) -> str:
    """Return at most twelve lines, the last of which says how to agree."""
    return "\n".join(inert_markup(render_line(line, question, reader)) for line in dialog_lines(question))


def render_for_model(question: Question, reader: Reader) -> str:
    """Return the question for the model, without how to agree."""
    lines = (line for line in dialog_lines(question) if line.role != "agree")
    return "\n".join(inert_markup(render_line(line, question, reader)) for line in lines)


def render_line(line: DialogLine, question: Question, reader: Reader) -> str:
    language = reader.language
    if line.role == "headline":
        sandbox = f"{message('question.sandbox').text(language)} " if question.place.sandbox else ""
        return sandbox + format_sentence(question.headline, reader)
    if line.unsent:
        return message("question.unsent", fields=tuple(each.label for each in line.unsent)).text(language)
    bodies = (line.body,) if line.body is not None else line.reach
    if bodies or line.warnings:
        warnings = (f"{MARKS[each.kind]} {format_sentence(each.text, reader)}" for each in line.warnings)
        return join_on_line((*(render_body(each, reader) for each in bodies), *warnings), language)
    if line.text is not None:
        return format_sentence(line.text, reader)
    return _closing(line, question, language)


def render_body(of: Fact | Change, reader: Reader) -> str:
    if isinstance(of, Fact):
        text = message("question.fact", label=of.label, value=format_value(of.value, reader))
    else:
        before, after = format_value(of.before, reader), format_value(of.after, reader)
        text = one_of("question.effect", of.effect, label=of.label, before=before, after=after)
    return text.text(reader.language)


def _closing(line: DialogLine, question: Question, language: Language) -> str:
    text = message("question.confirm")
    if line.role == "requester":
        profile, saas = one_line(question.place.profile), one_line(question.place.saas_id)
        requester: Localized = Quoted(question.requester, bare=True)
        if question.requester_name:
            requester = message("question.person", name=Quoted(question.requester_name), id=requester)
        text = message("question.requester", who=requester, profile=profile, saas=saas)
    elif line.role == "reason":
        text = message("question.reason", reason=Quoted(question.reason))
    elif question.typed is not None:
        text = message("question.type_name", typed=Quoted(question.typed.text(language)))
    return text.text(language)
