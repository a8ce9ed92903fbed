"""Step 8 of a call: hide the secrets of an answer and reduce it to the part that satisfies the tool's outputSchema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_columns import NO_COLUMNS, Columns
from saasus_mcp.common.json_path import JSON_TYPES, Schema, main_branch
from saasus_mcp.saasus.secret_masking import mask_secrets
from saasus_mcp.saasus.secret_paths import Hide

MAX_DRIFTS = 8
_NOTHING: Any = object()


class ShapedResponse(NamedTuple):
    """An answer with its secrets hidden.

    Attributes:
        whole: everything that the API sent.
        conforming: the part that satisfies the outputSchema. The same object if all of it does.
        drift: the differences between the answer and the API's documents.
    """

    whole: Any
    conforming: Any
    drift: tuple[str, ...]


@dataclass(slots=True)
class _Drift:
    differences: list[str] = field(default_factory=list)

    def add(self, path: str, expected: object, value: Any) -> None:
        if len(self.differences) < MAX_DRIFTS:
            self.differences.append(f"{path or 'answer'}: expected {expected}, got {_type_name(value)}")


def shape_response(
    operation: Operation, value: Any, hide: Hide, columns: Mapping[int, Columns] = NO_COLUMNS
) -> ShapedResponse:
    """Return the answer of a call with secrets hidden, whole and reduced.

    Args:
        value: the parsed body, wrapped as the outputSchema requires.
        hide: called once with each secret. Its result is shown instead.
        columns: lists of the value whose items were already looked at together, by identity.
    """
    whole, conforms = mask_secrets(operation, value, hide, columns)
    if conforms:
        return ShapedResponse(whole, whole, ())
    drift = _Drift()
    conforming = _conforming(whole, operation.output_schema, "", drift)
    if not drift.differences:
        return ShapedResponse(whole, whole, ())
    return ShapedResponse(whole, {} if conforming is _NOTHING else conforming, tuple(drift.differences))


def _conforming(value: Any, schema: Schema, path: str, drift: _Drift) -> Any:
    """Return the part of the value that satisfies the schema, or _NOTHING. Record the rest as drift."""
    if "anyOf" in schema:
        return _conforming_branch(value, schema, path, drift)
    expected = schema.get("type")
    if expected is not None and not _has_type(value, expected):
        drift.add(path, expected, value)
        return _NOTHING
    if "enum" in schema and value not in schema["enum"]:
        drift.add(path, "one of " + ", ".join(map(str, schema["enum"])), value)
        return _NOTHING
    if isinstance(value, dict):
        return _conforming_fields(value, schema, path, drift)
    if isinstance(value, list) and "items" in schema:
        items = [_conforming(item, schema["items"], f"{path}[{index}]", drift) for index, item in enumerate(value)]
        return [item for item in items if item is not _NOTHING]
    return value


def _conforming_fields(value: dict[str, Any], schema: Schema, path: str, drift: _Drift) -> dict[str, Any]:
    """Return the fields of an object that satisfy their schemas, and those without a schema."""
    declared, other = schema.get("properties", {}), schema.get("additionalProperties")
    fields = {}
    for name, item in value.items():
        inner = declared.get(name, other)
        part = item
        if isinstance(inner, dict) and not _surely_conforms(item, inner):
            part = _conforming(item, inner, f"{path}.{name}" if path else name, drift)
        if part is not _NOTHING:
            fields[name] = part
    return fields


def _surely_conforms(item: Any, schema: Schema) -> bool:
    """Return True for most values of an answer, which saves a closer look."""
    return type(item) is _EXACT_TYPES.get(schema.get("type")) and "enum" not in schema and "anyOf" not in schema


def _conforming_branch(value: Any, schema: Schema, path: str, drift: _Drift) -> Any:
    """Reduce the value by the first branch that all of it satisfies, or by the first that is not null."""
    for branch in schema["anyOf"]:
        attempt = _Drift()
        part = _conforming(value, branch, path, attempt)
        if not attempt.differences:
            return part
    return _conforming(value, main_branch(schema), path, drift)


def _has_type(value: Any, name: str) -> bool:
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return type(value) in JSON_TYPES[name]


def _type_name(value: Any) -> str:
    names = ("null", "boolean", "string", "object", "array", "number")
    return next(name for name in names if _has_type(value, name))


_EXACT_TYPES: dict[Any, type] = {"string": str, "boolean": bool, "integer": int}
