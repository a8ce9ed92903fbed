"""Compare an answer with the API's documents, and describe the differences without any value of the answer.

A deviation consists of paths and types from the documents, JSON's seven type names, classes of length, and names of
undocumented fields. A key of an open map is a value and is never reported. The name of an undocumented field is withheld
if it does not look like a field name, or if the object has no documented field: it may be a key of a map.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from saasus_mcp.catalog.openapi_summary import FieldSummary
from saasus_mcp.common.json_path import JSON_TYPES
from saasus_mcp.saasus.secret_paths import REMOVED

DeviationKind = Literal["missing", "undocumented_field", "type", "undocumented_value"]
Frequency = Literal["always", "sometimes"]
COMPARED_ITEMS = 1000
"""The limit of compared items of a list, or entries of a map."""
MAX_DEVIATIONS = 100
"""The limit of one comparison, so that no answer makes the report grow without end."""
MAX_NAMES = 20
"""The limit of undocumented fields that are reported of one object."""
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,39}[0-9]{0,2}")
"""Names of undocumented fields that look like field names."""
_WITHHELD = "(name withheld)"
_LENGTHS = ((0, "empty"), (8, "1 to 8 characters"), (32, "9 to 32 characters"), (256, "33 to 256 characters"))


@dataclass(frozen=True, slots=True, order=True)
class Deviation:
    """A difference between answers and documents.

    Attributes:
        place: the path of the field as the documents write it: `users[].id`. Empty for the whole answer.
        documented: the documented type, or empty for an undocumented field.
        seen: the type in the answer, with the class of length for an undocumented text. Empty for a missing field.
        often: whether the field deviated in every comparison.
    """

    place: str
    kind: DeviationKind
    documented: str
    seen: str
    often: Frequency


@dataclass(slots=True)
class _DeviationCounts:
    """The result of one walk: the number of each deviation, and of comparisons of each path."""

    deviations: Counter[tuple[str, DeviationKind, str, str]] = field(default_factory=Counter)
    comparisons: Counter[str] = field(default_factory=Counter)

    def add(self, place: str, kind: DeviationKind, documented: str = "", seen: str = "") -> None:
        key = (place, kind, documented, seen)
        if key in self.deviations or len(self.deviations) < MAX_DEVIATIONS:
            self.deviations[key] += 1

    def merge(self, other: _DeviationCounts) -> None:
        for key, count in other.deviations.items():
            if key in self.deviations or len(self.deviations) < MAX_DEVIATIONS:
                self.deviations[key] += count
        self.comparisons.update(other.comparisons)


class SchemaComparison:
    """Compares the answers of one operation with its documents. Stores no answer.

    Args:
        row: the summary of the operation (catalog.openapi_summary), whose paths begin with the status of an answer.
    """

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._statuses = frozenset(map(str, row["statuses"]))
        self._fields: Mapping[str, FieldSummary] = row["fields"]
        self._names, self._variants = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        for path in self._fields:
            (parent, _, name), (several, _, number) = path.rpartition("."), path.rpartition("|")
            if number.isdecimal():
                self._variants[several].append(path)
            elif not name.endswith(("[]", "{}")):
                self._names[parent].append(name)
        self._found = _DeviationCounts()

    def documents_status(self, status: int) -> bool:
        """Return whether the documents contain this status."""
        return not self._statuses.isdisjoint({str(status), f"{status // 100}XX", "default"})

    def add(self, status: int, answer: Any) -> None:
        """Compare one successful answer.

        An answer with an undocumented status is compared with the first successful answer that the documents describe.
        """
        described = [each for each in sorted(self._statuses) if each in self._fields]
        if described:
            path = str(status) if str(status) in described else described[0]
            self._compare(answer, path, "", self._found)

    def deviations(self) -> tuple[Deviation, ...]:
        """Return the differences so far, by path."""
        comparisons = self._found.comparisons
        return tuple(
            sorted(
                Deviation(place, kind, documented, seen, _frequency(count, comparisons[_compared_path(place, kind)]))
                for (place, kind, documented, seen), count in self._found.deviations.items()
            )
        )

    def _compare(self, value: Any, path: str, place: str, found: _DeviationCounts) -> None:
        """Compare a value with a documented field.

        Args:
            path: of the field.
            place: the same for the report, without the status and the variants on the way.
        """
        found.comparisons[place] += 1
        if value == REMOVED:  # a secret, whose type is hidden
            return
        if path in self._variants:
            found.merge(min(self._compare_variants(value, path, place), key=lambda one: len(one.deviations)))
            return
        summary = self._fields[path]
        documented, seen = str(summary.get("type") or ""), json_type(value)
        if seen == "null" and summary.get("nullable"):
            return
        if documented and seen != documented and not (documented == "number" and seen == "integer"):
            found.add(place, "type", documented, seen)
            return
        values = summary.get("enum")
        if values and not isinstance(value, dict | list) and str(value) not in values:
            found.add(place, "undocumented_value", documented, _value_class(value))
        if isinstance(value, dict):
            self._compare_object(value, path, place, found)
        elif isinstance(value, list) and path + "[]" in self._fields:
            for item in islice(value, COMPARED_ITEMS):
                self._compare(item, path + "[]", place + "[]", found)

    def _compare_variants(self, value: Any, path: str, place: str) -> Iterator[_DeviationCounts]:
        """Yield the differences from each variant of a field."""
        for variant in self._variants[path]:
            found = _DeviationCounts()
            self._compare(value, variant, place, found)
            found.comparisons[place] -= 1  # the caller counts it
            yield found

    def _compare_object(self, value: dict[str, Any], path: str, place: str, found: _DeviationCounts) -> None:
        names = self._names.get(path, ())
        for name in names:
            below, at = f"{path}.{name}", f"{place}.{name}" if place else name
            if name in value:
                self._compare(value[name], below, at, found)
            elif self._fields[below].get("required"):
                found.add(at, "missing", str(self._fields[below].get("type") or ""))
        if path + "{}" in self._fields:
            for item in islice((item for name, item in value.items() if name not in names), COMPARED_ITEMS):
                self._compare(item, path + "{}", place + "{}", found)
        elif names:
            for name, seen in islice(_undocumented(value, names), MAX_NAMES):
                found.add(f"{place}.{name}" if place else name, "undocumented_field", "", seen)


def json_type(value: Any) -> str:
    """Return the JSON type of a value. A number without a fraction is an integer."""
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return next(str(name) for name, types in JSON_TYPES.items() if type(value) in types)


def _undocumented(value: dict[str, Any], names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the name, or _WITHHELD, and the type of each undocumented field."""
    known = not value.keys().isdisjoint(names)
    for name, item in value.items():
        if name not in names:
            shown = name if known and _FIELD_NAME.fullmatch(name) else _WITHHELD
            yield shown, "secret" if item == REMOVED else json_type(item)


def _value_class(value: Any) -> str:
    """Return the class of an undocumented value: its type and, for a text, its class of length."""
    if not isinstance(value, str):
        return json_type(value)
    length = next((said for most, said in _LENGTHS if len(value) <= most), "more than 256 characters")
    return f"string, {length}"


def _compared_path(place: str, kind: DeviationKind) -> str:
    """Return the path whose comparisons count for a deviation: of a field that may be absent, its object."""
    return place.rpartition(".")[0] if kind in {"missing", "undocumented_field"} else place


def _frequency(count: int, comparisons: int) -> Frequency:
    return "always" if count >= comparisons else "sometimes"
