"""What a person reads before saying yes: what would be done, to whom, where, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from saasus_mcp.catalog.model import Effects, Language, Operation, Undo
from saasus_mcp.permissions.difference import Change
from saasus_mcp.permissions.impact import Impact
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.target import Sight, shown_arguments
from saasus_mcp.permissions.wording import OUTSIDE, SYSTEMS, WORDS
from saasus_mcp.saasus.answer import compact
from saasus_mcp.saasus.words import plain

LONGEST_VALUE = 200
MOST_ARGUMENTS = 30
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def previews(
    operation: Operation,
    args: Mapping[str, Any],
    sight: Sight,
    place: Place,
    *,
    impact: Impact | None = None,
    changes: Sequence[Change] | None = None,
) -> dict[str, str]:
    """The preview in each language. Nothing secret is in it, and the API's words in it are made safe to show."""
    return {
        language: preview(operation, args, sight, place, language, impact=impact, changes=changes)
        for language in LANGUAGES
    }


def preview(
    operation: Operation,
    args: Mapping[str, Any],
    sight: Sight,
    place: Place,
    language: Language,
    *,
    impact: Impact | None = None,
    changes: Sequence[Change] | None = None,
) -> str:
    """The preview in one language.

    Args:
        impact: how far the call would reach; None where that was not looked at.
        changes: what an update would change; None where there is nothing to compare, or it was not looked at.
    """
    words = WORDS[language]
    lines = [f"{operation.title.get(language)} ({operation.key})", where(place, language)]
    if operation.effects.target is not None:
        lines.append(words["target"].format(name=plain(sight.name)))
        lines += [f"  {text.removeprefix('target.')}: {_value(value)}" for text, value in sight.fields.items()]
    if sight.why_not:
        lines.append(words["unseen"].format(why=plain(sight.why_not)))
    if operation.effects.say is not None:
        lines.append(operation.effects.say.get(language))
    if impact is not None and impact.findings:
        lines += [words["impact"], *(f"  {line}" for line in impact.lines(language))]
    if changes is not None:
        lines += _changes(changes, language)
    shown = shown_arguments(operation, args)
    if shown:
        lines.append(words["arguments"])
        lines += [f"  {plain(name)}: {_value(value)}" for name, value in list(shown.items())[:MOST_ARGUMENTS]]
        if len(shown) > MOST_ARGUMENTS:
            lines.append(words["more"].format(count=len(shown) - MOST_ARGUMENTS))
    lines += _consequences(operation.effects, language)
    return "\n".join(lines)


def where(place: Place, language: Language) -> str:
    """The SaaS and profile that a call touches, and whether it is only the sandbox."""
    words = WORDS[language]
    named = words["where"].format(saas=plain(place.saas_id), profile=plain(place.profile))
    return words["sandbox"] + named if place.sandbox else named


def _consequences(effects: Effects, language: Language) -> Iterator[str]:
    """What follows from the row of effects, in words."""
    words = WORDS[language]
    if effects.undo is not None:
        yield _undo(effects.undo, language)
    if effects.money != "no":
        yield words[f"money_{'yes' if effects.money == 'yes' else 'maybe'}"]
    if effects.email != "no":
        yield words[f"email_{'yes' if effects.email == 'yes' else 'maybe'}"]
    if effects.outside:
        yield OUTSIDE[language].format(systems=", ".join(SYSTEMS[name] for name in effects.outside))


def _undo(undo: Undo, language: Language) -> str:
    """What can be had back, by which call, and what cannot."""
    words = WORDS[language]
    by = words["by"].format(call=undo.call) if undo.call and undo.kind != "lost" else ""
    note = words["colon"] + undo.note.get(language) if undo.note else words["stop"]
    return f"{words[undo.kind]}{by}{note}"


def _changes(changes: Sequence[Change], language: Language) -> Iterator[str]:
    """The difference, a line a field."""
    words = WORDS[language]
    if not changes:
        yield words["unchanged"]
        return
    yield words["changes"]
    for change in changes[:MOST_ARGUMENTS]:
        before, after = (_value(value) if _there(value) else words["none"] for value in (change.before, change.after))
        yield "  " + words[change.effect].format(field=plain(change.field), before=before, after=after)
    if len(changes) > MOST_ARGUMENTS:
        yield words["more"].format(count=len(changes) - MOST_ARGUMENTS)


def _there(value: Any) -> bool:
    return value not in (None, "", [], {})


def _value(value: Any) -> str:
    text = plain(value if isinstance(value, str) else compact(value)).replace("\n", " ")
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def question(preview_text: str, sight: Sight, language: Language, *, typed: bool, changed: bool) -> str:
    """The whole question: the preview, whether it changed since it was last asked, and how to say yes."""
    words = WORDS[language]
    lead = words["changed"] + "\n\n" if changed else ""
    ask = words["type_name"].format(name=sight.name) if typed else words["confirm"]
    return f"{lead}{preview_text}\n\n{ask}"
