"""Finding the operation that does what somebody asks for, in Japanese or English, over an index made at build time.

Nothing is searched but the catalogue, and nothing is read but the index beside it. A query's terms are looked up and
their impacts summed; all weighing was done by `compile/search.py`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.catalog.spelling import Vocabulary, edit_distance
from saasus_mcp.catalog.tokenizer import Lexicon, split_units

FILE = Path(__file__).with_name("search.json")
MAX_QUERY_LENGTH = 200
"""Characters of a query that count; what comes after them is not looked at."""
MAX_QUERY_TERMS = 24
"""Words of a query in which mistakes are looked for."""
HUNDREDTHS = 100
PROXIMITY_BOOST = 3.0
"""The least score of an operation that a mistaken name may have meant: more than one common verb."""
MISSPELT, LETTERS = 20, 3
"""Of how many operations the names are compared letter by letter, and how many wrong letters are no slip any more."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """An operation that a query found: the higher the score, the better it fits."""

    operation: Operation
    score: float


class SearchIndex:
    """The search over the operations of one catalogue.

    Args:
        operations: those to be found.
        compiled: the content of `search.json`; its impacts are in hundredths.
    """

    def __init__(self, operations: Iterable[Operation], compiled: Mapping[str, Any]) -> None:
        by_key = {operation.key: operation for operation in operations}
        self._operations = [by_key[key] for key in compiled["operations"]]
        self._handicaps: list[int] = compiled["handicaps"]
        self._impacts: Mapping[str, str] = compiled["terms"]
        self._words_of_phrases: list[str] = compiled["words"]
        self._lexicon = Lexicon(compiled["phrases"], compiled["longest_phrase"])

    def search(self, query: str, limit: int = 10) -> list[SearchHit]:
        """The operations that the query speaks of, best first, at most `limit`; the same for the same query.

        Names, everyday words and both languages may stand in one query; spelling mistakes are forgiven. A query that
        says nothing of any operation finds none.
        """
        scores: dict[int, float] = defaultdict(float)
        for term, times in self._lexicon.terms(list(self._words(query))).items():
            impacts = [int(part) for part in self._impacts.get(term, "").split()]
            for number, impact in zip(impacts[::2], impacts[1::2], strict=True):
                scores[number] += impact * min(times, 1)
        ranked = sorted((self._handicaps[number] - score, number) for number, score in scores.items())
        return [
            SearchHit(self._operations[number], round(-lost / HUNDREDTHS, 2))
            for lost, number in ranked[: max(limit, 0)]
        ]

    def nearest(self, name: str, limit: int) -> list[Operation]:
        """The operations that a mistaken name may have meant, best first; none where nothing is near it.

        A tool whose name differs by a letter or two goes before what the words of the name speak of.
        """
        hits = self.search(name, max(limit, MISSPELT))
        near = [hit.operation for hit in hits if hit.score >= PROXIMITY_BOOST]
        written = name[:MAX_QUERY_LENGTH].casefold()
        alike = (each for each in near[:MISSPELT] if abs(len(each.tool) - len(written)) < LETTERS)
        wrong = {operation.key: edit_distance(written, operation.tool) for operation in alike}
        return sorted(near, key=lambda operation: min(wrong.get(operation.key, LETTERS), LETTERS))[:limit]

    def _words(self, query: str) -> Iterator[str]:
        """The query's units, those that nobody knows mended."""
        for number, unit in enumerate(split_units(query[:MAX_QUERY_LENGTH])[:MAX_QUERY_LENGTH]):
            if unit.isascii() and number < MAX_QUERY_TERMS:
                yield from self._vocabulary.meant(unit)
            else:
                yield unit

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        stems = (term for term in self._impacts if term.isascii() and term.isalnum())
        return Vocabulary((*self._words_of_phrases, *stems))


def load_search_index(operations: Iterable[Operation]) -> SearchIndex:
    """The index that ships with this version, over the catalogue that ships with it."""
    return SearchIndex(operations, json.loads(FILE.read_bytes()))
