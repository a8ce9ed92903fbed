"""From a text to the terms it is searched by, the same way for the catalogue and for a query.

Japanese and English go through one table of phrases and then their own ways: English words lose their endings, Japanese
is cut into pairs of characters, so that no dictionary of the language is needed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

UNIT = re.compile(r"[a-z0-9]+|[^\W\x00-\x7f]")
"""A Latin word, or one letter of another script. Ranges of kana and kanji would say more and cost a millisecond to compile."""
CAMEL = re.compile(r"(?<=[a-z0-9]{2})(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
SAME_KANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)} | {ord("ー"): None}
"""Katakana to the same hiragana; the long-vowel mark goes, since people write it or not (ユーザー, ユーザ)."""
MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
SHAPES = (
    (re.compile(r"\bno-?reply@[\w.-]+", re.ASCII), " sender address "),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]+", re.ASCII), " user email "),
    (re.compile(r"\bsk_(?:live|test)(?:_\w+)?", re.ASCII), " stripe secret key "),
    (re.compile(r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)"), " ip address "),
    (re.compile(r"(?<!\d)\d{4}([-/])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}月\d{1,2}日|(?<=から)\d{1,2}日"), " date "),
    (re.compile(rf"\b{MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b", re.ASCII), " date "),
    (re.compile(r"(?<!\d)\d{4}[-/]\d{1,2}(?!\d)"), " month "),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[a-z]{1,4}-\d+\b", re.ASCII), " one "),
)
"""Values in a query, and what they say: which address or which day does not matter to what is searched."""
ENDINGS = (("ies", "y"), ("s", ""), ("ed", ""), ("ing", ""), ("e", ""))
SHORTEST_STEM = 3
WHOLE = frozenset({"listing"})
"""Words that are something else without their ending: a listing is what a marketplace shows."""


def fold_text(text: str) -> str:
    """The text without differences of case, width and kana, and with `camelCase` as words."""
    return CAMEL.sub(" ", unicodedata.normalize("NFKC", text)).casefold().translate(SAME_KANA)


def split_units(text: str) -> list[str]:
    """The words of a text: a Latin word is one unit, and so is each Japanese character."""
    plain = fold_text(text)
    for shape, meaning in SHAPES:
        plain = shape.sub(meaning, plain)
    return UNIT.findall(plain)


def stem_word(word: str) -> str:
    """An English word without plural, -ed, -ing and a last e: `invites`, `invited` and `inviting` are one."""
    if word in WHOLE:
        return word
    for ending, instead in ENDINGS:
        if word.endswith(ending) and len(word) >= SHORTEST_STEM + len(ending) and not word.endswith("ss"):
            return stem_word(word.removesuffix(ending) + instead)
    return word


def normalize_phrase(text: str) -> str:
    """A phrase as the table of phrases knows it: `sign-in`, `sign in` and `Signin` are one."""
    return "".join(stem_word(unit) for unit in split_units(text))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The table of phrases: each with the groups of synonyms it belongs to, none where it is to be ignored.

    Attributes:
        longest: how many characters the longest phrase has.
    """

    phrases: Mapping[str, list[str]]
    longest: int

    def terms(self, found: list[str]) -> dict[str, float]:
        """The terms of a text's units, and how often each is said.

        They are `#group`, English stems, `=word` as it is written, and pairs of neighbouring Japanese characters. A phrase
        of several groups counts for each of them the less, since it may mean any.
        """
        terms: dict[str, float] = defaultdict(float)
        before = ""
        for groups, span in self._spans(found):
            if groups == []:
                before = ""
                continue
            for group in groups or ():
                terms[f"#{group}"] += 1 / sqrt(len(groups or ()))
            for unit in span:
                if unit.isascii():
                    terms[stem_word(unit)] += 1
                    terms[f"={unit}"] += 1
                elif before:
                    terms[before + unit] += 1
                before = "" if unit.isascii() else unit
        return terms

    def _spans(self, found: list[str]) -> Iterator[tuple[list[str] | None, list[str]]]:
        """The units cut into phrases, the longest first, with their groups; None for a unit in no phrase."""
        stems = [stem_word(unit) for unit in found]
        start = 0
        while start < len(found):
            groups, end, text = None, start + 1, ""
            for position in range(start, len(found)):
                text += stems[position]
                if len(text) > self.longest:
                    break
                if text in self.phrases:
                    groups, end = self.phrases[text], position + 1
            yield groups, found[start:end]
            start = end
