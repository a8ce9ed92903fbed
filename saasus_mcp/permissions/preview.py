"""What a person reads before saying yes: what would be done, to whom, where, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from saasus_mcp.catalog.model import Effects, Language, Operation, Undo
from saasus_mcp.permissions.bound import changes as changes_between
from saasus_mcp.permissions.bound import seen
from saasus_mcp.permissions.difference import Change
from saasus_mcp.permissions.impact import Impact
from saasus_mcp.permissions.proof import Place, where
from saasus_mcp.permissions.target import Sight, shown_arguments
from saasus_mcp.permissions.wording import OUTSIDE, SYSTEMS, WORDS, reason
from saasus_mcp.saasus.answer import compact
from saasus_mcp.saasus.words import named, one_line, quoted
from saasus_mcp.store import Approval

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
) -> dict[Language, str]:
    """The preview in each language. Nothing secret is in it; what the API and the caller say in it is quoted."""
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
    lines = [f"{operation.title.get(language)} ({operation.tool})", where(place, language)]
    if operation.effects.target is not None:
        lines.append(words["target"].format(name=quoted(sight.name, language)))
        shown = sight.fields if not sight.why_not else {}
        lines += [f"  {text.removeprefix('target.')}: {_shown(value, language)}" for text, value in shown.items()]
    if sight.why_not:
        lines.append(words["unseen"].format(why=reason(sight.why_not, language)))
    if operation.effects.say is not None:
        lines.append(operation.effects.say.get(language))
    if impact is not None and impact.findings:
        lines += [words["impact"], *(f"  {line}" for line in impact.lines(language))]
    if changes is not None:
        lines += [words["changes"], *_changes(changes, language)] if changes else [words["unchanged"]]
    lines += _arguments(shown_arguments(operation, args), language)
    lines += consequences(operation.effects, language)
    return "\n".join(lines)


def _arguments(shown: Mapping[str, Any], language: Language) -> Iterator[str]:
    """What is sent, a line each."""
    words = WORDS[language]
    if shown:
        yield words["arguments"]
    for name, value in list(shown.items())[:MOST_ARGUMENTS]:
        yield f"  {name}: {_value(value, language)}"
    if len(shown) > MOST_ARGUMENTS:
        yield words["more"].format(count=len(shown) - MOST_ARGUMENTS)


def consequences(effects: Effects, language: Language) -> Iterator[str]:
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
    by = words["by"].format(call=undo.tool) if undo.tool and undo.kind != "lost" else ""
    note = words["colon"] + undo.note.get(language) if undo.note else words["stop"]
    return f"{words[undo.kind]}{by}{note}"


def _changes(changes: Sequence[Change], language: Language) -> Iterator[str]:
    """The difference, a line a field."""
    words = WORDS[language]
    for change in changes[:MOST_ARGUMENTS]:
        before, after = (_shown(item, language) for item in (change.before, change.after))
        yield "  " + words[change.effect].format(field=named(change.field, language), before=before, after=after)
    if len(changes) > MOST_ARGUMENTS:
        yield words["more"].format(count=len(changes) - MOST_ARGUMENTS)


def _shown(value: Any, language: Language) -> str:
    """A value, or that there is none."""
    return _value(value, language) if value not in (None, "", [], {}) else WORDS[language]["none"]


def _value(value: Any, language: Language) -> str:
    """A text quoted; a list or an object quoted as JSON; anything else as it is."""
    text = value if isinstance(value, str) else compact(value)
    return quoted(text, language) if isinstance(value, str | list | dict) else one_line(text)


def question(preview_text: str, sight: Sight, language: Language, *, typed: bool, lead: str = "") -> str:
    """The whole question: why it is asked anew, where it is; the preview; and how to say yes."""
    words = WORDS[language]
    ask = words["type_name"].format(name=quoted(sight.name, language)) if typed else words["confirm"]
    return "\n\n".join(part for part in (lead, preview_text, ask) if part)


def why_anew(before: str, sight: Sight, language: Language) -> str:
    """Why a person is asked again who was asked when the bound fields of the target (Sight.bound) were as before."""
    words = WORDS[language]
    if before == sight.bound:
        return words["stricter"]
    return "\n".join([words["changed"], *_since(before, sight, language)])


def why_void(approval: Approval, sight: Sight, language: Language) -> str:
    """Why an approval that was asked for, or given, holds no more."""
    words = WORDS[language]
    if approval.bound == sight.bound:
        return words["void_stricter"].format(code=approval.code)
    return "\n".join([words["void"].format(code=approval.code), *_since(approval.bound, sight, language)])


def since(before: str, now: str) -> tuple[str, ...]:
    """The lines of a preview that were not in an earlier one of the same call."""
    known = frozenset(before.splitlines())
    return tuple(line.strip() for line in now.splitlines() if line not in known)


def _since(before: str, sight: Sight, language: Language) -> list[str]:
    """How the target changed, a line each; of one that came into view or went out of it, only that."""
    words = WORDS[language]
    if seen(before) == seen(sight.bound):
        return list(_changes(changes_between(before, sight.bound), language))
    return [words["now_unseen"].format(why=reason(sight.why_not, language)) if sight.why_not else words["now_seen"]]
