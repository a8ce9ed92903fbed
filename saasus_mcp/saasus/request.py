"""Step 3 of a call: a pure function from an operation and its arguments to the one request they mean."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from saasus_mcp.catalog.model import Method, Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.saasus.arguments import Arguments

MAX_TARGET_LENGTH = 16_000
"""Longer than any id or name; servers and proxies on the way give up at about half of it."""
SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request, host left out: method, path and query exactly as they are signed and sent, and the body's bytes."""

    operation: str
    method: Method
    target: str
    body: bytes | None

    def digest(self) -> str:
        """What a person's yes is bound to: SHA-256 over operation, method, target and body."""
        parts = (self.operation.encode(), self.method.encode(), self.target.encode(), self.body or b"")
        joined = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hashlib.sha256(joined).hexdigest()


def build_request(operation: Operation, arguments: Arguments) -> ApiRequest:
    """The request of a call. Reads nothing and sends nothing.

    Every path value becomes one percent-encoded segment; array queries repeat the key.

    Raises:
        InvalidArguments: a path value or a required query value is empty, or a path value is a dot segment, holds control characters, or would make the request
            match another operation's route.
    """
    values = arguments.values
    for name in operation.path_parameters:
        _guard(name, str(values[name]))
    for name in operation.query_parameters:
        if name in operation.input_schema.get("required", ()):
            _guard_query(name, values[name])
    _guard_route(operation, values)
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace("{" + name + "}", _encoded(values[name]))
    pairs = [pair for name in operation.query_parameters if name in values for pair in _pairs(name, values[name])]
    query = "?" + "&".join(pairs) if pairs else ""
    if len(path + query) > MAX_TARGET_LENGTH:
        longest = max(
            (*operation.path_parameters, *operation.query_parameters), key=lambda name: len(str(values.get(name)))
        )
        raise InvalidArguments(
            (longest,), f"it makes the URL longer than {MAX_TARGET_LENGTH} characters.", "Use a shorter value."
        )
    return ApiRequest(operation.key, operation.method, path + query, _body(operation, values))


def _guard(name: str, value: str) -> None:
    if not value.strip():
        raise InvalidArguments((name,), "must not be empty.", "Give the id or name.")
    if any(part in (".", "..") for part in SEPARATORS.split(value)):
        raise InvalidArguments((name,), "dot segments are not allowed.", "Give the id or name itself.")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise InvalidArguments((name,), "control characters are not allowed.", "Give the id or name itself.")


def _guard_query(name: str, value: object) -> None:
    items = value if isinstance(value, list) else [value]
    if not items or not all(str(item).strip() for item in items):
        raise InvalidArguments((name,), "required, but empty.", "Give a value.")


def _guard_route(operation: Operation, values: Mapping[str, Any]) -> None:
    for collision in operation.ambiguous:
        if all(str(values[name]) == literal for name, literal in collision.items()):
            name, literal = next(iter(collision.items()))
            raise InvalidArguments(
                (name,), f"{literal!r} would reach another operation of the API.", "It cannot be an id."
            )


def _encoded(value: object) -> str:
    return quote(_text(value), safe="")


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _pairs(name: str, value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [f"{_encoded(name)}={_encoded(item)}" for item in items]


def _body(operation: Operation, values: Mapping[str, Any]) -> bytes | None:
    if not operation.body:
        return None
    parameters = {*operation.path_parameters, *operation.query_parameters}
    fields = {name: value for name, value in values.items() if name not in parameters}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
