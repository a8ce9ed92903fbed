"""Split a text into search terms, in the same way for the catalogue and for a query, and correct misspelt words.

Japanese and English share one table of phrases. Then English words are stemmed, and Japanese is split into pairs of
characters, which needs no dictionary.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from saasus_mcp.common.normal_forms import normalize

_TOKEN = re.compile(r"[a-z0-9]+|[^\W\x00-\x7f]")
"""A Latin word, or one letter of another script. Ranges of kana and kanji would take a millisecond to compile."""
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9]{2})(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_KANA_FOLDING = {code: code - 0x60 for code in range(0x30A1, 0x30F7)} | {ord("ー"): None}
"""Maps katakana to hiragana. The long-vowel mark is dropped, since its use varies (ユーザー, ユーザ)."""
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_VALUE_PATTERNS = (
    (re.compile(r"\bno-?reply@[\w.-]+", re.ASCII), " sender address "),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]+", re.ASCII), " user email "),
    (re.compile(r"\bsk_(?:live|test)(?:_\w+)?", re.ASCII), " stripe secret key "),
    (re.compile(r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)"), " ip address "),
    (re.compile(r"(?<!\d)\d{4}([-/])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}月\d{1,2}日|(?<=から)\d{1,2}日"), " date "),
    (re.compile(rf"\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b", re.ASCII), " date "),
    (re.compile(r"(?<!\d)\d{4}[-/]\d{1,2}(?!\d)"), " month "),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[a-z]{1,4}-\d+\b", re.ASCII), " one "),
)
"""Values in a query, and the words that replace them: a search ignores which address or day is meant."""
_ENDINGS = (("ies", "y"), ("s", ""), ("ed", ""), ("ing", ""), ("e", ""))
_MIN_STEM_LENGTH = 3
_UNSTEMMED = frozenset({"listing"})
"""Words that mean something else without their ending: a listing is an entry of a marketplace."""
MIN_LENGTH, MAX_LENGTH = 4, 40
"""A shorter word is similar to too many others. A longer text is not a word."""
TWO_MISTAKES_LENGTH = 8
"""From this length on, a word may contain two mistakes instead of one."""
MIN_PART_LENGTH = 3


def fold_text(text: str) -> str:
    """Fold case, width and kana, and split `camelCase` into words."""
    return _CAMEL_CASE.sub(" ", normalize("NFKC", text)).casefold().translate(_KANA_FOLDING)


def split_units(text: str) -> list[str]:
    """Split a text into units: Latin words and single Japanese characters."""
    plain = fold_text(text)
    for pattern, words in _VALUE_PATTERNS:
        plain = pattern.sub(words, plain)
    return _TOKEN.findall(plain)


def stem_word(word: str) -> str:
    """Strip plural, -ed, -ing and a final e: `invites`, `invited` and `inviting` have one stem."""
    if word in _UNSTEMMED:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) >= _MIN_STEM_LENGTH + len(ending) and not word.endswith("ss"):
            return stem_word(word.removesuffix(ending) + instead)
    return word


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The table of phrases, each with its groups of synonyms. A phrase without groups is ignored.

    Attributes:
        longest: the length of the longest phrase, in characters.
    """

    phrases: Mapping[str, list[str]]
    longest: int

    def terms(self, units: list[str]) -> dict[str, float]:
        """Return the terms of a text's units, with their frequency.

        Terms are `#group`, English stems, `=word` as written, and pairs of neighbouring Japanese characters. A phrase of
        several groups is ambiguous and counts less for each of them.
        """
        terms: dict[str, float] = defaultdict(float)
        before = ""
        for groups, span in self._spans(units):
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

    def _spans(self, units: list[str]) -> Iterator[tuple[list[str] | None, list[str]]]:
        """Split the units into phrases, the longest first, with their groups, or None for a unit outside of phrases."""
        stems = [stem_word(unit) for unit in units]
        start = 0
        while start < len(units):
            groups, end, text = None, start + 1, ""
            for position in range(start, len(units)):
                text += stems[position]
                if len(text) > self.longest:
                    break
                if text in self.phrases:
                    groups, end = self.phrases[text], position + 1
            yield groups, units[start:end]
            start = end


class Vocabulary:
    """The known stems of a search."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._stems = frozenset(stems)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for known in sorted(self._stems):
            self._by_length[len(known)].append(known)

    def correct(self, word: str) -> list[str]:
        """Return the word if it is known, or its known parts, or the most similar known word, or the word unchanged."""
        wanted = stem_word(word)
        if wanted in self._stems or not MIN_LENGTH <= len(wanted) <= MAX_LENGTH or not wanted.isalpha():
            return [word]
        return self._parts(word) or [self._nearest(wanted) or word]

    def _nearest(self, wanted: str) -> str | None:
        """Return the word with the fewest differences. The first two letters are never both wrong."""
        most = 1 if len(wanted) < TWO_MISTAKES_LENGTH else 2
        letters = set(wanted)
        near = [
            (mistakes, known[0] != wanted[0], known)
            for length in range(len(wanted) - most, len(wanted) + most + 1)
            for known in self._by_length.get(length, ())
            if known[0] in wanted[:2] and len(letters.symmetric_difference(known)) <= 2 * most
            if (mistakes := edit_distance(wanted, known)) <= most
        ]
        return min(near)[2] if near else None

    def _parts(self, word: str) -> list[str]:
        """Split `deletetenant` into `delete` and `tenant`. Return an empty list if a part is unknown."""
        ways: list[list[str] | None] = [[]] + [None] * len(word)
        for end in range(MIN_PART_LENGTH, len(word) + 1):
            for start in range(end - MIN_PART_LENGTH + 1):
                before = ways[start]
                part = word[start:end]
                if before is not None and ways[end] is None and stem_word(part) in self._stems:
                    ways[end] = [*before, part]
        return ways[-1] or []


def edit_distance(one: str, other: str) -> int:
    """Return the number of wrong, missing, extra or swapped letters (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, against in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
