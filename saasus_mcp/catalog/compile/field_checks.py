"""Check that the fields which a CEL expression selects exist in the schemas of the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from saasus_mcp.common.json_path import Schema, main_branch

_TEXT = re.compile(r'"[^"]*"')
_SELECTION = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*(?![\w(])|\[[^\[\]]*\])*)")
_STEP = re.compile(r"\.(\w+)|\[")
_MACRO = re.compile(r"\.(?:filter|map|exists|all|exists_one)\(\s*(\w+)\s*,")
_ANYTHING: Schema = {}


def missing_fields(expression: str, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Yield the selections in an expression that its variables' schemas do not contain."""
    variables = dict(schemas)
    text = _TEXT.sub('""', expression)
    for selection in _SELECTION.finditer(text):
        if selection[1] not in variables:
            continue
        schema = variables[selection[1]]
        for step in _STEP.finditer(selection[2]):
            inner = _step_into(schema, step[1])
            if inner is None:
                yield selection[1] + selection[2]
                schema = _ANYTHING
                break
            schema = inner
        macro = _MACRO.match(text, selection.end())
        if macro:
            variables[macro[1]] = _items(schema)


def absent_field(path: str, schema: Schema) -> bool:
    """Return whether a dotted path through objects and arrays selects no field."""
    found = schema
    for step in path.split("."):
        found = main_branch(found)
        inner = _step_into(found["items"] if found.get("type") == "array" else found, step)
        if inner is None:
            return True
        found = inner
    return False


def _step_into(schema: Schema, step: str | None) -> Schema | None:
    """Return the schema of a field, or of an item if `step` is None. Return None for a missing field."""
    schema = main_branch(schema)
    if not schema:
        return _ANYTHING
    if step is None:
        return _items(schema)
    if step in schema.get("properties", {}):
        inner: Schema = schema["properties"][step]
        return inner
    other = schema.get("additionalProperties")
    if schema.get("type") == "object" and (isinstance(other, dict) or other is True):
        return other if isinstance(other, dict) else _ANYTHING
    return None


def _items(schema: Schema) -> Schema:
    """Return the schema of the items that a comprehension iterates over. Keys of a map are not checked."""
    items: Schema = main_branch(schema).get("items", _ANYTHING)
    return items
