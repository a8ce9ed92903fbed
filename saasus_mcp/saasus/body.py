"""The JSON of an answer, read so that whatever it holds can be carried on: to a model, a log, another JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from saasus_mcp.saasus.words import MARK

DEEPEST = 100
SUSPECT = (b"\\u", b"\xed", b"\0")
"""What half characters and NULs are written with, in UTF-8 or, by its NULs, another encoding. A body without them is read
twice as fast."""


def read(raw: bytes) -> Any:
    """The value in a body. Half characters are replaced; numbers that JSON cannot write become text.

    Raises:
        ValueError: it is not JSON, or nested too deeply to be an answer.
    """
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
        if any(mark in raw for mark in SUSPECT):
            return _carriable(value, 0)
        _bounded(value, 0)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _bounded(value: Any, depth: int) -> None:
    """See that a value is not nested too deeply."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if items and depth >= DEEPEST:
        raise ValueError("nested too deeply")
    for item in items:
        if isinstance(item, dict | list):
            _bounded(item, depth + 1)


def _carriable(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {_whole(name): _carriable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_carriable(item, depth + 1) for item in value]
    return _whole(value) if isinstance(value, str) else value


def _finite(text: str) -> float | str:
    """The number, as text where it is larger than numbers are."""
    number = float(text)
    return number if math.isfinite(number) else repr(number)


def _whole(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot carry, and NUL, at which expressions stop, replaced."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", MARK)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
