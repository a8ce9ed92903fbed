"""How well and how fast the search finds: recall on the evaluation set, time of a search, time to load the index."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.catalog.search import SearchIndex
from scripts.catalogue.spec_file import read_yaml

ROOT = Path(__file__).resolve().parents[1]
JOBS = ROOT / "tests" / "evaluation" / "jobs.yaml"
EVALUATION = ROOT / "tests" / "evaluation" / "queries.yaml"
DEVELOPMENT = EVALUATION.with_name("development.yaml")
LANGUAGES = ("en", "ja")
FIRST_FEW = 5
STARTS, TRIES = 9, 3
LOADING = """
import time
from saasus_mcp.catalog import load_catalogue
catalogue = load_catalogue()
before = time.process_time()
catalogue.index
print((time.process_time() - before) * 1000)
"""
"""What a start pays once it searches: the modules of the search and the index, in milliseconds of this process alone."""

Queries = Mapping[str, Mapping[str, list[str]]]
"""By operation key and language, what people ask for."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Of how many queries the right operation came first, and was among the first five; as shares of one."""

    asked: int
    first: float
    five: float


def queries(file: Path) -> Queries:
    """Return the queries of an evaluation file."""
    read: Queries = read_yaml(file)
    return read


def recall(index: SearchIndex, asked: Queries, language: str) -> Recall:
    """How well the index answers the queries of one language."""
    ranks = [rank(index, query, key) for key, query in _each(asked, language)]
    return Recall(
        len(ranks),
        sum(found == 0 for found in ranks) / len(ranks),
        sum(found < FIRST_FEW for found in ranks) / len(ranks),
    )


def rank(index: SearchIndex, query: str, key: str) -> int:
    """At which place, from 0, the query finds the operation with this key; FIRST_FEW where not among the first."""
    found = [hit.operation.key for hit in index.search(query, FIRST_FEW)]
    return found.index(key) if key in found else FIRST_FEW


def _each(asked: Queries, language: str) -> Iterator[tuple[str, str]]:
    return ((key, query) for key, by_language in asked.items() for query in by_language[language])


def searching(index: SearchIndex, texts: list[str]) -> list[float]:
    """How long each search took, in milliseconds: the best of a few, since on a shared machine others run in between."""
    return [min(_once(index, text) for _ in range(TRIES)) for text in texts]


def _once(index: SearchIndex, text: str) -> float:
    before = time.perf_counter()
    index.search(text)
    return (time.perf_counter() - before) * 1000


def loading() -> list[float]:
    """How long fresh processes took to load the search, in milliseconds."""
    command = (sys.executable, "-c", LOADING)
    runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(STARTS)]  # noqa: S603 - this Python
    return [float(run.stdout) for run in runs]


def report() -> None:
    """Print it all; never a query, so that nobody tunes on what the search is judged by."""
    index = load_catalogue().index
    texts: list[str] = []
    for file in (EVALUATION, DEVELOPMENT):
        asked = queries(file)
        for language in LANGUAGES:
            found = recall(index, asked, language)
            print(
                f"search, {file.stem}, {language}: recall@1 {found.first:.1%}, recall@5 {found.five:.1%}"
                f" of {found.asked} queries"
            )
            texts += [query for _, query in _each(asked, language)]
    for language in LANGUAGES:
        pairs = [*_each(queries(JOBS), language)]
        found_jobs = sum(name in index.search_jobs(query) for name, query in pairs)
        print(f"search, jobs, {language}: {found_jobs} of {len(pairs)} queries show the right job")
    times = searching(index, texts)
    print(f"a search: p50 {median(times):.2f} ms, p99 {quantiles(times, n=100)[-1]:.2f} ms over {len(times)} searches")
    print(
        f"loading the index, at the first search: {median(loading()):.1f} ms (nothing of it on the way to tools/list)"
    )


if __name__ == "__main__":
    report()
