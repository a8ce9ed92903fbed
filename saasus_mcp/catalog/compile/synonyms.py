"""Reading tool_specs/synonyms.yaml and questions.yaml: the phrases of the search, and how people ask for an operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from saasus_mcp.catalog.tokenizer import Lexicon, normalize_phrase, split_units, stem_word
from saasus_mcp.common.errors import SaasusMcpError

SECTIONS = {"ignore", "intents", "things", "operations"}
LANGUAGES = {"en", "ja"}
Words = Mapping[str, list[str]]
"""Words of one meaning, by language."""


class SynonymsError(SaasusMcpError):
    """The table of synonyms does not fit its form or the operations."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """The table of synonyms, checked.

    Attributes:
        words: the English stems in its phrases.
        intents: the terms that say what is to be done.
        operations: by key, what else people call the job.
    """

    lexicon: Lexicon
    words: frozenset[str]
    intents: frozenset[str]
    operations: Mapping[str, Words]


def read_synonyms(file: Path, keys: Iterable[str]) -> Synonyms:
    """The table, for the operations with these keys.

    Raises:
        SynonymsError: a section or a language is missing, a word is no text or says nothing, or an operation is not known.
    """
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for problem in find_synonym_problems(table, keys):
        raise SynonymsError(f"{file.name}: {problem}.")
    groups = {**table["intents"], **table["things"]}
    phrases: dict[str, list[str]] = {normalize_phrase(word): [] for word in _all(table["ignore"])}
    for name, words in groups.items():
        for text in dict.fromkeys(normalize_phrase(word) for word in _all(words)):
            phrases.setdefault(text, []).append(name)
    lexicon = Lexicon(phrases, longest=max(map(len, phrases)))
    said = " ".join(chain.from_iterable(words["en"] for words in (table["ignore"], *groups.values())))
    words = frozenset(stem_word(unit) for unit in split_units(said))
    return Synonyms(lexicon, words, frozenset(f"#{name}" for name in table["intents"]), table["operations"])


def read_questions(file: Path, keys: Iterable[str]) -> Mapping[str, Words]:
    """How people ask for the operations with these keys.

    Raises:
        SynonymsError: an operation is not known, a language is missing, or a question is no text or says nothing.
    """
    asked: dict[str, Words] = yaml.safe_load(file.read_text(encoding="utf-8"))
    known = set(keys)
    for problem in (*(f"{key} is not an operation" for key in asked if key not in known), *_unfit(asked)):
        raise SynonymsError(f"{file.name}: {problem}.")
    return asked


def find_synonym_problems(table: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """What is wrong with the table, in words; empty where nothing is."""
    if set(table) != SECTIONS:
        return [f"it has the sections {', '.join(sorted(SECTIONS))}, no others"]
    named = {**table["intents"], **table["things"], **table["operations"], "ignore": table["ignore"]}
    found = [f"{key} is not an operation" for key in table["operations"] if key not in set(keys)]
    found += [f"{name} is an intent and a thing" for name in table["intents"] if name in table["things"]]
    return found + _unfit(named)


def _unfit(named: Mapping[str, Words]) -> list[str]:
    found = []
    for name, words in named.items():
        if set(words) != LANGUAGES:
            found.append(f"{name} has not both languages, en and ja, and no other")
            continue
        found += [f"{name} holds {word!r}, which is no text to search by" for word in _all(words) if not _sound(word)]
    return found


def _sound(word: Any) -> bool:
    return isinstance(word, str) and bool(normalize_phrase(word))


def _all(words: Words) -> Iterable[str]:
    return chain.from_iterable(words.values())
