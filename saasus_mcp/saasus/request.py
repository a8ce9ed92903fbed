"""Step 3 of a call: build the one request that an operation and its arguments stand for. Sends nothing."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, replace
from urllib.parse import quote

from saasus_mcp.catalog.model import Method, Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.saasus.arguments import Arguments

MAX_TARGET_LENGTH = 16_000
"""Longer than any id or name. Servers and proxies refuse a URL at about half of it."""
_PATH_SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request without its host: method, path and query exactly as they are signed and sent, and the body's bytes."""

    operation: str
    method: Method
    target: str
    body: bytes | None

    def digest(self) -> str:
        """Return the SHA-256 over operation, method, target and body. A person's consent is bound to it."""
        parts = (self.operation.encode(), self.method.encode(), self.target.encode(), self.body or b"")
        joined = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hashlib.sha256(joined).hexdigest()

    def canonical(self) -> ApiRequest:
        """Return the request with the fields of its body in the order of their names."""
        if self.body is None:
            return self
        fields = json.dumps(json.loads(self.body), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return replace(self, body=fields.encode())


def build_request(operation: Operation, arguments: Arguments) -> ApiRequest:
    """Return the request of a call.

    Each path value becomes one percent-encoded segment. A list in the query repeats its key.

    Raises:
        InvalidArguments: a path value or a required query value is empty, or a path value is a dot segment, contains
            control characters, or would make the request match another operation's route.
    """
    for name in operation.path_parameters:
        _check_path_value(name, str(arguments[name]))
    for name in operation.query_parameters:
        if name in operation.input_schema.get("required", ()):
            items = _items(arguments[name])
            if not items or not all(str(item).strip() for item in items):
                raise InvalidArguments.at((name,), "arguments.empty_query")
    _check_route(operation, arguments)
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace("{" + name + "}", _encode(arguments[name]))
    given = (name for name in operation.query_parameters if name in arguments)
    pairs = [f"{_encode(name)}={_encode(item)}" for name in given for item in _items(arguments[name])]
    query = "?" + "&".join(pairs) if pairs else ""
    if len(path + query) > MAX_TARGET_LENGTH:
        longest = max(operation.addressing, key=lambda name: len(str(arguments.get(name))))
        raise InvalidArguments.at((longest,), "arguments.url_too_long", limit=MAX_TARGET_LENGTH)
    return ApiRequest(operation.key, operation.method, path + query, _body(operation, arguments))


def _check_path_value(name: str, value: str) -> None:
    if not value.strip():
        raise InvalidArguments.at((name,), "arguments.empty")
    if any(part in (".", "..") for part in _PATH_SEPARATORS.split(value)):
        raise InvalidArguments((name,), message("arguments.dot_segment"), message("arguments.itself_hint"))
    if not value.isprintable() and any(unicodedata.category(character) == "Cc" for character in value):
        raise InvalidArguments((name,), message("arguments.control_character"), message("arguments.itself_hint"))


def _check_route(operation: Operation, arguments: Arguments) -> None:
    for collision in operation.ambiguous:
        if all(str(arguments[name]) == literal for name, literal in collision.items()):
            name, literal = next(iter(collision.items()))
            raise InvalidArguments.at((name,), "arguments.other_route", value=repr(literal))


def _encode(value: object) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return quote(text, safe="")


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _body(operation: Operation, arguments: Arguments) -> bytes | None:
    if not operation.body:
        return None
    fields = {name: value for name, value in arguments.items() if name not in operation.addressing}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
