"""A received request: its route, its signature, and the validation of its values against the schema of its operation.

The signature is computed again over the raw bytes. It does not share code with `saasus.signature`, so that a mistake there is found here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.signature import Credentials
from saasus_mcp.sandbox.state import invalid, unauthorized

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
INTEGER = re.compile(r"-?\d{1,19}")
TOLERANCE = 5
"""Minutes by which the caller's clock may be off. The API's own tolerance is not documented."""
HEADER = re.compile(r"SAASUSSIGV1 Sig=([0-9a-f]{64}), ?SaaSID=([^,\s]+), ?APIKey=([^,\s]+)")


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """One untrusted request. `target` is the raw path with its query; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


async def read_request(scope: Scope, receive: Receive) -> IncomingRequest:
    """Return the whole request of an ASGI scope."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    raw = scope.get("raw_path") or str(scope["path"]).encode()
    return IncomingRequest(
        method=str(scope["method"]).upper(),
        path=raw.decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=bytes(body),
        peer=(scope.get("client") or ("127.0.0.1", 0))[0],
    )


def validate_request(
    operation: Operation, segments: tuple[str, ...], incoming: IncomingRequest
) -> Iterator[dict[str, Any]]:
    """Return the values of path, query and body, in the declared types.

    Raises:
        Refusal: a value does not fit; the message names it.
    """
    fields: Mapping[str, Schema] = operation.input_schema.get("properties", {})
    names = re.findall(r"{([^{}]+)}", operation.path)
    path = {name: _typed(fields[name], text) for name, text in zip(names, segments, strict=True)}
    query = _query(operation, fields, incoming.query)
    body = _body(operation, incoming)
    for name in body:
        if name in operation.path_parameters or name in operation.query_parameters or name not in fields:
            raise invalid(f"{name}: there is no such field in the body.")
    try:
        checked = arguments.check_arguments(operation, {**path, **query, **body})
    except InvalidArguments as error:
        raise invalid(str(error.message)) from None
    return ({name: checked[name] for name in values} for values in (path, query, body))


def _query(operation: Operation, fields: Mapping[str, Schema], text: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise invalid("The query string is not UTF-8.") from None
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in operation.query_parameters:
            raise invalid(f"{name}: there is no such query parameter.")
        schema = fields[name]
        if schema.get("type") == "array":
            values.setdefault(name, []).append(_typed(schema["items"], value))
        elif name in values:
            raise invalid(f"{name}: it is given twice.")
        else:
            values[name] = _typed(schema, value)
    return values


def _body(operation: Operation, incoming: IncomingRequest) -> dict[str, Any]:
    if not operation.body:
        if incoming.body:
            raise invalid(f"{operation.method} {operation.path} takes no body.")
        return {}
    if not incoming.body:
        raise invalid("The body is missing.")
    if incoming.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise invalid("Content-Type: expected application/json.")
    try:
        value = json.loads(incoming.body)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise invalid("The body is not an object.")
    return value


def _typed(schema: Schema, text: str) -> Any:
    """Return the text as the declared type, or unchanged if it does not fit, so that validation names the field."""
    kind = schema.get("type")
    if kind == "integer" and INTEGER.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def verify_signature(credentials: Credentials, incoming: IncomingRequest, now: datetime) -> None:
    """Accept a request that these credentials signed within the tolerance. Raise Refusal if the signature does not fit (401)."""
    found = HEADER.fullmatch(incoming.headers.get("authorization", ""))
    if found is None:
        raise unauthorized("The Authorization header is missing or is not a SAASUSSIGV1 signature.")
    signature, saas_id, api_key = found.groups()
    if (saas_id, api_key) != (credentials.saas_id, credentials.api_key):
        raise unauthorized("The SaaS id or the API key is not known.")
    offsets = sorted(range(-TOLERANCE, TOLERANCE + 1), key=abs)
    if not any(hmac.compare_digest(signature, _signature(credentials, incoming, now, offset)) for offset in offsets):
        raise unauthorized("The signature does not match, or its time is too far off.")


def _signature(credentials: Credentials, incoming: IncomingRequest, now: datetime, offset: int) -> str:
    timestamp = (now.astimezone(UTC) + timedelta(minutes=offset)).strftime("%Y%m%d%H%M")
    place = incoming.headers.get("host", "") + incoming.target
    message = (timestamp + credentials.api_key + incoming.method + place).encode("latin-1") + incoming.body
    return hmac.new(credentials.secret_key.encode(), message, hashlib.sha256).hexdigest()


class Routes:
    """All routes. A literal segment, however encoded, wins over a parameter: a user named `count` cannot be read."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._routes: defaultdict[tuple[str, int], list[tuple[Operation, tuple[str, ...]]]] = defaultdict(list)
        for operation in operations:
            template = _segments(operation.path)
            self._routes[operation.method, len(template)].append((operation, template))
        for routes in self._routes.values():
            routes.sort(key=lambda route: [segment.startswith("{") for segment in route[1]])

    def match(self, method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
        """Return the operation of a raw path and its decoded path values, or None without a route, or if a value is no text."""
        raw = _segments(path)
        for operation, template in self._routes.get((method, len(raw)), ()):
            pairs = list(zip(template, raw, strict=True))
            if all(segment if part.startswith("{") else unquote(segment) == part for part, segment in pairs):
                values = (segment for part, segment in pairs if part.startswith("{"))
                try:
                    return operation, tuple(unquote(value, errors="strict") for value in values)
                except UnicodeDecodeError:
                    return None
        return None


def _segments(path: str) -> tuple[str, ...]:
    """Return the raw segments, with dot segments resolved as a proxy may resolve them."""
    kept: list[str] = []
    for segment in path.removeprefix("/").split("/"):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(segment)
    return tuple(kept)
