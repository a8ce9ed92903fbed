"""Arguments for any operation, made from its own schema: complete, the least that will do, and ever so slightly other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saasus_mcp.catalog import Operation
from tests.support import sample


def shapes(operation: Operation) -> tuple[str, ...]:
    """The bodies an operation can carry, by name; one without a name where there is no choice."""
    return tuple(operation.variants[1]) if operation.variants else ("",)


def complete(operation: Operation, shape: str = "") -> dict[str, Any]:
    """Every argument the operation takes."""
    return _trimmed(operation, {name: sample(field) for name, field in _fields(operation, shape).items()})


def minimal(operation: Operation, shape: str = "") -> dict[str, Any]:
    """Nothing but what the operation insists on, all the way down."""
    fields, wanted = _fields(operation, shape), _required(operation, shape)
    values = {name: _least(field) for name, field in fields.items() if name in wanted}
    for names in operation.exactly_one:
        values.setdefault(names[0], sample(fields[names[0]]))
    return values


def altered(operation: Operation, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The arguments with one of them changed, each in its turn, all still of the right type."""
    for name, value in arguments.items():
        schema = operation.input_schema["properties"][name]
        if "enum" in schema or schema.get("format"):
            continue
        other = _other(value)
        if other != value:
            yield {**arguments, name: other}


def _fields(operation: Operation, shape: str) -> dict[str, Any]:
    own: dict[str, Any] = operation.input_schema.get("properties", {})
    if operation.variants is None:
        return own
    body: dict[str, Any] = operation.variants[1][shape or shapes(operation)[0]]["properties"]
    return {name: own[name] for name in (*operation.path_parameters, *operation.query_parameters)} | body


def _required(operation: Operation, shape: str) -> set[str]:
    wanted = set(operation.input_schema.get("required", ()))
    if operation.variants is None:
        return wanted
    return wanted | set(operation.variants[1][shape or shapes(operation)[0]]["required"])


def _trimmed(operation: Operation, values: dict[str, Any]) -> dict[str, Any]:
    left_out = {name for names in operation.exactly_one for name in names[1:]}
    return {name: value for name, value in values.items() if name not in left_out}


def _least(schema: dict[str, Any]) -> Any:
    if "properties" in schema:
        return {name: _least(schema["properties"][name]) for name in schema.get("required", ())}
    if schema.get("type") == "object":
        return {}
    return [] if schema.get("type") == "array" else sample(schema)


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case list():
            return [*value, *value]
        case dict():
            return {name: _other(item) for name, item in value.items()}
        case _:
            return value
