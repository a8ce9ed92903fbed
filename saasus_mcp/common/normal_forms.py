"""Unicode normal forms in linear time."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

MAX_MARKS = 30
"""Marks of one letter that are sorted together, as in the Stream-Safe Text Format (UAX #15). No language has more."""
BEGIN_WITH_MARK = "\u0f73\u0f75\u0f81\uff9e\uff9f"
"""Letters that begin with a mark when they are decomposed."""
BEYOND_BMP = "\U000101fd-\U0001e94a"
"""All marks beyond the Basic Multilingual Plane, and the letters between them: one range is searched far faster than many, and a run
that is found is looked at again."""
SEPARATOR = "\N{COMBINING GRAPHEME JOINER}"


def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Return the normal form of a text. In more than 30 marks of one letter, each 30 are followed by an invisible joiner.

    Python sorts the marks of a letter in quadratic time: 30,000 of them take seconds, in which no other thread runs.
    """
    if text.isascii():
        return text
    bounded = _long_runs().sub(_separated, text) if len(text) > MAX_MARKS else text
    return unicodedata.normalize(form, bounded)  # noqa: TID251 - of bounded runs


def _separated(run: re.Match[str]) -> str:
    """Return a run with a joiner behind it, unless a letter within it ends the marks before."""
    has_letter = any(not unicodedata.combining(each) and each not in BEGIN_WITH_MARK for each in run[0])
    return run[0] if has_letter else run[0] + SEPARATOR


@cache
def _long_runs() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.combining(chr(code)))
    of = f"[{marks}{BEGIN_WITH_MARK}{BEYOND_BMP}]"
    return re.compile(f"{of}{{{MAX_MARKS}}}(?={of})")
