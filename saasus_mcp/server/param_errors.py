"""Readable errors for invalid `params` of a request, which the SDK reports without details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

MAX_REPORTED = 3
MAX_MEMBER_LENGTH = 64
"""Characters of a member's name that an error repeats."""
SDK_MESSAGE = "Invalid request parameters"
"""The SDK's message for what it refuses before the handshake."""
REASONS = {
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "missing": "is missing",
}
"""By the error type of pydantic, whose own messages may repeat a value."""


def explain_validation_error(error: ValidationError, params: Mapping[str, Any] | None) -> MCPError:
    """Return an error that names the invalid members of `params` and repeats none of their values."""
    faults = dict.fromkeys(_describe(each["loc"], each["type"], params) for each in error.errors(include_url=False))
    return MCPError(INVALID_PARAMS, "; ".join(list(faults)[:MAX_REPORTED]) + ".")


def explain_missing_handshake(error: MCPError) -> MCPError:
    """Return an error that tells what to send first, if the SDK refused a request before the handshake."""
    if error.error.code != INVALID_PARAMS or error.error.message != SDK_MESSAGE:
        return error
    return MCPError(INVALID_PARAMS, "The connection is not initialized. Send `initialize` first.")


def _describe(location: tuple[int | str, ...], kind: str, params: Mapping[str, Any] | None) -> str:
    """Describe one fault. If pydantic tried several forms, their names follow the place in its location."""
    rest = list(location[1:] if location[:1] == ("params",) else location)
    place, value = ["params"], params
    while rest and _has(value, rest[0]):
        value = value[rest[0]]  # type: ignore[index]  # checked by _has
        place.append(str(rest.pop(0))[:MAX_MEMBER_LENGTH])
    if kind == "missing" and len(rest) == 1:
        place.append(str(rest.pop()))
    reason = "has none of the forms defined by MCP" if rest else REASONS.get(kind, "is not valid")
    return f"`{'.'.join(place)}` {reason}"


def _has(value: Any, step: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, Mapping) and step in value
