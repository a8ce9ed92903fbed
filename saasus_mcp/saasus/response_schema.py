"""Step 8 of a call: the API's answer made into what a client gets: secrets hidden, true to the tool's outputSchema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import Schema
from saasus_mcp.saasus.secret_masking import mask_secrets
from saasus_mcp.saasus.secret_names import Hide

MAX_DRIFTS = 8
_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class ShapedResponse:
    """An answer with its secrets hidden.

    Attributes:
        whole: all that the API sent.
        conforming: the part that satisfies the outputSchema; the same object where nothing drifted.
        drift: where the API's answer differs from its documents.
    """

    whole: Any
    conforming: Any
    drift: tuple[str, ...]


@dataclass(slots=True)
class _Drift:
    places: list[str] = field(default_factory=list)

    def note(self, place: str, expected: object, value: Any) -> None:
        if len(self.places) < MAX_DRIFTS:
            self.places.append(f"{place or 'answer'}: expected {expected}, got {_kind(value)}")


def shape_response(operation: Operation, value: Any, hide: Hide) -> ShapedResponse:
    """The answer of one call, shaped.

    Args:
        value: the parsed body, wrapped as the outputSchema wants it.
        hide: called once with each secret; what it gives is shown instead.
    """
    whole, fits = mask_secrets(operation, value, hide)
    if fits:
        return ShapedResponse(whole, whole, ())
    drift = _Drift()
    conforming = _conforming(whole, operation.output_schema, "", drift)
    if not drift.places:
        return ShapedResponse(whole, whole, ())
    return ShapedResponse(whole, {} if conforming is _NOTHING else conforming, tuple(drift.places))


def _conforming(value: Any, schema: Schema, place: str, drift: _Drift) -> Any:
    """The part of the value that satisfies the schema, or _NOTHING; what is left out is noted."""
    if "anyOf" in schema:
        return _either(value, schema["anyOf"], place, drift)
    expected = schema.get("type")
    if expected is not None and not _IS[expected](value):
        drift.note(place, expected, value)
        return _NOTHING
    if "enum" in schema and value not in schema["enum"]:
        drift.note(place, "one of " + ", ".join(map(str, schema["enum"])), value)
        return _NOTHING
    if isinstance(value, dict):
        return _fields(value, schema, place, drift)
    if isinstance(value, list) and "items" in schema:
        items = [_conforming(item, schema["items"], f"{place}[{index}]", drift) for index, item in enumerate(value)]
        return [item for item in items if item is not _NOTHING]
    return value


def _fields(value: dict[str, Any], schema: Schema, place: str, drift: _Drift) -> dict[str, Any]:
    """The fields of an object that satisfy what the schema declares of them, and those of which it declares nothing."""
    declared, other = schema.get("properties", {}), schema.get("additionalProperties")
    kept = {}
    for name, item in value.items():
        below = declared.get(name, other)
        part = item
        if isinstance(below, dict) and not _sure(item, below):
            part = _conforming(item, below, f"{place}.{name}" if place else name, drift)
        if part is not _NOTHING:
            kept[name] = part
    return kept


def _sure(item: Any, schema: Schema) -> bool:
    """Whether no closer look is needed: so it is for most of what an answer holds."""
    return type(item) is _EXACT.get(schema.get("type")) and "enum" not in schema and "anyOf" not in schema


def _either(value: Any, branches: list[Schema], place: str, drift: _Drift) -> Any:
    """The value by the first branch that it fits whole, else by the first that is not null."""
    for branch in branches:
        tried = _Drift()
        part = _conforming(value, branch, place, tried)
        if not tried.places:
            return part
    main = next((branch for branch in branches if branch.get("type") != "null"), branches[0])
    return _conforming(value, main, place, drift)


def _whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


_IS: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _whole,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


_EXACT: dict[Any, type] = {"string": str, "boolean": bool, "integer": int}


def _kind(value: Any) -> str:
    return next(name for name in ("null", "boolean", "string", "object", "array", "number") if _IS[name](value))
