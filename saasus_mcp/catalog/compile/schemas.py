"""OpenAPI schemas turned into a tool's inputSchema and outputSchema, and the facts that these cannot carry.

A tool's schema is for every client: references inlined, a root of `type: object` with no composition, one scalar
`type` a node, a meaningful null as a nested `anyOf`, no descriptions but hints. What is lost on the way (variants of a
body, one-of-two arguments, secrets) is kept beside it in the operation's record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]

KEPT = ("type", "const", "enum", "format", "contentEncoding", "minimum", "maximum", "minLength", "maxLength", "pattern",
        "minItems", "maxItems")  # fmt: skip
KEPT_IN_ANSWERS = ("type", "const", "enum")
"""Bounds and formats of answers are the API's affair: a client that asserts them would fail after the deed is done."""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INT64 = "int64"
"""A format that means nothing in JSON Schema, where integers have no size; saasus.arguments holds them to it."""


def tool_schema(node: Node, *, answer: bool) -> Node:
    """The schema as a client sees it: types, enums, bounds; hints and an example for arguments only."""
    node = merge_schemas(node)
    if "anyOf" in node:
        out: Node = {"anyOf": [tool_schema(branch, answer=answer) for branch in node["anyOf"]]}
    else:
        kept = KEPT_IN_ANSWERS if answer else KEPT
        out = {key: node[key] for key in kept if key in node and node[key] != INT64}
    if not answer:
        out |= _helping(node)
    if "properties" in node:
        out["properties"] = {name: tool_schema(value, answer=answer) for name, value in node["properties"].items()}
    if node.get("required") and not answer:
        out["required"] = list(node["required"])
    if "items" in node:
        out["items"] = tool_schema(node["items"], answer=answer)
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = tool_schema(node["additionalProperties"], answer=answer)
    return out


def _helping(node: Node) -> Node:
    """What helps a model fill an argument: the hint, and an example where no id, enum or hint says it already."""
    if "x-hint" in node:
        return {"description": node["x-hint"]}
    example = next(iter(node.get("examples", ())), None)
    telling = isinstance(example, str) and "enum" not in node and not UUID.fullmatch(example)
    return {"examples": [example]} if telling else {}


def merge_schemas(node: Node) -> Node:
    """A discriminated `oneOf` as one object: every variant's fields, the discriminator as an enum, the common required.

    Other nodes come back as they are, without `oneOf`.
    """
    if "oneOf" not in node:
        return node
    rest = {key: value for key, value in node.items() if key not in ("oneOf", "discriminator")}
    if "discriminator" not in node:
        return rest
    tag = node["discriminator"]["propertyName"]
    fields: Node = {}
    for variant in node["oneOf"]:
        for name, value in variant["properties"].items():
            fields.setdefault(name, value)
    kinds = [variant["properties"][tag]["const"] for variant in node["oneOf"]]
    described = {key: value for key, value in fields[tag].items() if key not in ("const", "x-repair", "description")}
    shapes = "; ".join(
        f"{kind}: {shape.get('description', '')}" for kind, shape in zip(kinds, node["oneOf"], strict=True)
    )
    fields[tag] = {**described, "enum": kinds, "description": shapes}
    common = [name for name in fields if all(name in variant.get("required", ()) for variant in node["oneOf"])]
    ordered = {tag: fields.pop(tag), **fields}
    return {**rest, "type": "object", "properties": ordered, "required": common}


def list_variants(node: Node) -> tuple[str, dict[str, Node]] | None:
    """The discriminating field of a body of several shapes, and each shape's schema by its value."""
    if "discriminator" not in node:
        return None
    tag = node["discriminator"]["propertyName"]
    return tag, {shape["properties"][tag]["const"]: tool_schema(shape, answer=False) for shape in node["oneOf"]}


def is_exactly_one(node: Node) -> tuple[str, ...]:
    """The names of which exactly one must be given, where the body is a `oneOf` of single required names."""
    if "oneOf" not in node or "discriminator" in node:
        return ()
    return tuple(branch["required"][0] for branch in node["oneOf"])


def schema_texts(node: Node, path: str = "") -> Iterator[tuple[str, str]]:
    """The description of every field below the node, by its path: `users[].id`, `attributes{}`."""
    return _marks(node, path, lambda found: found.get("description"))


def find_marked_paths(node: Node, key: str, *, value: object = True) -> Iterator[str]:
    """The paths below the node whose schema carries `key` with `value` (`x-secret`, `x-secret-in`)."""
    return (path for path, mark in _marks(node, "", lambda found: found.get(key)) if mark == value)


def _marks(node: Node, path: str, mark: Any) -> Iterator[tuple[str, Any]]:
    node = merge_schemas(node)
    for branch in node.get("anyOf", ()):
        yield from _marks(branch, path, mark)
    for name, value in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        found = mark(value)
        if found:
            yield below, found
        yield from _marks(value, below, mark)
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(node.get(key), dict):
            found = mark(node[key])
            if found and "properties" not in node[key]:
                yield path + suffix, found
            yield from _marks(node[key], path + suffix, mark)
