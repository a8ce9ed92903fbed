"""Whether the fields that an expression selects exist: its plain paths, walked along the schemas of the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]

TEXT = re.compile(r'"[^"]*"')
CHAIN = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*(?![\w(])|\[[^\[\]]*\])*)")
STEP = re.compile(r"\.(\w+)|\[")
MACRO = re.compile(r"\.(?:filter|map|exists|all|exists_one)\(\s*(\w+)\s*,")
ANYTHING: Schema = {}


def missing_fields(expression: str, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """The selections in an expression that the schemas of its names do not have."""
    known = dict(schemas)
    text = TEXT.sub('""', expression)
    for chain in CHAIN.finditer(text):
        if chain[1] not in known:
            continue
        found = known[chain[1]]
        for step in STEP.finditer(chain[2]):
            below = _below(found, step[1])
            if below is None:
                yield chain[1] + chain[2]
                found = ANYTHING
                break
            found = below
        macro = MACRO.match(text, chain.end())
        if macro:
            known[macro[1]] = _items(found)


def absent_field(path: str, schema: Schema) -> bool:
    """Whether a dotted path through objects and arrays leads nowhere."""
    found = schema
    for step in path.split("."):
        found = merge_branches(found)
        below = _below(found["items"] if found.get("type") == "array" else found, step)
        if below is None:
            return True
        found = below
    return False


def merge_branches(schema: Schema) -> Schema:
    """The schema, or where it may be null what it is otherwise."""
    branches = [branch for branch in schema.get("anyOf", ()) if branch.get("type") != "null"]
    return branches[0] if branches else schema


def _below(schema: Schema, step: str | None) -> Schema | None:
    """The schema of a field, or of an item where no step is named; None where there is no such field."""
    schema = merge_branches(schema)
    if not schema:
        return ANYTHING
    if step is None:
        return _items(schema)
    if step in schema.get("properties", {}):
        below: Schema = schema["properties"][step]
        return below
    other = schema.get("additionalProperties")
    if schema.get("type") == "object" and (isinstance(other, dict) or other is True):
        return other if isinstance(other, dict) else ANYTHING
    return None


def _items(schema: Schema) -> Schema:
    """What a comprehension over it walks: the items of an array; the keys of a map are not looked into."""
    items: Schema = merge_branches(schema).get("items", ANYTHING)
    return items
