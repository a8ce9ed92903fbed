"""The words of questions for people: how ids are named, what fields are called, and what is said of each operation.

Compiled from tool_specs/confirmations.yaml, and read when the first question is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from saasus_mcp.common.language import Text

FILE = Path(__file__).with_name("confirmations.json")


@dataclass(frozen=True, slots=True)
class NameSource:
    """How people call the thing that an id stands for.

    Attributes:
        read: operation key of the read that knows its name.
        args: the read's arguments, as expressions over `id` and `args`.
        name: expression for the name, over `id`, `args` and `result`.
    """

    read: str
    name: str
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldText:
    """What an argument or a field of an answer is called, and what it holds.

    Attributes:
        kind: what its value is (compile.confirmations.KINDS), or the kind of thing that an id stands for.
        currency: name of the field beside it that holds the currency of an amount.
        choices: words for its values; of a flag, for `true` and `false`.
        unit: what is counted.
        pairs: of a list, the fields of each item that name it and that say what it has.
        keys: of a map, the kind of thing that its keys stand for.
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
    """A sentence with placeholders, and the condition under which it is said; empty: always."""

    text: Text
    when: str = ""


@dataclass(frozen=True, slots=True)
class MetricText:
    """What an impact measure's value is (as in Field), and whether it counts people or tenants that are affected."""

    kind: str = "text"
    reach: bool = False
    unit: Text | None = None
    choices: Mapping[str, Text] = field(default_factory=dict)
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionRecipe:
    """What is said of one operation.

    Attributes:
        ask: the headline: the first whose condition holds.
        lead: names of the facts in the first lines.
        show: names of the facts that follow, in order; facts that are not named come after them.
        hide: names of the facts that stand only in the details.
        fields: words for fields of this operation alone, by path or last name.
        warn: warnings besides those of the table of effects.
    """

    ask: tuple[QuestionLine, ...]
    lead: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    fields: Mapping[str, FieldText] = field(default_factory=dict)
    warn: tuple[QuestionLine, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionTexts:
    """The whole table."""

    kinds: Mapping[str, NameSource]
    fields: Mapping[str, FieldText]
    measures: Mapping[str, MetricText]
    rows: Mapping[str, QuestionRecipe]

    def field(self, key: str, path: str) -> FieldText:
        """The words for a field of an operation, by its dotted path or its last name."""
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
    """The table that ships with this version."""
    return parse_question_texts(json.loads(FILE.read_bytes()))


def parse_question_texts(table: Mapping[str, Any]) -> QuestionTexts:
    """The table of its JSON form."""
    return QuestionTexts(
        kinds={name: NameSource(**kind) for name, kind in table["kinds"].items()},
        fields={name: _field(row) for name, row in table["fields"].items()},
        measures={name: _measured(row) for name, row in table["measures"].items()},
        rows={key: _row(row) for key, row in table["rows"].items()},
    )


def _row(row: Mapping[str, Any]) -> QuestionRecipe:
    return QuestionRecipe(
        ask=tuple(_line(line) for line in row.get("ask", ())),
        lead=tuple(row.get("lead", ())),
        show=tuple(row.get("show", ())),
        hide=tuple(row.get("hide", ())),
        fields={name: _field(each) for name, each in row.get("fields", {}).items()},
        warn=tuple(_line(line) for line in row.get("warn", ())),
    )


def _line(line: Mapping[str, str]) -> QuestionLine:
    return QuestionLine(Text(line["en"], line["ja"]), line.get("when", ""))


def _field(row: Mapping[str, Any]) -> FieldText:
    label, pairs = Text(row["en"], row["ja"]), tuple(row.get("pairs", ()))
    kind, currency, unit = row.get("is", "text"), row.get("currency", ""), _unit(row.get("unit"))
    return FieldText(label, kind, currency, _choices(row), unit, pairs, row.get("keys", ""))


def _measured(row: Mapping[str, Any]) -> MetricText:
    kind, pairs = row.get("is", "text"), tuple(row.get("pairs", ()))
    return MetricText(kind, bool(row.get("reach")), _unit(row.get("unit")), _choices(row), pairs)


def _choices(row: Mapping[str, Any]) -> dict[str, Text]:
    return {value: Text(**words) for value, words in row.get("choices", {}).items()}


def _unit(unit: Mapping[str, str] | None) -> Text | None:
    return Text(**unit) if unit else None
