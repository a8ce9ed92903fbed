"""Convert OpenAPI schemas to a tool's inputSchema and outputSchema, and extract what these cannot express.

A tool's schema suits every client: references are inlined, the root is `type: object` without composition, each node has
one scalar `type`, a meaningful null is a nested `anyOf`, and descriptions are replaced by hints. Variants of a body,
one-of-two arguments and secrets are stored separately in the operation's row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from saasus_mcp.catalog.openapi_summary import SchemaNode

_ARGUMENT_KEYS = ("type", "const", "enum", "format", "contentEncoding", "minimum", "maximum", "minLength", "maxLength", "pattern",
        "minItems", "maxItems")  # fmt: skip
_ANSWER_KEYS = ("type", "const", "enum")
"""Answers have no bounds or formats: a client that enforces them would fail after the action was done."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INT64 = "int64"
"""A format without meaning in JSON Schema, whose integers have no size. saasus.argument_values enforces it."""


def tool_schema(node: SchemaNode, *, answer: bool) -> SchemaNode:
    """Return the schema for clients: types, enums and bounds, with hints and an example for arguments."""
    node = merge_schemas(node)
    if "anyOf" in node:
        out: SchemaNode = {"anyOf": [tool_schema(branch, answer=answer) for branch in node["anyOf"]]}
    else:
        keys = _ANSWER_KEYS if answer else _ARGUMENT_KEYS
        out = {key: node[key] for key in keys if key in node and node[key] != _INT64}
    if not answer:
        out |= _help(node)
    if "properties" in node:
        out["properties"] = {name: tool_schema(value, answer=answer) for name, value in node["properties"].items()}
    if node.get("required") and not answer:
        out["required"] = list(node["required"])
    if "items" in node:
        out["items"] = tool_schema(node["items"], answer=answer)
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = tool_schema(node["additionalProperties"], answer=answer)
    return out


def _help(node: SchemaNode) -> SchemaNode:
    """Return a hint for an argument, or an example if it has no hint and no enum and the example is not an id."""
    if "x-hint" in node:
        return {"description": node["x-hint"]}
    example = next(iter(node.get("examples", ())), None)
    is_useful = isinstance(example, str) and "enum" not in node and not _UUID.fullmatch(example)
    return {"examples": [example]} if is_useful else {}


def merge_schemas(node: SchemaNode) -> SchemaNode:
    """Merge a discriminated `oneOf` into one object with the fields of every variant.

    The discriminator becomes an enum. Fields that all variants require are required. Other nodes are returned without
    `oneOf`.
    """
    if "oneOf" not in node:
        return node
    rest = {key: value for key, value in node.items() if key not in ("oneOf", "discriminator")}
    if "discriminator" not in node:
        return rest
    tag = node["discriminator"]["propertyName"]
    fields: SchemaNode = {}
    for variant in node["oneOf"]:
        for name, value in variant["properties"].items():
            fields.setdefault(name, value)
    tags = [variant["properties"][tag]["const"] for variant in node["oneOf"]]
    tag_schema = {key: value for key, value in fields[tag].items() if key not in ("const", "x-repair", "description")}
    descriptions = "; ".join(
        f"{value}: {variant.get('description', '')}" for value, variant in zip(tags, node["oneOf"], strict=True)
    )
    fields[tag] = {**tag_schema, "enum": tags, "description": descriptions}
    common = [name for name in fields if all(name in variant.get("required", ()) for variant in node["oneOf"])]
    ordered = {tag: fields.pop(tag), **fields}
    return {**rest, "type": "object", "properties": ordered, "required": common}


def list_variants(node: SchemaNode) -> tuple[str, dict[str, SchemaNode]] | None:
    """Return the discriminating field of a body of several variants, and the schema of each variant by its value."""
    if "discriminator" not in node:
        return None
    tag = node["discriminator"]["propertyName"]
    return tag, {variant["properties"][tag]["const"]: tool_schema(variant, answer=False) for variant in node["oneOf"]}


def exactly_one_of(node: SchemaNode) -> tuple[str, ...]:
    """Return the names of which exactly one is required, if the body is a `oneOf` of single required names."""
    if "oneOf" not in node or "discriminator" in node:
        return ()
    return tuple(branch["required"][0] for branch in node["oneOf"])


def schema_texts(node: SchemaNode, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and description of every field below the node: `users[].id`, `attributes{}`."""
    return _marks(node, path, lambda field: field.get("description"))


def find_marked_paths(node: SchemaNode, key: str, *, value: object = True) -> Iterator[str]:
    """Yield the paths below the node whose schema has `key` with `value` (`x-secret`, `x-secret-in`)."""
    return (path for path, mark in _marks(node, "", lambda field: field.get(key)) if mark == value)


def _marks(node: SchemaNode, path: str, mark: Any) -> Iterator[tuple[str, Any]]:
    node = merge_schemas(node)
    for branch in node.get("anyOf", ()):
        yield from _marks(branch, path, mark)
    for name, value in node.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        found = mark(value)
        if found:
            yield inner, found
        yield from _marks(value, inner, mark)
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(node.get(key), dict):
            found = mark(node[key])
            if found and "properties" not in node[key]:
                yield path + suffix, found
            yield from _marks(node[key], path + suffix, mark)
