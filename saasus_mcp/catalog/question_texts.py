"""The texts of confirmation questions: names for ids, labels of fields, and sentences for each operation.

Compiled from tool_specs/confirmations.yaml, and loaded with the first question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from saasus_mcp.common.language import Text

FILE = Path(__file__).with_name("confirmations.json")
LIST_MACRO = re.compile(r"\.(?:map|filter|exists|all)\(")
"""Where an expression goes on from a list to a part of it."""


@dataclass(frozen=True, slots=True)
class NameList:
    """Where all records of a kind are listed, to find others with the same name.

    Attributes:
        read: operation key of the read.
        items: the field of its answer with the records.
        id: the field of a record that identifies it.
        name: the fields with its name; the first that is not empty counts.
        args: the read's arguments, as expressions over `args`.
    """

    read: str
    items: str
    id: str
    name: tuple[str, ...]
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NameSource:
    """How to look up the name of a record by its id.

    Attributes:
        read: operation key of the read whose answer contains the name.
        args: the read's arguments, as expressions over `id` and `args`.
        name: expression for the name, over `id`, `args` and `result`.
        also: other reads that show the same name of the same id. The name of a target that one of them found is not read again.
        among: where the others of its kind are; None if names of this kind are unique, or shown with what makes them so.
    """

    read: str
    name: str
    also: tuple[str, ...] = ()
    args: Mapping[str, str] = field(default_factory=dict)
    among: NameList | None = None


@dataclass(frozen=True, slots=True)
class FieldText:
    """The label of an argument or field, and how to show its value.

    Attributes:
        kind: the kind of value (compile.question_texts.VALUES), or the kind of record that an id stands for.
        currency: name of the neighbouring field with the currency of an amount.
        choices: labels of its values. For a flag, of `true` and `false`.
        unit: the unit of a count.
        pairs: for a list, the fields of each item with its name and its value.
        keys: for a map, the kind of record that its keys stand for.
    """

    label: Text
    kind: str = "text"
    currency: str = ""
    choices: Mapping[str, Text] = field(default_factory=dict)
    unit: Text | None = None
    pairs: tuple[str, ...] = ()
    keys: str = ""


@dataclass(frozen=True, slots=True)
class QuestionLine:
    """A sentence with placeholders, and the condition under which it is shown. Empty: always."""

    text: Text
    when: str = ""


@dataclass(frozen=True, slots=True)
class MetricText:
    """How to show an impact metric (see FieldText). `reach`: it counts affected people or tenants."""

    kind: str = "text"
    reach: bool = False
    unit: Text | None = None
    choices: Mapping[str, Text] = field(default_factory=dict)
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionRecipe:
    """The question about one operation.

    Attributes:
        ask: the headlines. The first whose condition holds is shown.
        lead: names of the facts in the first lines.
        show: names of the facts that follow, in order. Facts without a name here come last.
        hide: names of the facts that appear only in the details.
        fields: texts for fields of this operation only, by path or last name.
        warn: warnings in addition to those of effects.yaml.
        relabel: other labels of arguments and changes, by field. The first whose condition holds is shown.
    """

    ask: tuple[QuestionLine, ...]
    lead: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    fields: Mapping[str, FieldText] = field(default_factory=dict)
    warn: tuple[QuestionLine, ...] = ()
    relabel: Mapping[str, tuple[QuestionLine, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuestionTexts:
    """The texts of all questions."""

    kinds: Mapping[str, NameSource]
    fields: Mapping[str, FieldText]
    measures: Mapping[str, MetricText]
    rows: Mapping[str, QuestionRecipe]

    def field(self, key: str, path: str) -> FieldText:
        """Return the text for a field of an operation, by its dotted path or its last name.

        A bound field may select from a list (`comments.filter(…)`); its text is that of the list.
        """
        path = LIST_MACRO.split(path, maxsplit=1)[0]
        last = path.rsplit(".", 1)[-1]
        row = self.rows.get(key)
        own: Mapping[str, FieldText] = row.fields if row is not None else {}
        for known in (own.get(path), own.get(last), self.fields.get(path), self.fields.get(last)):
            if known is not None:
                return known
        words = last.replace("_", " ").strip() or last
        return FieldText(Text(words.capitalize(), words))


@cache
def load_question_texts() -> QuestionTexts:
    """Load the texts of this version."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - not on the way to the list of tools

    return TypeAdapter(QuestionTexts).validate_json(FILE.read_bytes())
