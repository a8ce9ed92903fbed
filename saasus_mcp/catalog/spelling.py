"""Correct misspelt words, and split words that were written together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from saasus_mcp.catalog.tokenizer import stem_word

MIN_LENGTH, MAX_LENGTH = 4, 40
"""A shorter word is similar to too many others. A longer text is not a word."""
TWO_MISTAKES_LENGTH = 8
"""From this length on, a word may contain two mistakes instead of one."""
MIN_PART_LENGTH = 3


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
