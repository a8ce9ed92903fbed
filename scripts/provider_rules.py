"""The rules by which providers and clients accept a list of tools, applied as scripts/provider_limits.yaml says.

A rule is a function of its limit; what it finds is what a provider would reject. One more rule is one more function in a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from scripts.catalogue.spec_file import read_yaml

FILE = Path(__file__).with_name("provider_limits.yaml")
SCHEMA_OF = {"input": "inputSchema", "output": "outputSchema"}
BRANCHES, MAPS, SINGLE = (
    ("anyOf", "oneOf", "allOf", "prefixItems"),
    ("properties", "$defs"),
    ("items", "additionalProperties"),
)
ROOT = "$"

Tool = Mapping[str, Any]
"""A tool as `tools/list` has it."""
Schema = Any
"""A JSON Schema, or a boolean."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a rule is knowingly not met.

    Attributes:
        surfaces, tools: in which; in any where empty.
        paths: a regular expression of whole JSON paths.
        instead: what fits every author of the rule.
    """

    why: str
    instead: str
    surfaces: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    paths: str = ".*"

    def covers(self, finding: Finding) -> bool:
        """Whether this is the place."""
        return (
            (not self.surfaces or finding.surface in self.surfaces)
            and (not self.tools or finding.tool in self.tools)
            and re.fullmatch(self.paths, finding.path) is not None
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule of one provider or client.

    Attributes:
        of: `input` or `output`, the schema that is held to it.
        as_of: when the source was read.
    """

    by: str
    rule: str
    limit: Any
    title: str
    url: str
    as_of: date
    of: str = "input"
    exceptions: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a provider or client would reject."""

    limit: Limit = field(repr=False)
    surface: str
    tool: str
    path: str
    says: str

    def __str__(self) -> str:
        rule = self.limit
        return (
            f"{self.surface}: {self.tool} {self.path}: {self.says} ({rule.by}, {rule.rule}: {rule.title}, {rule.url})"
        )


def read(file: Path = FILE) -> list[Limit]:
    """Return the limits of a file.

    Raises:
        ValueError: an entry names a rule that does not exist.
        TypeError: an entry has an unknown key or lacks one.
    """
    limits = []
    for entry in read_yaml(file):
        if entry["rule"] not in {**NODES, **TOOLS, **LISTS}:
            raise ValueError(f"{entry['by']}: there is no rule {entry['rule']!r}")
        rest = {key: value for key, value in entry.items() if key not in ("source", "exceptions")}
        limits.append(Limit(**rest, **entry["source"], exceptions=tuple(map(_gap, entry.get("exceptions", ())))))
    return limits


def _gap(entry: Mapping[str, Any]) -> Gap:
    sets = {key: frozenset(entry.get(key, ())) for key in ("surfaces", "tools")}
    return Gap(**{**entry, **sets})


def findings(limit: Limit, surface: str, tools: Sequence[Tool]) -> Iterator[Finding]:
    """Everything in a list of tools that breaks a limit, known exceptions included."""
    if limit.rule in LISTS:
        for says in LISTS[limit.rule](limit.limit, tools):
            yield Finding(limit, surface, "the list", ROOT, says)
        return
    for tool in tools:
        schema = tool.get(SCHEMA_OF[limit.of])
        if limit.rule in TOOLS:
            found: Iterator[tuple[str, str]] = ((ROOT, says) for says in TOOLS[limit.rule](limit.limit, tool, schema))
        else:
            nodes = [] if schema is None else walk(schema)
            found = ((path, says) for path, node in nodes for says in NODES[limit.rule](limit.limit, node))
        for path, says in found:
            yield Finding(limit, surface, tool["name"], path, says)


def walk(schema: Schema, path: str = ROOT) -> Iterator[tuple[str, Schema]]:
    """Every schema in a schema, itself first, with its JSON path; `[]` is of items, `{}` of further properties."""
    yield path, schema
    if not isinstance(schema, dict):
        return
    for key in MAPS:
        for name, below in schema.get(key, {}).items():
            yield from walk(below, f"{path}.{name}")
    for key in BRANCHES:
        for number, below in enumerate(schema.get(key, ())):
            yield from walk(below, f"{path}.{key}[{number}]")
    for key, suffix in zip(SINGLE, ("[]", "{}"), strict=True):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], path + suffix)


# -- of every schema in a schema: the limit and the node --------------------------------------------------------------------


def _each(named: Callable[[Any, dict[str, Any]], Iterator[str]]) -> Callable[[Any, Schema], Iterator[str]]:
    """Yield a rule of schemas that are objects, as a rule of all."""
    return lambda limit, node: named(limit, node) if isinstance(node, dict) else iter(())


def _schemas_are_objects(_: Any, node: Schema) -> Iterator[str]:
    if not isinstance(node, dict):
        yield f"the schema is {node!r}, not an object"


def _allowed_keywords(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    yield from (f"keyword {key} is not known" for key in node if key not in limit)


def _forbidden_keywords(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    yield from (f"keyword {key}" for key in limit if key in node)


def _forbidden_booleans(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    yield from (f"{key} is a boolean" for key in limit if isinstance(node.get(key), bool))


def _forbidden_maps(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    yield from (f"{key} is a schema" for key in limit if isinstance(node.get(key), dict))


def _single_type(_: Any, node: dict[str, Any]) -> Iterator[str]:
    if not isinstance(node.get("type"), str):
        yield f"type is {node.get('type')!r}, not one name"


def _items_required(_: Any, node: dict[str, Any]) -> Iterator[str]:
    if node.get("type") == "array" and "items" not in node:
        yield "an array without items"


def _object_keywords(_: Any, node: dict[str, Any]) -> Iterator[str]:
    if node.get("type") != "object":
        yield from (f"{key} on {node.get('type')!r}" for key in ("properties", "required") if key in node)


def _objects_with_properties(_: Any, node: dict[str, Any]) -> Iterator[str]:
    if node.get("type") == "object" and not node.get("properties"):
        yield "an object without properties"


def _enum_of_text(_: Any, node: dict[str, Any]) -> Iterator[str]:
    if "enum" in node:
        values = node["enum"]
        if node.get("type") != "string" or not values or not all(isinstance(value, str) and value for value in values):
            yield f"enum {values!r} of type {node.get('type')!r}"


def _enum_values(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    if len(node.get("enum", ())) > limit:
        yield f"{len(node['enum'])} values, at most {limit}"


def _text_formats(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    if node.get("type") == "string" and node.get("format", limit[0]) not in limit:
        yield f"format {node['format']!r}"


def _property_name(limit: Any, node: dict[str, Any]) -> Iterator[str]:
    yield from (f"property {name!r}" for name in node.get("properties", {}) if not re.fullmatch(limit, name))


def _required_declared(_: Any, node: dict[str, Any]) -> Iterator[str]:
    declared = node.get("properties", {})
    yield from (f"{name!r} is required, not declared" for name in node.get("required", ()) if name not in declared)


def _every_property_required(_: Any, node: dict[str, Any]) -> Iterator[str]:
    optional = [name for name in node.get("properties", {}) if name not in node.get("required", ())]
    if optional:
        yield f"optional: {', '.join(optional)}"


NODES: Mapping[str, Callable[[Any, Schema], Iterator[str]]] = {
    "schemas_are_objects": _schemas_are_objects,
    **{
        function.__name__.removeprefix("_"): _each(function)
        for function in (
            _allowed_keywords,
            _forbidden_keywords,
            _forbidden_booleans,
            _forbidden_maps,
            _single_type,
            _items_required,
            _object_keywords,
            _objects_with_properties,
            _enum_of_text,
            _enum_values,
            _text_formats,
            _property_name,
            _required_declared,
            _every_property_required,
        )
    },
}


# -- of a tool: the limit, the tool and its schema ---------------------------------------------------------------------------


def _name_pattern(limit: Any, tool: Tool, _: Schema) -> Iterator[str]:
    if not re.fullmatch(limit, tool["name"]):
        yield f"the name does not match {limit}"


def _prefixed_name(limit: Any, tool: Tool, _: Schema) -> Iterator[str]:
    length = len(limit["prefix"] + tool["name"])
    if length > limit["most"]:
        yield f"{limit['prefix']}{tool['name']} has {length} characters, at most {limit['most']}"


def _description_length(limit: Any, tool: Tool, _: Schema) -> Iterator[str]:
    length = len(tool.get("description") or "")
    if not limit["least"] <= length <= limit["most"]:
        yield f"the description has {length} characters, {limit['least']} to {limit['most']} are allowed"


def _root_type(limit: Any, _: Tool, schema: Schema) -> Iterator[str]:
    if schema is not None and (not isinstance(schema, dict) or schema.get("type") != limit):
        yield f"the root is not of type {limit}"


def _root_keywords(limit: Any, _: Tool, schema: Schema) -> Iterator[str]:
    yield from (f"{key} is missing" for key in limit if not isinstance(schema, dict) or key not in schema)


def _forbidden_at_root(limit: Any, _: Tool, schema: Schema) -> Iterator[str]:
    yield from (f"{key} at the top level" for key in limit if isinstance(schema, dict) and key in schema)


def _valid_schema(_: Any, __: Tool, schema: Schema) -> Iterator[str]:
    try:
        Draft202012Validator.check_schema({} if schema is None else schema)
    except SchemaError as error:
        yield f"no valid JSON Schema: {error.message}"


def _depth(limit: Any, _: Tool, schema: Schema) -> Iterator[str]:
    depth = max((path.count(".") + path.count("[]") + path.count("{}") for path, _ in walk(schema)), default=0)
    if depth > limit:
        yield f"{depth} levels, at most {limit}"


def _properties(limit: Any, _: Tool, schema: Schema) -> Iterator[str]:
    count = sum(len(node.get("properties", {})) for _, node in walk(schema) if isinstance(node, dict))
    if count > limit:
        yield f"{count} properties, at most {limit}"


def _text_length(limit: Any, _: Tool, schema: Schema) -> Iterator[str]:
    objects = [node for _, node in walk(schema) if isinstance(node, dict)]
    length = sum(len(str(text)) for node in objects for text in (*node.get("properties", {}), *node.get("enum", ())))
    if length > limit:
        yield f"names and enum values have {length} characters, at most {limit}"


TOOLS: Mapping[str, Callable[[Any, Tool, Schema], Iterator[str]]] = {
    function.__name__.removeprefix("_"): function
    for function in (
        _name_pattern,
        _prefixed_name,
        _description_length,
        _root_type,
        _root_keywords,
        _forbidden_at_root,
        _valid_schema,
        _depth,
        _properties,
        _text_length,
    )
}


# -- of a list: the limit and the tools ----------------------------------------------------------------------------------------


def _tools(limit: Any, tools: Sequence[Tool]) -> Iterator[str]:
    if len(tools) > limit:
        yield f"{len(tools)} tools, at most {limit}"


LISTS: Mapping[str, Callable[[Any, Sequence[Tool]], Iterator[str]]] = {"tools": _tools}
