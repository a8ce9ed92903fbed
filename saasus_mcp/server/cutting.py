"""Answers too large for a model, cut to a budget: lists and long texts lose their ends, and each cut is told."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Literal

from saasus_mcp.saasus.answer import compact

SHORT = 6
"""Bytes of a field beside its name: colon, comma, and the end of a text or a list that was cut."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One list or text that lost its end.

    Attributes:
        place: the fields that lead to it, dotted; empty for the whole.
        unit: what `shown` and `of` count.
    """

    place: str
    shown: int
    of: int
    unit: Literal["items", "characters", "fields"] = "items"

    def __str__(self) -> str:
        return f"{self.place or 'the answer'}: {self.shown} of {self.of} {self.unit}"


def cut(value: Any, budget: int) -> tuple[Any, tuple[Cut, ...]]:
    """The value in at most about `budget` bytes of JSON, and what was cut from it; itself where it fits."""
    cuts: list[Cut] = []
    return _fitted(value, budget, "", cuts), tuple(cuts)


def size(value: Any) -> int:
    """Bytes of a value as JSON."""
    return len(compact(value).encode())


def _measured(value: Any, most: int) -> int:
    """Bytes of a value as JSON, at most one more than `most`: of what is larger no more is looked at."""
    if isinstance(value, list):
        parts = (_measured(item, most) + 1 for item in value)
    elif isinstance(value, dict):
        parts = (_measured(name, most) + 2 + _measured(item, most) for name, item in value.items())
    elif isinstance(value, str) and len(value) > most:
        return most + 1
    else:
        return min(size(value), most + 1)
    total = 2 if not value else 1
    for part in parts:
        total += part
        if total > most:
            return most + 1
    return total


def _fitted(value: Any, budget: int, place: str, cuts: list[Cut]) -> Any:
    if _measured(value, budget) <= budget or not value:
        return value
    if isinstance(value, dict):
        return _object(value, budget, place, cuts)
    if isinstance(value, list):
        return _list(value, budget, place, cuts)
    if isinstance(value, str):
        return _text(value, budget, place, cuts)
    return value


def _object(value: dict[str, Any], budget: int, place: str, cuts: list[Cut]) -> dict[str, Any]:
    """Small fields stay whole; what they leave is shared among the large ones. Of very many, the first stay."""
    value = _first_fields(value, budget // 2, place, cuts)
    fitted: dict[str, Any] = {}
    left = budget - 2 - sum(size(name) + 2 for name in value)
    rising = sorted(value, key=lambda name: _measured(value[name], budget))
    for position, name in enumerate(rising):
        share = max(0, left) // (len(rising) - position)
        fitted[name] = _fitted(value[name], share, f"{place}.{name}".lstrip("."), cuts)
        left -= size(fitted[name])
    return {name: fitted[name] for name in value}


def _first_fields(value: dict[str, Any], budget: int, place: str, cuts: list[Cut]) -> dict[str, Any]:
    """The fields from the start whose names fit, with room for a short value each; at least one."""
    fits = bisect_right(list(accumulate(size(name) + SHORT for name in value)), budget)
    if fits >= len(value):
        return value
    kept = dict(islice(value.items(), max(fits, 1)))
    cuts.append(Cut(place, len(kept), len(value), "fields"))
    return kept


def _list(value: list[Any], budget: int, place: str, cuts: list[Cut]) -> list[Any]:
    """As many items from the start as fit; of one that alone is too large, a part."""
    kept: list[Any] = []
    left = budget - 2
    for item in value:
        left -= _measured(item, max(left, 0)) + 1
        if left < 0:
            break
        kept.append(item)
    if not kept and value and budget > 2:  # noqa: PLR2004 - the two brackets
        kept.append(_fitted(value[0], budget - 2, f"{place}[0]", cuts))
    cuts.append(Cut(place, len(kept), len(value)))
    return kept


def _text(value: str, budget: int, place: str, cuts: list[Cut]) -> str:
    longest = bisect_right(
        range(1, min(len(value), max(budget, 0)) + 1), budget, key=lambda length: size(value[:length])
    )
    kept = value[:longest]
    cuts.append(Cut(place, len(kept), len(value), "characters"))
    return kept
