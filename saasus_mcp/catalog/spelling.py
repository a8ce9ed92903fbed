"""Words that nobody knows: the known word that was meant, or the known words that were run together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from saasus_mcp.catalog.tokenizer import stem_word

SHORTEST, LONGEST = 4, 40
"""Shorter words are left as they are, since too many others are near them; longer ones are no words."""
LONG = 8
"""From this length on, two mistakes in a word are forgiven instead of one."""
SHORTEST_PART = 3


class Vocabulary:
    """The stems that a search knows."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._stems = frozenset(stems)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for known in sorted(self._stems):
            self._by_length[len(known)].append(known)

    def meant(self, word: str) -> list[str]:
        """The word itself where it is known, else its known parts, else the known word nearest to it, else itself."""
        wanted = stem_word(word)
        if wanted in self._stems or not SHORTEST <= len(wanted) <= LONGEST or not wanted.isalpha():
            return [word]
        return self._parts(word) or [self._nearest(wanted) or word]

    def _nearest(self, wanted: str) -> str | None:
        """The word with the fewest mistakes between; nobody gets both of the first two letters wrong."""
        most = 1 if len(wanted) < LONG else 2
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
        """`deletetenant` as `delete` and `tenant`; empty where some of it is not known."""
        ways: list[list[str] | None] = [[]] + [None] * len(word)
        for end in range(SHORTEST_PART, len(word) + 1):
            for start in range(end - SHORTEST_PART + 1):
                before = ways[start]
                part = word[start:end]
                if before is not None and ways[end] is None and stem_word(part) in self._stems:
                    ways[end] = [*before, part]
        return ways[-1] or []


def edit_distance(one: str, other: str) -> int:
    """How many letters are wrong, missing, too many or swapped with their neighbour (optimal string alignment)."""
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
