"""What an OpenAPI document says of each operation, without its sentences: to be compared, not to be called by.

A field is known by its place (`path tenant_id`, `body.users[].email`, `200.tenants[].name`) and by a few facts about it. Our own
documents note beside a fact where it differs from the published ones on purpose (`x-repair`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError

Node = dict[str, Any]
Field = dict[str, Any]
Operation = dict[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
MAX_FIELDS = 200_000
MAX_DEPTH = 60
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class InvalidDocument(SaasusMcpError):
    """A document is no OpenAPI document that can be compared."""


def summarize_document(module: str, document: Any) -> dict[str, Operation]:
    """The facts of every operation of a document, by key.

    Raises:
        BadDocument: it is none, or refers to itself without end.
    """
    try:
        return _Reader(module, document).operations()
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise InvalidDocument(f"{module} is not an OpenAPI document: {type(error).__name__} {error}.") from None


class _Reader:
    """Walks one document; what refers to itself, or grows without end, is refused."""

    def __init__(self, module: str, document: Node) -> None:
        self._module = module
        self._document = document
        self._fields = 0
        self._repairs: dict[str, str] = {}

    def operations(self) -> dict[str, Operation]:
        base = "/" + self._document["servers"][0]["url"].split("/", 3)[3].strip("/")
        schemes = sorted(self._document.get("components", {}).get("securitySchemes", {}).items())
        found = {}
        for path, item in self._document["paths"].items():
            for method in METHODS:
                if method in item:
                    node = item[method]
                    self._repairs = {}
                    for _, scheme in schemes:
                        self._note("security", scheme)
                    found[f"{self._module}.{node['operationId']}"] = {
                        "method": method.upper(),
                        "path": base + path,
                        "security": [name for name, _ in schemes],
                        "statuses": sorted(str(status) for status in node["responses"]),
                        "fields": dict(self._of(node, item)),
                        "repairs": self._repairs,
                    }
        return found

    def _of(self, node: Node, item: Node) -> Iterator[tuple[str, Field]]:
        for parameter in map(self._seen, [*item.get("parameters", ()), *node.get("parameters", ())]):
            place = f"{parameter['in']} {parameter['name']}"
            self._note(place, parameter)
            yield from self._field(place, parameter["schema"], required=parameter.get("required", False), depth=0)
        body = self._seen(node.get("requestBody", {}))
        if JSON in body.get("content", {}):
            self._note("body", body)
            schema = body["content"][JSON]["schema"]
            yield from self._field("body", schema, required=body.get("required", False), depth=0)
        for status, response in node["responses"].items():
            content = self._seen(response).get("content", {})
            if str(status).startswith("2") and JSON in content:
                yield from self._field(str(status), content[JSON]["schema"], required=False, depth=0)

    def _field(self, place: str, schema: Node, *, required: bool, depth: int) -> Iterator[tuple[str, Field]]:
        """The facts of a field, then of those below it."""
        schema, nullable = self._without_null(place, self._seen(schema))
        self._fields += 1
        if self._fields > MAX_FIELDS or depth > MAX_DEPTH:
            raise InvalidDocument(f"{self._module}: {place}: circular reference, or too large.")
        self._note(place, schema)
        yield place, _said(schema, required=required, nullable=nullable)
        for at, branch in enumerate(schema.get("oneOf", ())):
            yield from self._field(f"{place}|{at}", branch, required=False, depth=depth + 1)
        for name, below in schema.get("properties", {}).items():
            needed = name in schema.get("required", ())
            yield from self._field(f"{place}.{name}", below, required=needed, depth=depth + 1)
        for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(schema.get(key), dict):
                yield from self._field(place + suffix, schema[key], required=False, depth=depth + 1)

    def _without_null(self, place: str, schema: Node) -> tuple[Node, bool]:
        """A schema that may be null, as what it is otherwise; 3.0 and 3.1 write it differently."""
        branches = [self._seen(branch) for branch in schema.get("anyOf", ())]
        others = [branch for branch in branches if branch.get("type") != "null"]
        if len(others) == 1 and len(others) < len(branches):
            self._note(place, others[0])
            return {**others[0], **{key: value for key, value in schema.items() if key != "anyOf"}}, True
        kinds = schema.get("type")
        if isinstance(kinds, list) and "null" in kinds:
            return {**schema, "type": next(kind for kind in kinds if kind != "null")}, True
        return schema, bool(schema.get("nullable"))

    def _seen(self, node: Node) -> Node:
        """The node, with what it refers to; what stands beside a reference goes before what it names."""
        for _ in range(MAX_DEPTH):
            if not isinstance(node.get("$ref"), str):
                return self._merged(node)
            named: Any = self._document
            for step in node["$ref"].removeprefix("#/").split("/"):
                named = named[step]
            node = {**named, **{key: value for key, value in node.items() if key != "$ref"}}
        raise InvalidDocument(f"{self._module}: circular reference.")

    def _merged(self, node: Node) -> Node:
        """An `allOf` as the one object that satisfies all of it."""
        parts = [self._seen(part) for part in node.get("allOf", ())]
        if not parts:
            return node
        alone = {key: value for key, value in node.items() if key != "allOf"}
        whole: Node = {"type": "object", "properties": {}, "required": []}
        for part in (*parts, alone):
            properties = {**whole["properties"], **part.get("properties", {})}
            required = [*whole["required"], *part.get("required", ())]
            whole = {**whole, **part, "properties": properties, "required": required}
        return whole

    def _note(self, place: str, node: Node) -> None:
        if "x-repair" in node:
            self._repairs[place] = str(node["x-repair"])


def _said(schema: Node, *, required: bool, nullable: bool) -> Field:
    """What is compared of a field; what is not said is left out."""
    kind = schema.get("type") or ("object" if "properties" in schema or "oneOf" in schema else None)
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    example = next(iter(schema.get("examples", ())), None) if "examples" in schema else schema.get("example")
    field: Field = {
        "type": kind,
        "required": required,
        "nullable": nullable,
        "enum": sorted(map(str, values)),
        "example_of_another_type": _contradicts(kind, example),
        "variants": len(schema.get("oneOf", ())),
    }
    return {key: value for key, value in field.items() if value}


def _contradicts(kind: str | None, example: Any) -> bool:
    if example is None or kind is None or kind not in TYPES:
        return False
    return not isinstance(example, TYPES[kind]) or (isinstance(example, bool) and kind != "boolean")
