"""Read synonyms.yaml and search_phrases.yaml: the phrases of the search, and how people ask for an operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.tokenizer import Lexicon, split_units, stem_word
from scripts.catalogue.spec_file import SpecError, find_form_problems, mapping, mapping_of, read_yaml

_WORDS = mapping({"en": {"type": "array"}, "ja": {"type": "array"}}, required=("en", "ja"))
_GROUPS = mapping_of(_WORDS)
_FORM = mapping(
    {"ignore": _WORDS, "intents": _GROUPS, "things": _GROUPS, "operations": _GROUPS},
    required=("ignore", "intents", "things", "operations"),
)
Words = Mapping[str, list[str]]
"""Synonyms by language."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """The checked content of synonyms.yaml.

    Attributes:
        words: the English stems in its phrases.
        intents: the terms for actions.
        operations: other names of an operation, by key.
    """

    lexicon: Lexicon
    words: frozenset[str]
    intents: frozenset[str]
    operations: Mapping[str, Words]


def read_synonyms(file: Path, keys: Iterable[str]) -> Synonyms:
    """Read synonyms.yaml.

    Args:
        keys: the keys of all operations.

    Raises:
        SpecError: a section or language is missing, a word is empty or not text, or an operation is unknown.
    """
    table: dict[str, Any] = read_yaml(file, _FORM)
    for problem in find_synonym_problems(table, keys):
        raise SpecError(f"{file.name}: {problem}.")
    groups = {**table["intents"], **table["things"]}
    phrases: dict[str, list[str]] = {_normalize_phrase(word): [] for word in _all(table["ignore"])}
    for name, words in groups.items():
        for text in dict.fromkeys(_normalize_phrase(word) for word in _all(words)):
            phrases.setdefault(text, []).append(name)
    lexicon = Lexicon(phrases, longest=max(map(len, phrases)))
    said = " ".join(chain.from_iterable(words["en"] for words in (table["ignore"], *groups.values())))
    words = frozenset(stem_word(unit) for unit in split_units(said))
    return Synonyms(lexicon, words, frozenset(f"#{name}" for name in table["intents"]), table["operations"])


def read_search_phrases(file: Path, keys: Iterable[str]) -> Mapping[str, Words]:
    """Read search_phrases.yaml.

    Args:
        keys: the keys of all operations.

    Raises:
        SpecError: an operation is unknown, a language is missing, or a phrase is empty or not text.
    """
    phrases: dict[str, Words] = read_yaml(file, mapping_of(_WORDS))
    known = set(keys)
    for problem in (
        *(f"{key} is not an operation" for key in phrases if key not in known),
        *_word_problems(phrases),
    ):
        raise SpecError(f"{file.name}: {problem}.")
    return phrases


def find_synonym_problems(table: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Return the problems of synonyms.yaml as sentences."""
    if problems := find_form_problems(table, _FORM):
        return problems
    named = {**table["intents"], **table["things"], **table["operations"], "ignore": table["ignore"]}
    found = [f"{key} is not an operation" for key in table["operations"] if key not in set(keys)]
    found += [f"{name} is an intent and a thing" for name in table["intents"] if name in table["things"]]
    return found + _word_problems(named)


def _word_problems(named: Mapping[str, Words]) -> list[str]:
    found = []
    for name, words in named.items():
        found += [
            f"{name} contains {word!r}, which is not a searchable text"
            for word in _all(words)
            if not _is_searchable(word)
        ]
    return found


def _is_searchable(word: Any) -> bool:
    return isinstance(word, str) and bool(_normalize_phrase(word))


def _all(words: Words) -> Iterable[str]:
    return chain.from_iterable(words.values())


def _normalize_phrase(text: str) -> str:
    """Return the key of a phrase in the table of phrases: `sign-in`, `sign in` and `Signin` have one key."""
    return "".join(stem_word(unit) for unit in split_units(text))
