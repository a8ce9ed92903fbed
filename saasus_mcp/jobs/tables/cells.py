"""Values of cells, and headings of columns, in the spellings that people write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import isfinite
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.common.text import fold_name, nearest_names
from saasus_mcp.server.results.jmespath_query import looks_like_formula

DATE_PATTERN = re.compile(r"(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?")
"""A date that begins with the year: in ISO form, as Japanese Excel writes it, and in Japanese words."""
MIDNIGHT = re.compile(r"[T ]0{1,2}:00(:00(\.0+)?)?$")
"""The time of day that a spreadsheet adds to a date."""
NUMBER = re.compile(r"[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?(\.[0-9]*)?([eE][-+]?[0-9]+)?")
WIDTHS = {code: normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFE7))}
"""Full-width and half-width forms, each with its usual form."""
TRUE_WORDS, FALSE_WORDS = (
    frozenset({"true", "1", "yes", "はい", "有効"}),
    frozenset({"false", "0", "no", "いいえ", "無効"}),
)
MAX_HEADING = 100


def cell_text(value: Any) -> str:
    """Return the text of a cell without spaces around it and without the apostrophe that guards it (`csv_cell`)."""
    text = "" if value is None else str(value).strip() if not isinstance(value, bool) else str(value).lower()
    return text[1:] if text.startswith("'") and looks_like_formula(text[1:]) else text


def narrow(text: str) -> str:
    """Return a text in half-width characters: for ids, numbers and dates, never for names.

    Only widths are changed. The NFKC form would make 102 of 10², and the address of another person of one with a ligature.
    """
    return normalize("NFC", text.translate(WIDTHS)).strip()


def is_filled(value: Any) -> bool:
    """Return whether a cell, or one of a list of cells, holds more than spaces."""
    if isinstance(value, list):
        return any(is_filled(each) for each in value)
    return value is not None and str(value).strip() != ""


def parse_number(text: str) -> int | float:
    """Return the number in a text. Raise ValueError if it is not a finite number."""
    text = narrow(text)
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    text = text.replace(",", "")
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def parse_bool(text: str) -> bool:
    """Return the truth value in a text. Raise ValueError if it is not a truth value."""
    word = narrow(text).casefold()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(text)
    return word in TRUE_WORDS


def parse_date(text: str) -> str:
    """Return the date in a text as YYYY-MM-DD. Raise ValueError if it is not a date, or has a time of day."""
    parts = DATE_PATTERN.fullmatch(MIDNIGHT.sub("", narrow(text)))
    if parts is None:
        raise ValueError(text)
    return date(*(int(part) for part in parts.groups())).isoformat()


PARSERS: Mapping[str, Callable[[str], Any]] = {"number": parse_number, "bool": parse_bool, "date": parse_date}
"""By type of attribute. Any other type is text."""


class ColumnNames:
    """Finds columns by heading, however case, width, spaces, hyphens and underscores are written.

    Args:
        headings: other headings, by column.
        prefixes: other prefixes, by the prefix of columns whose rest is a name, such as `attribute.`.
    """

    def __init__(
        self, headings: Mapping[str, Sequence[str]], prefixes: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._japanese = {
            name: next((each for each in others if not each.isascii()), "")
            for name, others in (*headings.items(), *(prefixes or {}).items())
        }
        self._columns = {_fold(each): name for name, others in headings.items() for each in (*others, name)}
        self._prefixes = {
            fold_name(each): name for name, others in (prefixes or {}).items() for each in (name, *others)
        }

    def find(self, heading: str) -> str:
        """Return the column that a heading names; the heading itself if it is unknown."""
        heading = heading.strip()
        for prefix, name in self._prefixes.items():
            if fold_name(heading[: len(prefix)]) == prefix:
                return name + heading[len(prefix) :].strip()
        return self._columns.get(_fold(heading), heading)

    def shown(self, column: str, rest: str = "") -> Text:
        """Return a column, or a prefix with `rest`, as an error lists it: in Japanese with its Japanese heading."""
        japanese = self._japanese.get(column, "")
        return Text(column + rest, f"{column}{rest}({japanese}{rest})" if japanese else column + rest)

    def first(self, column: str, headings: Sequence[str]) -> str | None:
        """Return the heading that names a column; of several, the one whose spelling comes first for this column."""
        written = {_fold(heading): heading for heading in reversed(headings)}
        return next((written[name] for name, of in self._columns.items() if of == column and name in written), None)

    def nearest(self, heading: str, known: Iterable[str]) -> str | None:
        """Return the known column or heading that resembles an unknown one the most."""
        spellings = {**self._columns, **{_fold(name): name for name in known}}
        near = nearest_names(_fold(heading[:MAX_HEADING]), spellings, 1)
        return spellings[near[0]] if near else None


def _fold(heading: str) -> str:
    folded = fold_name(heading)
    return "".join(letter for letter in folded if not letter.isspace() and letter not in "_-")
