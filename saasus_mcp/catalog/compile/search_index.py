"""The search index, made at build time: for every term, the operations it speaks for and how strongly (BM25F).

The weights were set on `tests/evaluation/development.yaml`; around them the results are flat.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from saasus_mcp.catalog.compile.synonyms import Synonyms, Words
from saasus_mcp.catalog.tokenizer import split_units

Row = dict[str, Any]
Weights = dict[str, float]
"""By term."""

Questions = Mapping[str, Words]
"""By operation, how people ask for it."""

FIELDS = {  # what a term counts for by where it stands; `said` is the table of synonyms on the operation
    "name": 3.0,
    "title": 2.5,
    "said": 3.5,
    "asked": 1.2,
    "terse": 0.8,
    "toolset": 0.8,
    "arguments": 0.4,
    "effects": 0.4,
    "description": 0.25,
}
ONE_THING = 2.0
"""The weight of `one` where the path ends in the id of a thing."""
SHORTER_IS_BETTER = 0.5
"""How much a term counts for more in a field that is shorter than usual: 0 not at all, 1 in proportion."""
MOST_TIMES = 2
SATURATION = 3.0
"""The weight at which a term has half of the impact it can have."""

INTENT, THING, WORD, STEM, PAIR = 1.3, 1.0, 0.4, 0.3, 0.2
"""What a term counts for by its kind: a group of either sort, a word as it is written, its stem, two characters."""
SUBJECT = 0.2
"""What it costs, of a group's rarity, that a title speaks of it and the query does not."""
TAKEN_AS_SAID = frozenset({"#platform_user"})
"""A user is one of the SaaS where a query says no more."""
SCALE = 100
NOISE = 2
"""The least impact that is kept."""
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n|(?<=。)")


def compile_search_index(operations: Sequence[Row], synonyms: Synonyms, questions: Questions) -> str:
    """The index as JSON text, a term a line: its impacts as operation, impact, operation, impact."""
    weighed = _weighed(operations, synonyms, questions)
    rarities = _rarities(weighed)
    subjects = [_subject(row, synonyms) for row in operations]
    lines = []
    for term, rarity in sorted(rarities.items()):
        scale = SCALE * rarity * _kind(term, synonyms)
        saying = SCALE * rarity * SUBJECT
        impacts = [
            round(scale * _saturated(weights.get(term, 0)) + (saying if term in subject else 0))
            for weights, subject in zip(weighed, subjects, strict=True)
        ]
        kept = " ".join(f"{number} {impact}" for number, impact in enumerate(impacts) if impact >= NOISE)
        if kept:
            lines.append(f"{_json(term)}:{_json(kept)}")
    head = {
        "operations": [row["key"] for row in operations],
        "handicaps": [round(SCALE * SUBJECT * sum(rarities[term] for term in sorted(subject))) for subject in subjects],
        "longest_phrase": synonyms.lexicon.longest,
        "phrases": dict(sorted(synonyms.lexicon.phrases.items())),
        "words": sorted(synonyms.words),
    }
    sections = [f"{_json(name)}:{_json(value)}" for name, value in head.items()]
    terms = ",\n".join(lines)
    return "{" + ",\n".join(sections) + f',\n"terms":{{\n{terms}\n}}}}\n'


def _subject(row: Row, synonyms: Synonyms) -> set[str]:
    """The groups that the operation's title speaks of in both languages: a query that says less means something else."""
    english, japanese = (set(synonyms.lexicon.terms(split_units(row["title"][language]))) for language in ("en", "ja"))
    return {term for term in english & japanese if term.startswith("#")} - TAKEN_AS_SAID


def _weighed(operations: Sequence[Row], synonyms: Synonyms, questions: Questions) -> list[Weights]:
    """Of each operation the terms with their weights: by field, and by how long the field is against others' of its kind."""
    names = {row["tool"] for row in operations} | {row["operation_id"] for row in operations}
    read = [
        [(field, synonyms.lexicon.terms(split_units(text))) for field, text in _fields(row, synonyms, questions, names)]
        for row in operations
    ]
    usual = {
        name: mean(sum(terms.values()) for row in read for field, terms in row if field == name) for name in FIELDS
    }
    return [_together(row, fields, usual, synonyms) for row, fields in zip(operations, read, strict=True)]


def _together(row: Row, fields: list[tuple[str, Weights]], usual: Mapping[str, float], synonyms: Synonyms) -> Weights:
    found: Weights = {"#one": ONE_THING} if row["path"].endswith("}") else {}
    for field, terms in fields:
        length = 1 - SHORTER_IS_BETTER + SHORTER_IS_BETTER * sum(terms.values()) / usual[field]
        for term, times in terms.items():
            if field != "description" or term not in synonyms.intents:
                found[term] = found.get(term, 0) + FIELDS[field] * min(times, MOST_TIMES) / length
    return found


def _fields(row: Row, synonyms: Synonyms, questions: Questions, names: set[str]) -> Iterator[tuple[str, str]]:
    effects = row["effects"]
    yield "name", f"{row['tool'].removeprefix(row['module'])} {row['operation_id']}"
    for language in ("en", "ja"):
        yield "title", row["title"][language]
        yield "said", "; ".join(synonyms.operations.get(row["key"], {}).get(language, ()))
        yield "asked", "; ".join(questions.get(row["key"], {}).get(language, ()))
        yield "description", own_terms(row["description"][language], names)
    yield "terse", own_terms(row["terse"], names)
    yield "toolset", f"{row['toolset']} {row['module']}"
    yield "arguments", " ".join(row["input_schema"].get("properties", {}))
    yield "effects", " ".join((effects["effect"], *effects.get("outside", ())))


def own_terms(text: str, names: set[str]) -> str:
    """The text without the sentences that name an operation: those speak of neighbours."""
    return " ".join(
        sentence for sentence in SENTENCE.split(text) if not names.intersection(re.findall(r"\w+", sentence))
    )


def _rarities(weighed: Sequence[Weights]) -> Weights:
    """How much each term tells: the fewer operations it speaks for, the more."""
    spread: Weights = {}
    for weights in weighed:
        for term, weight in weights.items():
            spread[term] = spread.get(term, 0) + _saturated(weight)
    return {term: math.log(1 + len(weighed) / (much + 0.5)) for term, much in spread.items()}


def _saturated(weight: float) -> float:
    return weight / (weight + SATURATION)


def _kind(term: str, synonyms: Synonyms) -> float:
    if term in synonyms.intents:
        return INTENT
    return {"#": THING, "=": WORD}.get(term[0], STEM if term.isascii() else PAIR)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
