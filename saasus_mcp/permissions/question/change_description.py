"""What a call changed or would change, in the words of its question. The undo log stores the names that it needs for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.language import Text
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.question.builder import build_unresolved
from saasus_mcp.permissions.question.content import Change, Fact, Question, Sentence
from saasus_mcp.permissions.question.dialog import render_body
from saasus_mcp.permissions.question.facts import QuestionInput, collect_names
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.permissions.question.name_resolver import NameResolver


@dataclass(frozen=True, slots=True)
class ChangeDescription:
    """A change: a sentence with the name of its target, facts, and the values before and after.

    Attributes:
        facts: those among the first lines of the question, such as the tenant of a person.
        others: the facts of weight less, which a list leaves out.
    """

    headline: Text | Sentence
    facts: tuple[Fact, ...]
    others: tuple[Fact, ...]
    changes: tuple[Change, ...]

    @classmethod
    def of(cls, question: Question) -> ChangeDescription:
        """Return what a question says about the change."""
        return cls(
            question.headline,
            tuple(fact for fact in question.facts if fact.lead),
            tuple(fact for fact in question.facts if not fact.lead),
            tuple(change for change in question.changes if change.effect == "change"),
        )

    def sentence(self, reader: Reader) -> str:
        return format_sentence(self.headline, reader)

    def lines(self, reader: Reader) -> list[str]:
        """Return the first facts, and the values before and after, a line each."""
        bodies: tuple[Fact | Change, ...] = (*self.facts, *self.changes)
        return [render_body(each, reader) for each in bodies]

    def all_lines(self, reader: Reader) -> list[str]:
        """Return all facts, and the values before and after, a line each."""
        return [*self.lines(reader), *(render_body(each, reader) for each in self.others)]

    def in_past(self) -> ChangeDescription:
        """Return what a person was asked as what was done. English has the imperative for both."""
        if isinstance(self.headline, Sentence):
            headline: Text | Sentence = replace(self.headline, template=_in_past(self.headline.template))
        else:
            headline = _in_past(self.headline)
        facts, others = (tuple(map(_fact_in_past, each)) for each in (self.facts, self.others))
        return replace(self, headline=headline, facts=facts, others=others)


def _in_past(text: Text) -> Text:
    return Text(text.en, re.sub(r"ます(?=\(|$)", "ました", text.ja))


def _fact_in_past(fact: Fact) -> Fact:
    """Return a fact whose label does not call a state current that the change has ended."""
    label = Text(re.sub("^Current ", "Previous ", fact.label.en), re.sub("^現在の", "変更前の", fact.label.ja))
    return replace(fact, label=label)


def describe_call(asked: QuestionInput, names: Mapping[str, str]) -> ChangeDescription:
    """Return what a call changes, without a read.

    Args:
        names: of items, by kind and id (`NameResolver.known_names`). Other items are called by their ids.
    """
    return ChangeDescription.of(build_unresolved(asked, _resolver(asked, names)))


async def read_names(asked: QuestionInput, read: ApiReader, known: Mapping[str, str]) -> dict[str, str]:
    """Return the names of the items that a call refers to, by kind and id. `known`: names that were read before."""
    if not _refers_to_items(asked.operation):
        return {}
    names = _resolver(asked, known)
    collect_names(asked, names)
    if names.unresolved:
        await names.resolve(read)
    return names.known_names


@lru_cache(maxsize=512)
def _refers_to_items(operation: Operation) -> bool:
    """Return whether an argument or a metric of an operation can be the id of an item with a name. Asked for every write, so remembered."""
    texts = load_question_texts()
    metrics = (texts.measures.get(each.name) for each in operation.effects.impact)
    if any(metric is not None and metric.kind in texts.kinds for metric in metrics):
        return True
    fields = (texts.field(operation.key, path) for path in _paths(operation.input_schema))
    return any(field.kind in texts.kinds or field.keys in texts.kinds for field in fields)


def _paths(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the paths of the fields of a schema; the items of a list have the path of the list."""
    for name, below in schema.get("properties", {}).items():
        yield above + name
        yield from _paths(below.get("items", below), f"{above}{name}.")


def _resolver(asked: QuestionInput, known: Mapping[str, str]) -> NameResolver:
    return NameResolver(load_question_texts().kinds, asked, known)
