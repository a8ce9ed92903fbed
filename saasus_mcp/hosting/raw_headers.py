"""Headers of a request as the server received them: names in lower case, without an object for each look-up."""

from __future__ import annotations

from starlette.types import Scope


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return the values of a header, in their order."""
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


def decode_headers(scope: Scope) -> dict[str, str]:
    """Return the headers by name: of one that is sent twice, the last value."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def has_header(scope: Scope, names: frozenset[bytes]) -> bool:
    """Return whether a request has one of these headers."""
    return not names.isdisjoint([name for name, _ in scope["headers"]])
