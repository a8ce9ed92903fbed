"""Audit records as text of bounded size: a long value is stored as its digest, its length and its beginning.

A caller whose calls are refused cannot fill the disk, and the digest still shows whether the value was a given one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Row

from saasus_mcp.common.messages import message

FULL_RECORD_CHARACTERS = 4 * 1024
"""JSON up to this length is stored unchanged."""
MAX_RECORD_BYTES = 16 * 1024
"""Of the JSON of a record."""
EVENTS = frozenset({"begun", "ended", "refused", "decided"})
_LATEST = 4e9
"""The latest accepted time of a record, in epoch seconds: the year 2096."""


@dataclass(frozen=True, slots=True)
class _ExcerptLimits:
    """Limits of a value: characters of a text and of a key, items of a list or map, levels of nesting."""

    characters: int
    items: int
    depth: int
    beginning: int


_STRICTER = (_ExcerptLimits(1_000, 50, 6, 200), _ExcerptLimits(200, 10, 4, 80), _ExcerptLimits(60, 3, 3, 40))
_MOST_FIELDS = 40
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def encode_bounded(record: Mapping[str, Any]) -> str:
    """Return a record as JSON text of at most `MAX_RECORD_BYTES`. Equal records give equal texts."""
    text = _encode(record if isinstance(record, dict) else dict(record))
    if len(text) <= FULL_RECORD_CHARACTERS:
        return text
    for limits in _STRICTER:
        text = _JSON.encode({name: _shorten(value, limits, limits.depth) for name, value in record.items()})
        if len(text.encode("utf-8", "surrogatepass")) <= MAX_RECORD_BYTES:
            return text
    last = _STRICTER[-1]
    fields = dict(list(record.items())[:_MOST_FIELDS])
    return _JSON.encode({name[: last.characters]: _shorten(value, last, 0) for name, value in fields.items()})


def _encode(record: dict[str, Any]) -> str:
    """Return the JSON text of a record. It is written twice for each call, so by the faster encoder if that can."""
    try:
        return to_json(record, fallback=str).decode()
    except ValueError:  # of a lone surrogate, which UTF-8 does not have, or of many levels
        return _JSON.encode(record)


def contains_excerpt(value: Any) -> bool:
    """Return True if a value is an excerpt or contains one."""
    if isinstance(value, dict):
        return value.keys() == _EXCERPT or any(contains_excerpt(item) for item in value.values())
    return isinstance(value, list) and any(contains_excerpt(item) for item in value)


_EXCERPT = {"sha256", "length", "beginning"}


def _shorten(value: Any, limits: _ExcerptLimits, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limits.characters else _excerpt(value, value, limits)
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return (
            _shorten(str(value), limits, depth) if isinstance(value, int) and value.bit_length() > _INTEGER else value
        )
    if not value:
        return value
    keys = value if isinstance(value, dict) else ()
    if len(value) > limits.items or not depth or any(len(str(key)) > limits.characters for key in keys):
        return _excerpt(value, _CANONICAL.encode(value), limits)
    if isinstance(value, dict):
        return {name: _shorten(item, limits, depth - 1) for name, item in value.items()}
    return [_shorten(item, limits, depth - 1) for item in value]


_INTEGER = 256
"""Longer integers are stored as text."""


def _excerpt(value: Any, text: str, limits: _ExcerptLimits) -> dict[str, Any]:
    """Return digest, length and beginning. `length` counts characters or items; the digest is of UTF-8 or of canonical JSON."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"sha256": digest, "length": len(value), "beginning": text[: limits.beginning]}


def decode_record(row: Row[Any]) -> dict[str, Any]:
    """Return `call`, `event`, `at` and the recorded values. An altered row is marked and raises nothing."""
    has_valid_time = isinstance(row.at, float) and 0 <= row.at <= _LATEST
    identity = {"call": str(row.call), "event": row.event, "at": row.at}
    record = decode_text(row.record)
    if record is None or row.event not in EVENTS or not has_valid_time:
        altered = {"unreadable": str(message("store.record_altered")), "event": "refused"}
        return {**identity, **altered, "at": row.at if has_valid_time else _LATEST}
    return {**record, **identity}


def decode_text(text: str) -> dict[str, Any] | None:
    """Return a recorded object, or None for an altered one."""
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None
