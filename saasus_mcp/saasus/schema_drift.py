"""Compare an answer with its documents, and describe the differences without any value of the answer.

A deviation consists of places and types from the documents, JSON's seven type names, classes of length, and names of
undocumented fields. A key of an open map is a value and is never reported. The name of an undocumented field is withheld
where it does not look like a field name, or where no documented field stands beside it: it may be a key of a map.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from saasus_mcp.saasus.secret_names import REMOVED

Kind = Literal["missing", "undocumented_field", "type", "undocumented_value"]
Often = Literal["always", "sometimes"]
Field = Mapping[str, Any]

MAX_ITEMS = 1000
"""Items of one list, or entries of one map, that are compared."""
MAX_DEVIATIONS = 100
"""Of one comparison. An answer cannot make the report grow without end."""
MAX_NAMES = 20
"""Undocumented fields of one object that are named."""
NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,39}[0-9]{0,2}")
"""Names of undocumented fields that are reported."""
UNNAMED = "(name withheld)"
_STEP = re.compile(r"\.(?P<name>[^.\[{|]+)|(?P<items>\[\])|(?P<entries>\{\})|\|(?P<variant>\d+)")
_LENGTHS = ((0, "empty"), (8, "1 to 8 characters"), (32, "9 to 32 characters"), (256, "33 to 256 characters"))


@dataclass(frozen=True, slots=True, order=True)
class Deviation:
    """One difference.

    Attributes:
        place: the field, as the documents write its path: `users[].id`; empty for the whole answer.
        documented: the documented type; empty where the documents say nothing.
        seen: the type that came, of a text that is no documented value also its class of length; empty where nothing came.
        often: whether wherever the place was compared.
    """

    place: str
    kind: Kind
    documented: str
    seen: str
    often: Often


@dataclass(slots=True)
class _Node:
    """A documented place and the places below it."""

    said: Field = field(default_factory=dict)
    names: dict[str, _Node] = field(default_factory=dict)
    items: _Node | None = None
    entries: _Node | None = None
    variants: list[_Node] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """The result of one walk: deviations with their counts, and how often each place was compared."""

    deviations: Counter[tuple[str, Kind, str, str]] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)

    def note(self, place: str, kind: Kind, documented: str = "", seen: str = "") -> None:
        key = (place, kind, documented, seen)
        if key in self.deviations or len(self.deviations) < MAX_DEVIATIONS:
            self.deviations[key] += 1

    def add(self, other: _Found) -> None:
        for key, count in other.deviations.items():
            if key in self.deviations or len(self.deviations) < MAX_DEVIATIONS:
                self.deviations[key] += count
        self.visits.update(other.visits)


class SchemaComparison:
    """Compares the answers of one operation with its documents. Keeps no answer.

    Args:
        row: the operation's facts (catalog.facts).
    """

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._statuses = frozenset(map(str, row["statuses"]))
        self._answers = {
            status: _tree(status, row["fields"]) for status in sorted(self._statuses) if status in row["fields"]
        }
        self._found = _Found()

    def documents_status(self, status: int) -> bool:
        """Whether the documents name this status."""
        return not self._statuses.isdisjoint({str(status), f"{status // 100}XX", "default"})

    def add(self, status: int, answer: Any) -> None:
        """Compare one successful answer.

        An answer with an undocumented status is compared with the first successful answer that the documents describe.
        """
        node = self._answers.get(str(status)) or next(iter(self._answers.values()), None)
        if node is not None:
            _compare(answer, node, "", self._found)

    def deviations(self) -> tuple[Deviation, ...]:
        """The differences found so far, by place."""
        visits = self._found.visits
        return tuple(
            sorted(
                Deviation(place, kind, documented, seen, _often(count, visits[_visited(place, kind)]))
                for (place, kind, documented, seen), count in self._found.deviations.items()
            )
        )


def json_type(value: Any) -> str:
    """JSON's name for the type of a value; a number without a fraction is an integer."""
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return _KINDS[type(value)]


_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def _tree(status: str, fields: Mapping[str, Field]) -> _Node:
    """The places below a status as a tree."""
    root = _Node(fields[status])
    for place, said in fields.items():
        if not place.startswith(status) or place == status:
            continue
        node = root
        for step in _STEP.finditer(place, len(status)):
            node = _below(node, step)
        node.said = said
    return root


def _below(node: _Node, step: re.Match[str]) -> _Node:
    if step["name"]:
        return node.names.setdefault(step["name"], _Node())
    if step["items"]:
        node.items = node.items or _Node()
        return node.items
    if step["entries"]:
        node.entries = node.entries or _Node()
        return node.entries
    if int(step["variant"]) == len(node.variants):
        node.variants.append(_Node())
    return node.variants[int(step["variant"])]


def _compare(value: Any, node: _Node, place: str, found: _Found) -> None:
    found.visits[place] += 1
    if value == REMOVED:  # a secret: its type is not known any longer
        return
    if node.variants:
        found.add(min((_tried(value, one, place) for one in node.variants), key=lambda one: len(one.deviations)))
        return
    documented, seen = str(node.said.get("type") or ""), json_type(value)
    if seen == "null" and node.said.get("nullable"):
        return
    if documented and seen != documented and not (documented == "number" and seen == "integer"):
        found.note(place, "type", documented, seen)
        return
    values = node.said.get("enum")
    if values and not isinstance(value, dict | list) and str(value) not in values:
        found.note(place, "undocumented_value", documented, _class(value))
    if isinstance(value, dict):
        _object(value, node, place, found)
    elif isinstance(value, list) and node.items is not None:
        for item in islice(value, MAX_ITEMS):
            _compare(item, node.items, f"{place}[]", found)


def _tried(value: Any, variant: _Node, place: str) -> _Found:
    found = _Found()
    _compare(value, variant, place, found)
    found.visits[place] -= 1  # counted by who tries
    return found


def _object(value: dict[str, Any], node: _Node, place: str, found: _Found) -> None:
    for name, below in node.names.items():
        at = f"{place}.{name}" if place else name
        if name in value:
            _compare(value[name], below, at, found)
        elif below.said.get("required"):
            found.note(at, "missing", str(below.said.get("type") or ""))
    if node.entries is not None:
        for item in islice((item for name, item in value.items() if name not in node.names), MAX_ITEMS):
            _compare(item, node.entries, place + "{}", found)
    elif node.names:
        for name, seen in islice(_undocumented(value, node), MAX_NAMES):
            found.note(f"{place}.{name}" if place else name, "undocumented_field", "", seen)


def _undocumented(value: dict[str, Any], node: _Node) -> Iterator[tuple[str, str]]:
    """The names of undocumented fields, or UNNAMED, and their types."""
    known = not node.names.keys().isdisjoint(value)
    for name, item in value.items():
        if name not in node.names:
            shown = name if known and NAME.fullmatch(name) else UNNAMED
            yield shown, "secret" if item == REMOVED else json_type(item)


def _class(value: Any) -> str:
    """The class of a value that the documents do not list: its type, and of a text its length."""
    if not isinstance(value, str):
        return json_type(value)
    length = next((said for most, said in _LENGTHS if len(value) <= most), "more than 256 characters")
    return f"string, {length}"


def _visited(place: str, kind: Kind) -> str:
    """The place whose visits count for a kind of deviation: of a field that may be absent, the object that has it."""
    return place.rpartition(".")[0] if kind in {"missing", "undocumented_field"} else place


def _often(count: int, visits: int) -> Often:
    return "always" if count >= visits else "sometimes"
