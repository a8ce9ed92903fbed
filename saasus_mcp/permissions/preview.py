"""What a person reads before saying yes: what would be done, to whom, where, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.catalog.model import Effects, Language, Operation
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.target import Sight, shown_arguments
from saasus_mcp.permissions.wording import OUTSIDE, SYSTEMS, WORDS
from saasus_mcp.saasus.answer import compact, plain

LONGEST_VALUE = 200
MOST_ARGUMENTS = 30
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def previews(operation: Operation, args: Mapping[str, Any], sight: Sight, place: Place) -> dict[str, str]:
    """The preview in each language. Nothing secret is in it, and the API's words in it are made safe to show."""
    return {language: preview(operation, args, sight, place, language) for language in LANGUAGES}


def preview(operation: Operation, args: Mapping[str, Any], sight: Sight, place: Place, language: Language) -> str:
    """The preview in one language."""
    words = WORDS[language]
    lines = [f"{operation.title.get(language)} ({operation.key})"]
    lines.append(where(place, language))
    if operation.effects.target is not None:
        lines.append(words["target"].format(name=plain(sight.name)))
        lines += [f"  {text.removeprefix('target.')}: {_value(value)}" for text, value in sight.fields.items()]
    if sight.why_not:
        lines.append(words["unseen"].format(why=plain(sight.why_not)))
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
    if effects.reversibility in ("irreversible", "recreate"):
        yield words[effects.reversibility]
    if effects.money != "no":
        yield words[f"money_{'yes' if effects.money == 'yes' else 'maybe'}"]
    if effects.email != "no":
        yield words[f"email_{'yes' if effects.email == 'yes' else 'maybe'}"]
    if effects.outside:
        yield OUTSIDE[language].format(systems=", ".join(SYSTEMS[name] for name in effects.outside))


def _value(value: Any) -> str:
    text = plain(value if isinstance(value, str) else compact(value)).replace("\n", " ")
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def question(preview_text: str, sight: Sight, language: Language, *, typed: bool, changed: bool) -> str:
    """The whole question: the preview, whether it changed since it was last asked, and how to say yes."""
    words = WORDS[language]
    lead = words["changed"] + "\n\n" if changed else ""
    ask = words["type_name"].format(name=sight.name) if typed else words["confirm"]
    return f"{lead}{preview_text}\n\n{ask}"
