"""The JSON of an answer, read so that whatever it holds can be carried on: to a model, a log, another JSON."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from saasus_mcp.common.text import MARK

MAX_DEPTH = 100
_HALVES = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_HOLDERS = (dict, list)


def parse_body(raw: bytes) -> Any:
    """The value in a body. Half characters are replaced; numbers that JSON cannot write become text.

    Raises:
        ValueError: it is not JSON, or nested too deeply to be an answer.
    """
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
        if _suspect(raw):
            return _carriable(value, 0)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    check_depth(value)
    return value


def _suspect(raw: bytes) -> bool:
    """Whether half characters or NULs may be in a body, escaped, in UTF-8 or, by its NULs, in another encoding.

    One without them need not be made anew, which takes longer than to read it.
    """
    return b"\0" in raw or b"\xed" in raw or _HALVES.search(raw) is not None


def check_depth(value: Any) -> None:
    """See that a value is not nested too deeply: level by level, what holds something.

    Raises:
        ValueError: it is.
    """
    level = [value] if isinstance(value, _HOLDERS) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if item and isinstance(item, _HOLDERS)
        ]
    if level:
        raise ValueError("nested too deeply")


def _carriable(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
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
