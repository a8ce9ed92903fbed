"""Read and write large JSON in parts.

The functions of `pydantic_core` keep the interpreter lock until they end: for 3 MB of JSON, 15 to 50 ms. Between two parts, other
threads run, such as the event loop.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from saasus_mcp.common.json_bytes import encode_json

PART_BYTES = 128 * 1024
"""Bytes that are parsed together. They take one to two milliseconds."""
WHOLE_BYTES = 3 * PART_BYTES
"""Bytes of the longest text that is parsed as a whole. It takes three to four milliseconds, a sixth less than in parts."""
PART_ITEMS = 256
"""Items of a list that are written together."""
_FIRST_ITEM = re.compile(rb"\[\s*\{")
_NEXT_ITEM = re.compile(rb"\}\s*,\s*\{")
_MARK = secrets.token_hex(16)
"""Stands for the items of a list. No API knows it."""


def parse_json(raw: bytes) -> Any:
    """Return the value of JSON text, as `from_json` does. A long list of objects, at the top or in a field there, is parsed in parts.

    Raises:
        ValueError: the text is not JSON in UTF-8, has NaN or an infinity, or is nested too deeply.
    """
    if len(raw) > WHOLE_BYTES and (first := _FIRST_ITEM.search(raw, 0, PART_BYTES)):
        begin, end = first.start() + 1, raw.rfind(b"]")
        try:
            return _put_items(_parse(b'%b"%b"%b' % (raw[:begin], _MARK.encode(), raw[end:])), raw, begin, end)
        except ValueError:
            pass  # the text is not what it seemed, or not JSON
    return _parse(raw)


def _put_items(frame: Any, raw: bytes, begin: int, end: int) -> Any:
    """Return the frame with the items of the text between `begin` and `end` in place of the mark.

    The frame and each part are JSON by themselves, so a parser of the whole text would come to the same places in the same state.

    Raises:
        ValueError: the mark is not where it is expected, or a part is not JSON.
    """
    if frame == [_MARK]:
        return _items(raw, begin, end)
    fields = frame if isinstance(frame, dict) else {}
    name = next((name for name, value in fields.items() if value == [_MARK]), None)
    if name is None:
        raise ValueError
    return {**fields, name: _items(raw, begin, end)}


def _items(raw: bytes, begin: int, end: int) -> list[Any]:
    items: list[Any] = []
    for start, stop in _part_bounds(raw, begin, end):
        items += _parse(b"[%b]" % raw[start:stop])
    return items


def _part_bounds(raw: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each part of a list begins and ends: between two objects, where as many braces are closed as opened.

    Braces in texts count too. They can only delay the end of a part, or make it one that is not JSON.
    """
    start, counted, opened = begin, begin, 0
    while found := _NEXT_ITEM.search(raw, max(counted, start + PART_BYTES), end):
        stop = found.start() + 1
        opened += raw.count(b"{", counted, stop) - raw.count(b"}", counted, stop)
        counted = stop
        if not opened:
            yield start, stop
            start = counted = found.end() - 1
    yield start, end


def _parse(raw: bytes) -> Any:
    # Most values differ, and to look each one up takes a tenth longer.
    return from_json(raw, allow_inf_nan=False, cache_strings="keys")


def encode_large_json(value: Any) -> bytes:
    """Return a JSON value as `encode_json` does. Long lists at the top, or in fields of objects there, are written in parts."""
    if isinstance(value, dict):
        fields = (b"%b:%b" % (encode_json(name), encode_large_json(item)) for name, item in value.items())
        return b"{%b}" % b",".join(fields)
    if isinstance(value, list) and len(value) > PART_ITEMS:
        starts = range(0, len(value), PART_ITEMS)
        return b"[%b]" % b",".join(encode_json(value[start : start + PART_ITEMS])[1:-1] for start in starts)
    return encode_json(value)
