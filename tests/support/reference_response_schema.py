"""A slow and simple version of `saasus.response_schema`, as an oracle."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.saasus.response_schema import MAX_DRIFTS, ShapedResponse
from saasus_mcp.saasus.secret_names import is_revealing, scrub_text
from saasus_mcp.saasus.secret_paths import REMOVED, Hide, compile_mask, hide_all_values

GONE: Any = object()
KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


def shape_response(operation: Operation, value: Any, hide: Hide) -> ShapedResponse:
    """Return the answer as it must be shaped."""
    names = {path.rsplit(".", 1)[-1].rstrip("[]{}") for path in operation.secret_outputs}
    marks = (compile_mask(operation.secret_outputs) or None, compile_mask(operation.scrubbed_outputs) or None)
    whole = _hidden(value, operation.output_schema, marks, names, hide)
    drift: list[str] = []
    conforming = _conforming(whole, operation.output_schema, "", drift)
    return ShapedResponse(whole, {} if conforming is GONE else conforming, tuple(drift[:MAX_DRIFTS]))


def _hidden(value: Any, schema: Any, marks: tuple[Any, Any], names: set[str], hide: Hide) -> Any:
    """Hide marked values. `marks` has the paths of secrets and of logs below this value; an empty path is the value itself."""

    def below(step: str) -> tuple[Any, Any]:
        return (marks[0] or {}).get(step), (marks[1] or {}).get(step)

    def field(name: str, item: Any) -> Any:
        for known, step in ((schema.get("properties", {}).get(name), name), (schema.get("additionalProperties"), "{}")):
            if isinstance(known, dict):
                return _hidden(item, known, below(step), names, hide)
        if name in names or is_revealing(name):
            return hide_all_values(item, lambda _: REMOVED)
        return _hidden(item, {}, (None, None), names, hide)

    if marks[0] == {}:
        return hide_all_values(value, hide)
    if isinstance(value, str) and (marks[1] == {} or not schema):
        return scrub_text(value)
    if isinstance(value, dict):
        return {name: field(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, schema.get("items", {}), below("[]"), names, hide) for item in value]
    return value


def _conforming(value: Any, schema: Any, place: str, drift: list[str]) -> Any:
    if "anyOf" in schema:
        return _either(value, schema["anyOf"], place, drift)
    told = f"{place or 'answer'}: expected {{}}, got {_kind(value)}"
    if not _is(value, schema.get("type")):
        drift.append(told.format(schema["type"]))
        return GONE
    if "enum" in schema and value not in schema["enum"]:
        drift.append(told.format("one of " + ", ".join(schema["enum"])))
        return GONE
    if isinstance(value, dict):
        other = schema.get("additionalProperties", {})
        fields = {
            name: _conforming(
                item, schema.get("properties", {}).get(name, other), f"{place}.{name}" if place else name, drift
            )
            for name, item in value.items()
        }
        return {name: item for name, item in fields.items() if item is not GONE}
    if isinstance(value, list):
        below = schema.get("items", {})
        items = [_conforming(item, below, f"{place}[{index}]", drift) for index, item in enumerate(value)]
        return [item for item in items if item is not GONE]
    return value


def _either(value: Any, branches: list[Any], place: str, drift: list[str]) -> Any:
    for branch in branches:
        tried: list[str] = []
        part = _conforming(value, branch, place, tried)
        if not tried:
            return part
    return _conforming(value, next(each for each in branches if each["type"] != "null"), place, drift)


def _is(value: Any, kind: str | None) -> bool:
    if kind == "integer":
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    return kind in (None, _kind(value))


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "null")
