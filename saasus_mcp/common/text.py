"""Foreign text made safe to show: bounded, with nothing in it that hides, reorders, or passes for words of ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.language import Language

MAX_LENGTH = 2000
MAX_QUOTED = 200
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that command, reorder or cannot be seen: control, format (bidirectional marks, tags, zero
widths), surrogates, line and paragraph separators."""
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that are drawn as nothing."""
MARK = "\N{REPLACEMENT CHARACTER}"
LINE_BREAK = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"

_SELECTORS = re.compile("(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
"""Variation selectors behind the one that a character may have: they show nothing and can spell out anything."""
_QUOTES: Mapping[Language, tuple[str, str]] = {"en": ("“", "”"), "ja": ("「", "」")}
_DOUBLE = '"\u201c\u201d\u201e\u201f\u2033\u2036\uff02\u301d\u301e\u301f\u275d\u275e\u02ba\u02ee'
_CORNER = "「」\uff62\uff63\ufe41\ufe42"
_TAME = str.maketrans(_DOUBLE + _CORNER, "'" * len(_DOUBLE) + "『』" * (len(_CORNER) // 2))
_UNHEARD = re.compile("[\0\ud800-\udfff]")
_BARE = re.compile(r"[A-Za-z0-9_.:@/+-]{1,200}")


def visible_text(text: str, mark: str = MARK) -> str:
    """The text with each character that cannot be seen replaced by a mark; line breaks and tabs stay."""
    text = _SELECTORS.sub(lambda run: mark * len(run[0]), text)
    if text.isprintable() and BLANK.isdisjoint(text):
        return text
    return "".join(mark if _unseen(character) else character for character in text)


def _unseen(character: str) -> bool:
    return character not in "\n\t" and (character in BLANK or unicodedata.category(character) in HIDDEN)


def display_width(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(each) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(each) in ("W", "F"))
        for each in text
    )


def strip_nul(value: Any) -> Any:
    """The JSON value with NUL characters and lone surrogates replaced.

    The expressions of rules and recipes would end a text at the first and have no value for the second.
    """
    if isinstance(value, dict):
        return {strip_nul(name): strip_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [strip_nul(item) for item in value]
    return _UNHEARD.sub(MARK, value) if isinstance(value, str) else value


def plain_text(text: str) -> str:
    """The text, visible and at most 2,000 characters long."""
    return visible_text(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…")


def one_line(text: str, longest: int = MAX_QUOTED) -> str:
    """The text, visible, on one line that shows where it broke, and bounded."""
    cut = text if len(text) <= longest else text[:longest] + "…"
    return visible_text(re.sub("\r\n|\r|\n", LINE_BREAK, cut)).replace("\t", " ")


def escape_quotes(text: str) -> str:
    """The text with quotation marks that could end a quotation replaced by the marks of one within another."""
    return text.translate(_TAME)


def quote_text(text: str, language: Language = "en", longest: int = MAX_QUOTED) -> str:
    """Foreign text in the language's quotation marks, on one line and bounded. Nothing in it can end the quotation."""
    opening, closing = _QUOTES[language]
    return f"{opening}{one_line(escape_quotes(text[:longest]))}{closing}{'…' if len(text) > longest else ''}"


def quote_name(text: str, language: Language = "en") -> str:
    """An id or the name of a field as it is where it is one plain word, else quoted."""
    return text if _BARE.fullmatch(text) else quote_text(text, language)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A foreign text as a parameter of a message, in the quotation marks of each language.

    Attributes:
        bare: show one plain word without marks, as `quote_name` does.
    """

    value: str
    bare: bool = False

    def text(self, language: Language) -> str:
        return quote_name(self.value, language) if self.bare else quote_text(self.value, language)
