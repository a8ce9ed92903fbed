"""Compile the search index: for every term the matching operations and jobs, and their impacts (BM25F).

Rarities and lengths are those of the operations, so that jobs do not change how operations are found.

The weights were tuned on `tests/evaluation/development.yaml`. Small changes of them do not change the results.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from saasus_mcp.catalog.tokenizer import split_units
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import LANGUAGES
from scripts.catalogue.synonyms import Synonyms, Words

Row = dict[str, Any]
Weights = dict[str, float]
Phrases = Mapping[str, Words]
"""How people ask for an operation, by its key."""

_FIELDS = {  # the weight of a term by its field; `said` are the synonyms of the operation
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
_ONE_RECORD = 2.0
"""The weight of `one` if the path ends in the id of a record."""
_LENGTH_NORMALIZATION = 0.5
"""How much more a term counts in a field shorter than the mean: 0 not at all, 1 in proportion."""
_MAX_FREQUENCY = 2
_SATURATION = 3.0
"""The weight at which a term has half of its maximal impact."""

_INTENT, _THING, _WORD, _STEM, _PAIR = 1.3, 1.0, 0.4, 0.3, 0.2
"""The weight of a term by its kind: a group of either sort, a word as written, its stem, a pair of characters."""
_SUBJECT = 0.2
"""The share of a group's rarity that an operation loses if its title names the group and the query does not."""
_DEFAULT_SUBJECTS = frozenset({"#platform_user"})
"""A user is a user of the SaaS unless the query says otherwise."""
_SCALE = 100
_MIN_IMPACT = 2
"""Lower impacts are dropped."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n|(?<=。)")


def compile_search_index(operations: Sequence[Row], jobs: Sequence[Row], synonyms: Synonyms, phrases: Phrases) -> str:
    """Return the index as JSON text, one term a line: its impacts as number, impact, number, impact.

    The numbers count the operations, and after them the jobs.
    """
    rows = [*operations, *map(_job_row, jobs)]
    weights_by_row = _weigh(rows, len(operations), synonyms, phrases)
    rarities = _rarities(weights_by_row[: len(operations)], weights_by_row)
    subjects = [_subject(row, synonyms) for row in rows]
    lines = []
    for term, rarity in sorted(rarities.items()):
        scale = _SCALE * rarity * _kind_weight(term, synonyms)
        subject_bonus = _SCALE * rarity * _SUBJECT
        impacts = [
            round(scale * _saturate(weights.get(term, 0)) + (subject_bonus if term in subject else 0))
            for weights, subject in zip(weights_by_row, subjects, strict=True)
        ]
        line = " ".join(f"{number} {impact}" for number, impact in enumerate(impacts) if impact >= _MIN_IMPACT)
        if line:
            lines.append(f"{compact_json(term)}:{compact_json(line)}")
    head = {
        "operations": [row["key"] for row in operations],
        "jobs": [row["name"] for row in jobs],
        "handicaps": [
            round(_SCALE * _SUBJECT * sum(rarities[term] for term in sorted(subject))) for subject in subjects
        ],
        "longest_phrase": synonyms.lexicon.longest,
        "phrases": dict(sorted(synonyms.lexicon.phrases.items())),
        "words": sorted(synonyms.words),
    }
    sections = [f"{compact_json(name)}:{compact_json(value)}" for name, value in head.items()]
    terms = ",\n".join(lines)
    return "{" + ",\n".join(sections) + f',\n"terms":{{\n{terms}\n}}}}\n'


def _job_row(job: Row) -> Row:
    """Return a job in the form of an operation, as far as the index needs it."""
    name = job["name"]
    operation = {
        "key": name,
        "tool": name,
        "operation_id": "",
        "module": "job",
        "toolset": "",
        "path": "",
        "effects": {"effect": ""},
    }
    return {**job, **operation}


def _subject(row: Row, synonyms: Synonyms) -> set[str]:
    """Return the groups that the operation's title names in both languages. A query for the operation names them, too."""
    english, japanese = (set(synonyms.lexicon.terms(split_units(row["title"][language]))) for language in LANGUAGES)
    return {term for term in english & japanese if term.startswith("#")} - _DEFAULT_SUBJECTS


def _weigh(rows: Sequence[Row], operations: int, synonyms: Synonyms, phrases: Phrases) -> list[Weights]:
    """Return the weights of each row's terms, by field and by its length relative to the mean of the operations."""
    names = {row["tool"] for row in rows} | {row["operation_id"] for row in rows} - {""}
    term_counts = [
        [(field, synonyms.lexicon.terms(split_units(text))) for field, text in _fields(row, synonyms, phrases, names)]
        for row in rows
    ]
    mean_lengths = {
        name: mean(sum(terms.values()) for row in term_counts[:operations] for field, terms in row if field == name)
        for name in _FIELDS
    }
    return [_combine(row, fields, mean_lengths, synonyms) for row, fields in zip(rows, term_counts, strict=True)]


def _combine(
    row: Row, fields: list[tuple[str, Weights]], mean_lengths: Mapping[str, float], synonyms: Synonyms
) -> Weights:
    weights: Weights = {"#one": _ONE_RECORD} if row["path"].endswith("}") else {}
    for field, terms in fields:
        length = 1 - _LENGTH_NORMALIZATION + _LENGTH_NORMALIZATION * sum(terms.values()) / mean_lengths[field]
        for term, times in terms.items():
            if field != "description" or term not in synonyms.intents:
                weights[term] = weights.get(term, 0) + _FIELDS[field] * min(times, _MAX_FREQUENCY) / length
    return weights


def _fields(row: Row, synonyms: Synonyms, phrases: Phrases, names: set[str]) -> Iterator[tuple[str, str]]:
    effects = row["effects"]
    yield "name", f"{row['tool'].removeprefix(row['module'])} {row['operation_id']}"
    for language in LANGUAGES:
        yield "title", row["title"][language]
        yield "said", "; ".join(synonyms.operations.get(row["key"], {}).get(language, ()))
        yield "asked", "; ".join(phrases.get(row["key"], {}).get(language, ()))
        yield "description", own_sentences(row["description"][language], names)
    yield "terse", own_sentences(row["terse"], names)
    yield "toolset", f"{row['toolset']} {row['module']}"
    yield "arguments", " ".join(row["input_schema"].get("properties", {}))
    yield "effects", " ".join((effects["effect"], *effects.get("outside", ())))


def own_sentences(text: str, names: set[str]) -> str:
    """Return the text without sentences that name an operation, since these are about other operations."""
    return " ".join(
        sentence for sentence in _SENTENCE_END.split(text) if not names.intersection(re.findall(r"\w+", sentence))
    )


def _rarities(weights_by_operation: Sequence[Weights], weights_by_row: Sequence[Weights]) -> Weights:
    """Return the inverse document frequency of each term among the operations, also of terms that only jobs have."""
    frequencies: Weights = {term: 0.0 for weights in weights_by_row for term in weights}
    for weights in weights_by_operation:
        for term, weight in weights.items():
            frequencies[term] += _saturate(weight)
    return {
        term: math.log(1 + len(weights_by_operation) / (frequency + 0.5)) for term, frequency in frequencies.items()
    }


def _saturate(weight: float) -> float:
    return weight / (weight + _SATURATION)


def _kind_weight(term: str, synonyms: Synonyms) -> float:
    if term in synonyms.intents:
        return _INTENT
    return {"#": _THING, "=": _WORD}.get(term[0], _STEM if term.isascii() else _PAIR)
