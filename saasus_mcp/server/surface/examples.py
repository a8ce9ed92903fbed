"""An example call of an operation: valid, minimal, with invented values."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import Schema

EXAMPLE_IMAGE = "data:image/png;base64,iVBORw0KGgo="


def required_arguments(operation: Operation) -> list[str]:
    """Return the required arguments. `a|b` stands for exactly one of the two."""
    names: list[str] = list(operation.input_schema.get("required", ()))
    return names + ["|".join(each) for each in operation.exactly_one]


def example_arguments(operation: Operation) -> dict[str, Any]:
    """Return arguments that the operation accepts. `<name>` stands for a value that only the caller knows."""
    fields: dict[str, Schema] = operation.input_schema.get("properties", {})
    names = [name.split("|")[0] for name in required_arguments(operation)]
    requirements = operation.effects.requires
    names += [name for each in requirements for name in each.example if f"has(args.{name})" in each.that]
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
    """Return a value for a field. `path` is the path of its description in the catalogue."""
    description = operation.input_texts.get(path, "")
    whole = path.removesuffix("[]")  # of a list, the example is an item
    examples = () if schema["type"] == "array" else operation.effects.requires
    required = [each.example[whole] for each in examples if whole in each.example]
    given = required or schema.get("examples") or schema.get("enum")
    if given:
        return given[0]
    match schema["type"]:
        case "object":
            fields: dict[str, Schema] = schema.get("properties", {})
            return {key: _value(key, f"{path}.{key}", fields[key], operation) for key in schema.get("required", ())}
        case "array":
            return [_value(name, f"{path}[]", schema["items"], operation)]
        case "boolean":
            return False
        case "string":
            return _text(name, description, schema)
    return max(1, schema.get("minimum", 1))


def _text(name: str, description: str, schema: Schema) -> str:
    if "YYYY-MM-DD" in description or schema.get("format") == "date":
        return "2026-01-31"
    if "data URL" in schema.get("description", ""):
        return EXAMPLE_IMAGE
    if "YYYY-MM" in description:
        return "2026-01"
    return f"<{name}>"
