"""Search operations and jobs in Japanese or English, over an index that is compiled at build time.

A search looks up the terms of the query and sums their impacts. `compile/search_index.py` computes all weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.catalog.tokenizer import Lexicon, Vocabulary, edit_distance, split_units

FILE = Path(__file__).with_name("search.json")
MAX_QUERY_LENGTH = 200
"""Characters of a query that are read."""
MAX_QUERY_TERMS = 24
"""Words of a query that are corrected."""
MAX_JOBS = 3
_MIN_JOB_SCORE, _MIN_OF_BEST_JOB = 0.43, 0.5
"""The least score of a job, as a share of the best operation's and of the best job's score. A weaker match would only distract."""
_HUNDREDTHS = 100
_MIN_SIMILARITY = 3.0
"""The least score of an operation that is similar to a misspelt name: more than one common verb."""
_COMPARED, _TOO_DIFFERENT = 20, 3
"""The number of names that are compared letter by letter, and the number of wrong letters that is no misspelling."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A found operation. A higher score is a better match."""

    operation: Operation
    score: float


class SearchIndex:
    """The search index of a catalogue. `compiled`: the content of `search.json`. Its impacts are in hundredths."""

    def __init__(self, operations: Iterable[Operation], compiled: Mapping[str, Any]) -> None:
        by_key = {operation.key: operation for operation in operations}
        self._operations = [by_key[key] for key in compiled["operations"]]
        self._jobs: list[str] = compiled["jobs"]
        self._handicaps: list[int] = compiled["handicaps"]
        self._impacts: Mapping[str, str] = compiled["terms"]
        self._words_of_phrases: list[str] = compiled["words"]
        self._lexicon = Lexicon(compiled["phrases"], compiled["longest_phrase"])

    def search(self, query: str, limit: int = 10) -> list[SearchHit]:
        """Return at most `limit` operations for a query, best first. Deterministic.

        A query may mix names, everyday words and both languages. Misspelt words are corrected. The result is empty if no
        term matches.
        """
        ranked = self._rank(query)[0]
        return [
            SearchHit(self._operations[number], round(-lost / _HUNDREDTHS, 2))
            for lost, number in ranked[: max(limit, 0)]
        ]

    def search_jobs(self, query: str) -> list[str]:
        """Return the names of the few jobs that match a query about as well as the best operation, best first."""
        operations, jobs = self._rank(query)
        best, best_job = (-ranked[0][0] if ranked else 0 for ranked in (operations, jobs))
        least = max(_MIN_JOB_SCORE * best, _MIN_OF_BEST_JOB * best_job, 0)
        return [self._jobs[number - len(self._operations)] for lost, number in jobs if -lost > least][:MAX_JOBS]

    def _rank(self, query: str) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
        """Return the operations and the jobs that a query matches, as negative score and number, best first."""
        scores: dict[int, float] = defaultdict(float)
        for term, times in self._lexicon.terms(list(self._words(query))).items():
            impacts = [int(part) for part in self._impacts.get(term, "").split()]
            for number, impact in zip(impacts[::2], impacts[1::2], strict=True):
                scores[number] += impact * min(times, 1)
        ranked = sorted((self._handicaps[number] - score, number) for number, score in scores.items())
        count = len(self._operations)
        return [each for each in ranked if each[1] < count], [each for each in ranked if each[1] >= count]

    def nearest(self, name: str, limit: int) -> list[Operation]:
        """Return the operations with names similar to an unknown name, best first.

        Names that differ by one or two letters come before operations that match the words of the name.
        """
        hits = self.search(name, max(limit, _COMPARED))
        similar = [hit.operation for hit in hits if hit.score >= _MIN_SIMILARITY]
        written = name[:MAX_QUERY_LENGTH].casefold()
        close = (each for each in similar[:_COMPARED] if abs(len(each.tool) - len(written)) < _TOO_DIFFERENT)
        distances = {operation.key: edit_distance(written, operation.tool) for operation in close}
        return sorted(similar, key=lambda operation: min(distances.get(operation.key, _TOO_DIFFERENT), _TOO_DIFFERENT))[
            :limit
        ]

    def _words(self, query: str) -> Iterator[str]:
        """Yield the query's units, with unknown words corrected."""
        for number, unit in enumerate(split_units(query[:MAX_QUERY_LENGTH])[:MAX_QUERY_LENGTH]):
            if unit.isascii() and number < MAX_QUERY_TERMS:
                yield from self._vocabulary.correct(unit)
            else:
                yield unit

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        stems = (term for term in self._impacts if term.isascii() and term.isalnum())
        return Vocabulary((*self._words_of_phrases, *stems))
