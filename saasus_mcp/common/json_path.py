"""Paths into JSON values and schemas, and the error that names a path."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Self

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, Parameter, message

Schema = dict[str, Any]
JsonPath = tuple[str | int, ...]
JSON_TYPES: Mapping[object, frozenset[type]] = {
    "object": frozenset({dict}),
    "array": frozenset({list}),
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "null": frozenset({NoneType}),
}
"""The Python types of each type of JSON Schema. 3.0 is a number here, and no integer."""
MAX_NAME_LENGTH = 80
"""Characters of a field name in an error. A client can send names of any length."""


def format_path(path: JsonPath) -> str:
    """Return the path as a caller writes it: `("tiers", 0, "up_to")` is `tiers[0].up_to`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if len(step) <= MAX_NAME_LENGTH else step[:MAX_NAME_LENGTH] + "…"
            text += f".{name}" if text else name
    return text.encode("utf-8", "replace").decode("utf-8")


def format_schema_path(path: JsonPath, schema: Schema) -> str:
    """Return the path as the catalogue writes it: `envs[].id`, and `attributes{}` for any key of a map."""
    text = ""
    node = schema
    for step in path:
        if isinstance(step, int):
            text, node = text + "[]", node.get("items", {})
        elif step in node.get("properties", {}):
            text, node = f"{text}.{step}" if text else step, node["properties"][step]
        else:
            other = node.get("additionalProperties", {})
            text, node = text + "{}", other if isinstance(other, dict) else {}
        node = main_branch(node)
    return text


def value_at(value: Any, path: str) -> Any:
    """Return the value at a dotted path, such as `id` or `units.0.id`; None without one."""
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def main_branch(schema: Schema) -> Schema:
    """Return the first branch of an `anyOf` that is not null, or the schema itself without `anyOf`."""
    branches: list[Schema] = schema.get("anyOf") or [schema]
    return next((branch for branch in branches if branch.get("type") != "null"), branches[0])


class InvalidArguments(SaasusMcpError):
    """A value is wrong, and nothing was sent.

    Attributes:
        field: the path of the value as the caller wrote it (`tiers[0].up_to`), or empty.
        fault: what is wrong with it; `message` names the field, too.
    """

    def __init__(self, path: JsonPath, fault: Message, hint: Message | None = None) -> None:
        self.field = format_path(path)
        self.fault = fault
        super().__init__(message("arguments.at", field=self.field, fault=fault) if self.field else fault, hint)

    @classmethod
    def at(cls, path: JsonPath, id: str, /, **params: Parameter) -> Self:
        """Return the error at a path with the fault `id` and the hint `<id>_hint`, which has no parameters."""
        return cls(path, message(id, **params), message(f"{id}_hint"))
