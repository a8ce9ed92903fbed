"""Audit records of bounded size: a value that is too long is stored as its digest, its length and its beginning.

So a caller whose calls are refused cannot fill the disk, and the digest still tells whether a value was a certain one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FULL_RECORD_CHARACTERS = 4 * 1024
"""Characters of JSON up to which a record is stored as it is."""
MAX_RECORD_BYTES = 16 * 1024
"""Bytes of JSON of the longest record."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """How much of a value stays: characters of a text and of a key, items of a list or map, levels of nesting."""

    characters: int
    items: int
    depth: int
    beginning: int


_STRICTER = (_Limits(1_000, 50, 6, 200), _Limits(200, 10, 4, 80), _Limits(60, 3, 3, 40))
_MOST_FIELDS = 40
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def encode_bounded(record: Mapping[str, Any]) -> str:
    """The record as JSON text of at most `LONGEST` bytes. The same record gives the same text."""
    text = _JSON.encode(record if isinstance(record, dict) else dict(record))
    if len(text) <= FULL_RECORD_CHARACTERS:
        return text
    for limits in _STRICTER:
        text = _JSON.encode({name: _short(value, limits, limits.depth) for name, value in record.items()})
        if len(text.encode("utf-8", "surrogatepass")) <= MAX_RECORD_BYTES:
            return text
    last = _STRICTER[-1]
    fields = dict(list(record.items())[:_MOST_FIELDS])
    return _JSON.encode({name[: last.characters]: _short(value, last, 0) for name, value in fields.items()})


def contains_excerpt(value: Any) -> bool:
    """Whether a value of a record, or one inside it, is an excerpt."""
    if isinstance(value, dict):
        return value.keys() == _EXCERPT or any(contains_excerpt(item) for item in value.values())
    return isinstance(value, list) and any(contains_excerpt(item) for item in value)


_EXCERPT = {"sha256", "length", "beginning"}


def _short(value: Any, limits: _Limits, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limits.characters else _excerpt(value, value, limits)
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return _short(str(value), limits, depth) if isinstance(value, int) and value.bit_length() > _INTEGER else value
    if not value:
        return value
    if len(value) > limits.items or not depth or any(len(str(key)) > limits.characters for key in _keys(value)):
        return _excerpt(value, _CANONICAL.encode(value), limits)
    if isinstance(value, dict):
        return {name: _short(item, limits, depth - 1) for name, item in value.items()}
    return [_short(item, limits, depth - 1) for item in value]


_INTEGER = 256
"""Bits of an integer that is stored as a number."""


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else ()


def _excerpt(value: Any, text: str, limits: _Limits) -> dict[str, Any]:
    """`length` counts the characters of a text and the items of a list or map; the digest is of UTF-8, of canonical JSON."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"sha256": digest, "length": len(value), "beginning": text[: limits.beginning]}
