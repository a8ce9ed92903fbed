"""The truncation of answers that are too large for a model."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Any, Literal

from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.common.json_parts import WHOLE_BYTES

ENCODED_BYTES = 4 * WHOLE_BYTES
"""Bytes that are encoded to measure items. Items inside items are encoded again."""
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


def truncate(value: Any, budget: int, size: float = math.inf) -> tuple[Any, tuple[Truncation, ...]]:
    """Return the value in at most about `budget` bytes of JSON, and its truncations. A value that fits is returned as it is.

    Args:
        size: bytes of the whole value as JSON, if they are known.
    """
    truncating = _Truncating(ENCODED_BYTES if size <= WHOLE_BYTES else 0)
    return truncating.fit(value, budget, ""), tuple(truncating.cuts)


def json_size(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    return len(encode_json(value))


class _Truncating:
    """The truncation of one value.

    Attributes:
        cuts: the truncations, in the order in which they were made.

    Args:
        encodable: bytes of items that may still be encoded to measure them: faster than a walk, but to their end.
    """

    def __init__(self, encodable: int) -> None:
        self.cuts: list[Truncation] = []
        self._encodable = encodable
        self._sizes: dict[int, int] = {}
        self._text_sizes: dict[str, int] = {}

    def fit(self, value: Any, budget: int, place: str) -> Any:
        if not value or self._size(value, budget) <= budget:
            return value
        if isinstance(value, dict):
            return self._object(value, budget, place)
        if isinstance(value, list):
            return self._list(value, budget, place)
        if isinstance(value, str):
            return self._text(value, budget, place)
        return value

    def _size(self, value: Any, most: int) -> int:
        """Return the bytes of a value as JSON, or more than `most` if it is larger. The rest of a larger value is not visited.

        An object or list is visited once: it is measured again with each one around it.
        """
        if isinstance(value, str):
            return most + 1 if len(value) > most else self._text_sizes.setdefault(value, json_size(value))
        if not isinstance(value, (dict, list)):
            return json_size(value)
        known = self._sizes.get(id(value))
        if known is not None:
            return known
        total = 1 if value else 2
        measure = self._item_size if isinstance(value, list) else self._size
        for part in chain.from_iterable(value.items()) if isinstance(value, dict) else value:
            size = self._text_sizes.get(part) if type(part) is str else None  # most texts occur in many items
            total += (measure(part, most) if size is None else size) + 1
            if total > most:
                return most + 1
        self._sizes[id(value)] = total
        return total

    def _item_size(self, item: Any, most: int) -> int:
        """Return what `_size` does, by encoding an object, in a tenth of the time."""
        if not isinstance(item, dict) or self._encodable <= 0 or id(item) in self._sizes:
            return self._size(item, most)
        size = self._sizes[id(item)] = json_size(item)
        self._encodable -= size
        return size

    def _object(self, value: dict[str, Any], budget: int, place: str) -> dict[str, Any]:
        """Truncate an object. Small fields stay complete and large ones share the rest; of very many fields, the first stay."""
        value = self._first_fields(value, budget // 2, place)
        fitted: dict[str, Any] = {}
        left = budget - 2 - sum(json_size(name) + 2 for name in value)
        rising = sorted(value, key=lambda name: min(self._size(value[name], budget), budget + 1))
        for position, name in enumerate(rising):
            share = max(0, left) // (len(rising) - position)
            fitted[name] = self.fit(value[name], share, f"{place}.{name}".lstrip("."))
            left -= json_size(fitted[name])
        return {name: fitted[name] for name in value}

    def _first_fields(self, value: dict[str, Any], budget: int, place: str) -> dict[str, Any]:
        """Return the first fields whose names fit with a short value each, at least one."""
        fits = bisect_right(list(accumulate(json_size(name) + FIELD_OVERHEAD for name in value)), budget)
        if fits >= len(value):
            return value
        kept = dict(islice(value.items(), max(fits, 1)))
        self.cuts.append(Truncation(place, len(kept), len(value), "fields"))
        return kept

    def _list(self, value: list[Any], budget: int, place: str) -> list[Any]:
        """Return the first items that fit. A single item that is too large is truncated itself."""
        kept: list[Any] = []
        left = budget - 2
        for item in value:
            left -= self._size(item, max(left, 0)) + 1
            if left < 0:
                break
            kept.append(item)
        if not kept and value and budget > 2:  # noqa: PLR2004 - the two brackets
            kept.append(self.fit(value[0], budget - 2, f"{place}[0]"))
        self.cuts.append(Truncation(place, len(kept), len(value)))
        return kept

    def _text(self, value: str, budget: int, place: str) -> str:
        longest = bisect_right(
            range(1, min(len(value), max(budget, 0)) + 1), budget, key=lambda length: json_size(value[:length])
        )
        kept = value[:longest]
        self.cuts.append(Truncation(place, len(kept), len(value), "characters"))
        return kept
