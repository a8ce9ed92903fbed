"""Values of cells, in the spellings that people write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from math import isfinite
from typing import Any

from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.server.results.jmespath_query import looks_like_formula

DATE_PATTERN = re.compile(r"(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?")
"""A date that begins with the year: in ISO form, as Japanese Excel writes it, and in Japanese words."""
MIDNIGHT = re.compile(r"[T ]0{1,2}:00(:00(\.0+)?)?$")
"""The time of day that a spreadsheet adds to a date."""
GROUPED_NUMBER = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
TRUE_WORDS, FALSE_WORDS = (
    frozenset({"true", "1", "yes", "はい", "有効"}),
    frozenset({"false", "0", "no", "いいえ", "無効"}),
)


def cell_text(value: Any) -> str:
    """Return the text of a cell without spaces around it and without the apostrophe that guards it (`csv_cell`)."""
    text = "" if value is None else str(value).strip() if not isinstance(value, bool) else str(value).lower()
    return text[1:] if text.startswith("'") and looks_like_formula(text[1:]) else text


def narrow(text: str) -> str:
    """Return a text in half-width characters: for ids, numbers and dates, never for names."""
    return normalize("NFKC", text).strip()


def is_filled(value: Any) -> bool:
    """Return whether a cell, or one of a list of cells, holds more than spaces."""
    if isinstance(value, list):
        return any(is_filled(each) for each in value)
    return value is not None and str(value).strip() != ""


def parse_number(text: str) -> int | float:
    """Return the number in a text.

    Raises:
        ValueError: it is not a finite number.
    """
    text = narrow(text)
    if GROUPED_NUMBER.fullmatch(text):
        text = text.replace(",", "")
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def parse_bool(text: str) -> bool:
    """Return the truth value in a text.

    Raises:
        ValueError: it is not a truth value.
    """
    word = narrow(text).casefold()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(text)
    return word in TRUE_WORDS


def parse_date(text: str) -> str:
    """Return the date in a text as YYYY-MM-DD.

    Raises:
        ValueError: it is not a date, or has a time of day.
    """
    parts = DATE_PATTERN.fullmatch(MIDNIGHT.sub("", narrow(text)))
    if parts is None:
        raise ValueError(text)
    return date(*(int(part) for part in parts.groups())).isoformat()


PARSERS: Mapping[str, Callable[[str], Any]] = {"number": parse_number, "bool": parse_bool, "date": parse_date}
"""By type of attribute. Any other type is text."""
