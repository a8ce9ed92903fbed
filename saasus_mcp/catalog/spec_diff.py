"""How published definitions differ from the facts that our tools were made from, and which differences are meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog.openapi_summary import Operation

Kind = Literal["new", "removed", "changed"]
STRICTER = frozenset({"required", "nullable"})
CONTRADICTION = "example_of_another_type"
WHOLE_OPERATION = ("method", "path", "security", "statuses")


@dataclass(frozen=True, slots=True)
class SpecDifference:
    """One difference of the published definitions from ours.

    Attributes:
        operation: the operation's key.
        place: the field's; empty where it is the operation itself.
        fact: which fact changed: `type`, `required`, `enum`, `statuses` and so on; empty where the whole is new or removed.
        ours, theirs: what either says of it.
        repair: why it is so on purpose; empty where nothing says that it is.
    """

    operation: str
    kind: Kind
    place: str = ""
    fact: str = ""
    ours: Any = None
    theirs: Any = None
    repair: str = ""


def compare_specs(ours: Mapping[str, Operation], theirs: Mapping[str, Operation]) -> Iterator[SpecDifference]:
    """Every difference, operation by operation."""
    for key in sorted(ours.keys() | theirs.keys()):
        if key not in theirs:
            yield SpecDifference(key, "removed")
        elif key not in ours:
            yield SpecDifference(key, "new", theirs=f"{theirs[key]['method']} {theirs[key]['path']}")
        else:
            yield from _operation(key, ours[key], theirs[key])


def _operation(key: str, ours: Operation, theirs: Operation) -> Iterator[SpecDifference]:
    repairs = ours["repairs"]
    for fact in WHOLE_OPERATION:
        if ours[fact] != theirs[fact]:
            repair = repairs.get(fact, "") if fact == "security" else ""
            yield SpecDifference(key, "changed", "", fact, ours[fact], theirs[fact], repair)
    mine, published = ours["fields"], theirs["fields"]
    reshaped = [
        place
        for place in repairs
        if mine.get(place, {}).get("variants") != published.get(place, {}).get("variants") and place in mine
    ]
    for place in sorted(mine.keys() | published.keys()):
        above = next((each for each in reshaped if place.startswith((f"{each}|", f"{each}."))), "")
        repair = repairs.get(place, "")
        if place not in published:
            yield SpecDifference(key, "removed", place, repair=repair or repairs.get(above, ""))
        elif place not in mine:
            yield SpecDifference(key, "new", place, theirs=published[place], repair=repair or repairs.get(above, ""))
        else:
            for fact in sorted(mine[place].keys() | published[place].keys()):
                before, now = mine[place].get(fact), published[place].get(fact)
                if before != now:
                    meant = repair if _repairs(fact, before, now) else ""
                    yield SpecDifference(key, "changed", place, fact, before, now, meant)


def _repairs(fact: str, ours: Any, theirs: Any) -> bool:
    """Whether this is what a repair may do: be stricter, or drop what contradicts. Anything else is a change of theirs."""
    if fact == "enum":
        return bool(ours) and len(ours) == 1 and ours[0] in (theirs or ())
    return fact == "variants" or (fact in STRICTER and bool(ours)) or (fact == CONTRADICTION and bool(theirs))
