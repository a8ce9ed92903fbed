"""Make text from outside safe to show: bounded, visible, and quoted so that it cannot pass for text of this server."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from saasus_mcp.common.language import Language
from saasus_mcp.common.normal_forms import normalize

MAX_SHOWN_NAME = 80
"""Characters of a name that a message repeats."""
MAX_LENGTH = 2000
MAX_QUOTED = 200
MAX_COMPARED = 80
"""Characters of a name that are compared with others: the time grows with their square."""
SWITCH_WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of invisible characters: control, format (bidirectional marks, tags, zero widths), surrogates, line
and paragraph separators."""
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\uffa0\ufff0-\ufff8"
    "\U00013441\U00013442\U00016fe4\U0001d159\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
"""Letters, marks and unassigned characters without ink (Unicode: Default_Ignorable_Code_Point, and blank symbols)."""
MARK = "\N{REPLACEMENT CHARACTER}"
LINE_BREAK = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"

_SELECTORS = re.compile(
    "(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
    "(?<![#*0-9\xa9\xae\u2000-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff](?=[\ufe0e\ufe0f]))"
    "[\ufe00-\ufe0f\U000e0100-\U000e01ef]+"
)
"""Variation selectors, but for one after an ideograph, and one for text or colour after a symbol. Others are invisible, make a name that
looks like another, and can encode a hidden text."""
_STACKED = re.compile(
    "(?<=[{0}]{{4}})[{0}]+".format(
        "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u06d6-\u06ed\u093c-\u094d\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
        "\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f71-\u0f84\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
    )
)
"""Combining marks after the fourth of a letter. They are drawn over the lines above and below."""
_QUOTES: Mapping[Language, tuple[str, str]] = {"en": ("“", "”"), "ja": ("「", "」")}
_DOUBLE = '"\u201c\u201d\u201e\u201f\u2033\u2036\uff02\u301d\u301e\u301f\u275d\u275e\u02ba\u02ee'
_CORNER = "「」\uff62\uff63\ufe41\ufe42"
_INNER_QUOTES = str.maketrans(_DOUBLE + _CORNER, "'" * len(_DOUBLE) + "『』" * (len(_CORNER) // 2))
_SPACES = re.compile(r"\s{5,}")
"""Spaces that would move what follows to the next line of a dialog."""
LIKE_KATAKANA = dict(zip("二八力口夕工千卜才匕厶又へべぺり", "ニハカロタエチトオヒムヌヘベペリ", strict=True))
"""Kanji and hiragana that are drawn like a katakana, which each has as its value."""
_LOOKALIKES = str.maketrans(LIKE_KATAKANA) | str.maketrans(
    "一\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500ー01"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d",
    "-" * 10 + "olaeopcyxsijhdqw",
    "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))),
)
"""Kanji, kana, dashes, digits and Cyrillic letters that are drawn like others, each with the one that stands for it; variation selectors are left out."""
MARKUP = {"<": "‹", ">": "›", "`": "'", "*": "＊", "\\": "＼", "~": "∼"}  # noqa: RUF001 - that no client interprets
"""Marks of Markdown and HTML within a line, each with a look-alike."""
_MARKUP = str.maketrans(MARKUP)
_ENTITY = re.compile(r"&(?=#?\w{1,31};)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:@/+-]{1,200}")


def visible_text(text: str, mark: str = MARK) -> str:
    """Replace each invisible character, and each mark that would cover other lines, by `mark`. Keep line breaks and tabs."""
    if not text.isascii():
        text = _STACKED.sub(lambda run: mark * len(run[0]), _SELECTORS.sub(lambda run: mark * len(run[0]), text))
    if text.isprintable() and _BLANK.search(text) is None:
        return text
    return "".join(mark if _is_invisible(character) else character for character in text)


def escape_invisible(document: str) -> str:
    """Return a JSON document with the same values in which every invisible character is an escape."""
    if document.isprintable() and _BLANK.search(document) is None and _SELECTORS.search(document) is None:
        return document
    document = _SELECTORS.sub(lambda run: "".join(map(_json_escape, run[0])), document)
    return "".join(_json_escape(each) if _is_invisible(each) else each for each in document)


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _is_invisible(character: str) -> bool:
    return character not in "\n\t" and (
        _BLANK.match(character) is not None or unicodedata.category(character) in _HIDDEN_CATEGORIES
    )


def read_switch(text: str) -> bool | None:
    """Return the value of a switch: 1, true, yes, on or their opposites, in any letter case; None for any other text."""
    return SWITCH_WORDS.get(text.strip().lower())


def fold_name(name: str) -> str:
    """Return one form for all spellings of a name that readers take for the same: case, width and forms of characters."""
    return normalize("NFKC", normalize("NFKC", name).casefold()).strip()


def fold_lookalikes(name: str) -> str:
    """Return one form for all names that look or read the same, as 力 and カ, or 會 and 会. Spaces and kinds of dashes do not count."""
    folded = fold_name(name).translate(_LOOKALIKES)
    if not folded.isascii():
        from saasus_mcp.common.old_kanji import TODAY  # noqa: PLC0415 - few processes compare Japanese names

        folded = folded.translate(TODAY)
    return "".join(folded.split())


def nearest_names(name: str, known: Iterable[str], count: int = 3, similarity: float = 0.6) -> tuple[str, ...]:
    """Return the known names that are spelt most like a name, the nearest first."""
    from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

    return tuple(get_close_matches(name[:MAX_COMPARED], sorted(known), count, similarity))


def display_width(text: str) -> int:
    """Return the columns that a text takes in a terminal: an East Asian letter takes two, a combining mark none."""
    if text.isascii():
        return len(text)
    from wcwidth import wcwidth  # noqa: PLC0415 - its tables are slow to load, and few processes need them

    return sum(max(0, wcwidth(each)) for each in text)


def plain_text(text: str) -> str:
    """Return at most 2,000 characters of the text, with invisible characters replaced."""
    return visible_text(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…")


def one_line(text: str, longest: int = MAX_QUOTED) -> str:
    """Return the text on one line and bounded: line breaks as arrows, many spaces as their number, invisible characters replaced."""
    cut = text if len(text) <= longest else text[:longest] + "…"
    line = visible_text(re.sub("\r\n|\r|\n", LINE_BREAK, cut)).replace("\t", " ")
    return _SPACES.sub(lambda run: f"␣\N{MULTIPLICATION SIGN}{len(run[0])} ", line)


def inert_markup(text: str) -> str:
    """Return the text with look-alikes for what a client that shows Markdown or HTML would hide, strike out or make a link of."""
    return _ENTITY.sub("＆", text.replace("](", "］(").translate(_MARKUP))  # noqa: RUF001 - as above


def escape_quotes(text: str) -> str:
    """Replace quotation marks that could end a quotation by inner quotation marks."""
    return text.translate(_INNER_QUOTES)


def quote_text(text: str, language: Language) -> str:
    """Return text from outside in quotation marks of `language`, on one line and bounded. The text cannot end the quotation."""
    opening, closing = _QUOTES[language]
    return f"{opening}{one_line(escape_quotes(text[:MAX_QUOTED]))}{closing}{'…' if len(text) > MAX_QUOTED else ''}"


def quote_name(text: str, language: Language) -> str:
    """Return an id or field name unchanged if it is one plain word, or quoted otherwise."""
    return text if _PLAIN_NAME.fullmatch(text) else quote_text(text, language)


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
