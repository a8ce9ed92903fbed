"""Compare published API definitions with the documents of this server, and tell which differences are intended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog.openapi_summary import OperationSummary

DifferenceKind = Literal["new", "removed", "changed"]
_STRICTER = frozenset({"required", "nullable"})
_CONTRADICTION = "example_of_another_type"
_OPERATION_FACTS = ("method", "path", "security", "statuses")


@dataclass(frozen=True, slots=True)
class SpecDifference:
    """A difference between the published definitions and the documents of this server.

    Attributes:
        operation: the operation's key.
        place: the path of the field, or empty for the operation itself.
        fact: the fact that changed, such as `type`, `required` or `statuses`. Empty for something new or removed.
        ours, theirs: the values on both sides.
        repair: the reason of an intended difference, or empty.
    """

    operation: str
    kind: DifferenceKind
    place: str = ""
    fact: str = ""
    ours: Any = None
    theirs: Any = None
    repair: str = ""


def compare_specs(
    ours: Mapping[str, OperationSummary], theirs: Mapping[str, OperationSummary]
) -> Iterator[SpecDifference]:
    """Yield every difference, operation by operation."""
    for key in sorted(ours.keys() | theirs.keys()):
        if key not in theirs:
            yield SpecDifference(key, "removed")
        elif key not in ours:
            yield SpecDifference(key, "new", theirs=f"{theirs[key]['method']} {theirs[key]['path']}")
        else:
            yield from _compare_operation(key, ours[key], theirs[key])


def _compare_operation(key: str, ours: OperationSummary, theirs: OperationSummary) -> Iterator[SpecDifference]:
    repairs = ours["repairs"]
    for fact in _OPERATION_FACTS:
        if ours[fact] != theirs[fact]:
            repair = repairs.get(fact, "") if fact == "security" else ""
            yield SpecDifference(key, "changed", "", fact, ours[fact], theirs[fact], repair)
    own, published = ours["fields"], theirs["fields"]
    reshaped = [
        place
        for place in repairs
        if own.get(place, {}).get("variants") != published.get(place, {}).get("variants") and place in own
    ]
    for place in sorted(own.keys() | published.keys()):
        parent = next((each for each in reshaped if place.startswith((f"{each}|", f"{each}."))), "")
        repair = repairs.get(place, "")
        if place not in published:
            yield SpecDifference(key, "removed", place, repair=repair or repairs.get(parent, ""))
        elif place not in own:
            yield SpecDifference(key, "new", place, theirs=published[place], repair=repair or repairs.get(parent, ""))
        else:
            for fact in sorted(own[place].keys() | published[place].keys()):
                before, now = own[place].get(fact), published[place].get(fact)
                if before != now:
                    reason = repair if _is_repair(fact, before, now) else ""
                    yield SpecDifference(key, "changed", place, fact, before, now, reason)


def _is_repair(fact: str, ours: Any, theirs: Any) -> bool:
    """Return whether a repair can cause the difference: it is stricter, or drops a contradiction."""
    if fact == "enum":
        return bool(ours) and len(ours) == 1 and ours[0] in (theirs or ())
    return fact == "variants" or (fact in _STRICTER and bool(ours)) or (fact == _CONTRADICTION and bool(theirs))
