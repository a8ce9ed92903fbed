"""Write JSON without spaces and unneeded escapes."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json


def encode_json(value: Any) -> bytes:
    """Return a JSON value as UTF-8. Four times as fast as the encoder of Python."""
    try:
        return to_json(value)
    except PydanticSerializationError:  # of a lone surrogate, which UTF-8 does not have
        return json.dumps(value, separators=(",", ":")).encode()


def compact_json(value: Any) -> str:
    """Return a JSON value as text. Spaces and escapes would cost tokens."""
    return encode_json(value).decode()
