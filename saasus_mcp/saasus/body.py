"""The JSON of an answer, read so that whatever it holds can be carried on: to a model, a log, another JSON."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from saasus_mcp.saasus.words import MARK

DEEPEST = 100
SUSPECT = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)|\xed[\xa0-\xbf]|\0|[0-9][eE][+]?[0-9]{3}|[0-9]{100}")
"""How a half character, a NUL or a number beyond JSON is written, in UTF-8 or, by its NULs, another encoding. Few bodies have
any of it, and a large one is then read three times as fast."""


def read(raw: bytes) -> Any:
    """The value in a body. Half characters are replaced; numbers that JSON cannot write become text.

    Raises:
        ValueError: it is not JSON, or nested too deeply to be an answer.
    """
    try:
        value = json.loads(raw, parse_constant=_refuse)
        if SUSPECT.search(raw) is not None:
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
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot carry, and NUL, at which expressions stop, replaced."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", MARK)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
