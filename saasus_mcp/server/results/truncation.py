"""The truncation of answers that are too large for a model."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Literal

from saasus_mcp.common.json_bytes import encode_json

FIELD_OVERHEAD = 6
"""Bytes of a field beside its name: colon, comma, and the end of a text or a list that was cut."""


@dataclass(frozen=True, slots=True)
class Truncation:
    """One list, object or text without its end.

    Attributes:
        path: the fields that lead to it, dotted. Empty for the complete answer.
        unit: what `shown` and `total` count.
    """

    path: str
    shown: int
    total: int
    unit: Literal["items", "characters", "fields"] = "items"

    def __str__(self) -> str:
        return f"{self.path or 'the answer'}: {self.shown} of {self.total} {self.unit}"


def truncate(value: Any, budget: int) -> tuple[Any, tuple[Truncation, ...]]:
    """Return the value in at most about `budget` bytes of JSON, and its truncations. A value that fits is returned as it is."""
    cuts: list[Truncation] = []
    return _fitted(value, budget, "", cuts), tuple(cuts)


def json_size(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    return len(encode_json(value))


def _measured(value: Any, most: int) -> int:
    """Return the bytes of a value as JSON, or `most` + 1 if it is larger. The rest of a larger value is not visited."""
    if isinstance(value, list):
        parts = (_measured(item, most) + 1 for item in value)
    elif isinstance(value, dict):
        parts = (_measured(name, most) + 2 + _measured(item, most) for name, item in value.items())
    elif isinstance(value, str) and len(value) > most:
        return most + 1
    else:
        return min(json_size(value), most + 1)
    total = 2 if not value else 1
    for part in parts:
        total += part
        if total > most:
            return most + 1
    return total


def _fitted(value: Any, budget: int, place: str, cuts: list[Truncation]) -> Any:
    if _measured(value, budget) <= budget or not value:
        return value
    if isinstance(value, dict):
        return _object(value, budget, place, cuts)
    if isinstance(value, list):
        return _list(value, budget, place, cuts)
    if isinstance(value, str):
        return _text(value, budget, place, cuts)
    return value


def _object(value: dict[str, Any], budget: int, place: str, cuts: list[Truncation]) -> dict[str, Any]:
    """Truncate an object. Small fields stay complete and large ones share the rest; of very many fields, the first stay."""
    value = _first_fields(value, budget // 2, place, cuts)
    fitted: dict[str, Any] = {}
    left = budget - 2 - sum(json_size(name) + 2 for name in value)
    rising = sorted(value, key=lambda name: _measured(value[name], budget))
    for position, name in enumerate(rising):
        share = max(0, left) // (len(rising) - position)
        fitted[name] = _fitted(value[name], share, f"{place}.{name}".lstrip("."), cuts)
        left -= json_size(fitted[name])
    return {name: fitted[name] for name in value}


def _first_fields(value: dict[str, Any], budget: int, place: str, cuts: list[Truncation]) -> dict[str, Any]:
    """Return the first fields whose names fit with a short value each, at least one."""
    fits = bisect_right(list(accumulate(json_size(name) + FIELD_OVERHEAD for name in value)), budget)
    if fits >= len(value):
        return value
    kept = dict(islice(value.items(), max(fits, 1)))
    cuts.append(Truncation(place, len(kept), len(value), "fields"))
    return kept


def _list(value: list[Any], budget: int, place: str, cuts: list[Truncation]) -> list[Any]:
    """Return the first items that fit. A single item that is too large is truncated itself."""
    kept: list[Any] = []
    left = budget - 2
    for item in value:
        left -= _measured(item, max(left, 0)) + 1
        if left < 0:
            break
        kept.append(item)
    if not kept and value and budget > 2:  # noqa: PLR2004 - the two brackets
        kept.append(_fitted(value[0], budget - 2, f"{place}[0]", cuts))
    cuts.append(Truncation(place, len(kept), len(value)))
    return kept


def _text(value: str, budget: int, place: str, cuts: list[Truncation]) -> str:
    longest = bisect_right(
        range(1, min(len(value), max(budget, 0)) + 1), budget, key=lambda length: json_size(value[:length])
    )
    kept = value[:longest]
    cuts.append(Truncation(place, len(kept), len(value), "characters"))
    return kept
