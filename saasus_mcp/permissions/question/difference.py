"""The visible difference of two values: both if they are short, otherwise the part that differs."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog.question_texts import FieldText

CONTEXT_LENGTH = 20
"""Characters of context on each side of a difference between two long texts."""
LONG_TEXT = 120
MAX_WHOLE_LIST = 8
"""Up to this number of items, a list is shown whole on both sides."""
WHOLE_KINDS = frozenset({"tiers", "prices"})
"""Kinds of value that are never cut: a tier left out because it is equal would look like a removed one."""


def differing_values(before: Any, after: Any, field: FieldText) -> tuple[Any, Any]:
    """Return the parts of two values that differ."""
    if field.kind in WHOLE_KINDS:
        return before, after
    if isinstance(before, list) and isinstance(after, list) and max(len(before), len(after)) > MAX_WHOLE_LIST:
        gone, come = [item for item in before if item not in after], [item for item in after if item not in before]
        return (gone, come) if gone or come else (before, after)
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONG_TEXT:
        return differing_text(before, after)
    return before, after


def differing_text(before: str, after: str) -> tuple[str, str]:
    """Return the parts of two texts from their first to their last difference, with context."""
    start = _common(before, after)
    rest = min(len(before), len(after)) - start
    end = min(_common(before[::-1], after[::-1]), rest)
    return _part(before, start, end), _part(after, start, end)


def _common(one: str, other: str) -> int:
    """Return the length of the common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, its) in pairs if mine != its), min(len(one), len(other)))


def _part(text: str, start: int, end: int) -> str:
    first, last = max(0, start - CONTEXT_LENGTH), min(len(text), len(text) - end + CONTEXT_LENGTH)
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
