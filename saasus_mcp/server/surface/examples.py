"""One call of an operation as it could look: valid, the least that does something, and plainly made up."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import Schema

EXAMPLE_EPOCH = 1_767_225_600
"""2026-01-01T00:00:00Z."""
EXAMPLE_IMAGE = "data:image/png;base64,iVBORw0KGgo="


def required_arguments(operation: Operation) -> list[str]:
    """The arguments that a call must have; `a|b` where it has exactly one of them."""
    wanted: list[str] = list(operation.input_schema.get("required", ()))
    return wanted + ["|".join(names) for names in operation.exactly_one]


def example_arguments(operation: Operation) -> dict[str, Any]:
    """Arguments that the operation accepts. What only a caller can know stands as `<name>`."""
    fields: dict[str, Schema] = operation.input_schema.get("properties", {})
    names = [name.split("|")[0] for name in required_arguments(operation)]
    values = {}
    if operation.variants is not None:
        tag, shapes = operation.variants
        shape, body = next(iter(shapes.items()))
        names += [name for name in body.get("required", ()) if name not in names]
        values[tag] = shape
    in_path = {*operation.path_parameters, *operation.query_parameters}
    if operation.body and in_path.issuperset(names):
        names += [name for name in fields if name not in in_path][:1]
    return {name: _value(name, name, fields[name], operation) for name in names} | values


def _value(name: str, path: str, schema: Schema, operation: Operation) -> Any:
    """A value for a field; `path` is where its whole description stands."""
    said = operation.input_texts.get(path, "")
    known = schema.get("examples") or schema.get("enum")
    if known:
        return known[0]
    match schema["type"]:
        case "object":
            below: dict[str, Schema] = schema.get("properties", {})
            return {key: _value(key, f"{path}.{key}", below[key], operation) for key in schema.get("required", ())}
        case "array":
            return [_value(name, f"{path}[]", schema["items"], operation)]
        case "boolean":
            return False
        case "string":
            return _text(name, said, schema)
    return EXAMPLE_EPOCH if "epoch seconds" in said else max(1, schema.get("minimum", 1))


def _text(name: str, said: str, schema: Schema) -> str:
    if "YYYY-MM-DD" in said or schema.get("format") == "date":
        return "2026-01-31"
    if "data URL" in schema.get("description", ""):
        return EXAMPLE_IMAGE
    return "2026-01" if "YYYY-MM" in said else f"<{name}>"
