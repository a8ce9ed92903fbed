"""Foreign text made safe to show: bounded, with nothing in it that hides or reorders what is read."""

from __future__ import annotations

import unicodedata
from typing import Any

LONGEST = 2000
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that command, reorder or cannot be seen: control, format (bidirectional marks, tags, zero
widths), surrogates, line and paragraph separators."""
MARK = "\N{REPLACEMENT CHARACTER}"


def visible(text: str, mark: str = MARK) -> str:
    """The text with each character that cannot be seen replaced by a mark; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        mark if character not in "\n\t" and unicodedata.category(character) in HIDDEN else character
        for character in text
    )


def without_nul(value: Any) -> Any:
    """The JSON value with NUL characters replaced: the expressions of rules and recipes would end a text at one."""
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    return value.replace("\0", MARK) if isinstance(value, str) else value


def plain(text: str) -> str:
    """The text, visible and at most 2,000 characters long."""
    return visible(text if len(text) <= LONGEST else text[:LONGEST] + "…")
