"""Summarize the operations of an OpenAPI document without its texts, in order to compare two documents.

A field has a path (`path tenant_id`, `body.users[].email`, `200.tenants[].name`) and a few facts. The documents of this
server mark intended differences from the published ones with `x-repair`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import JSON_TYPES
from saasus_mcp.common.messages import message

SchemaNode = dict[str, Any]
FieldSummary = dict[str, Any]
OperationSummary = dict[str, Any]

JSON = "application/json"
_METHODS = ("get", "post", "put", "patch", "delete")
_MAX_FIELDS = 200_000
_MAX_DEPTH = 60


class InvalidOpenApi(SaasusMcpError):
    """A document is not OpenAPI, or contains circular references."""


def summarize_document(module: str, document: Any) -> dict[str, OperationSummary]:
    """Return the summary of every operation of a document, by key.

    Raises:
        InvalidOpenApi: the document is not OpenAPI, or contains circular references.
    """
    try:
        return _Summarizer(module, document).operations()
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        reason = f"{type(error).__name__} {error}"
        raise InvalidOpenApi(message("catalog.not_openapi", module=module, reason=reason)) from None


def iterate_operations(document: SchemaNode) -> Iterator[tuple[str, str, SchemaNode, SchemaNode]]:
    """Yield method, path after the host, operation and path item of every operation of a document."""
    base = "/" + document["servers"][0]["url"].split("/", 3)[3].strip("/")
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method.upper(), base + path, item[method], item


def follow_reference(node: SchemaNode, document: SchemaNode) -> SchemaNode:
    """Return the node that a `$ref` names. Keys beside the `$ref` override its keys."""
    target: Any = document
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


class _Summarizer:
    """Summarizes one document. Refuses documents that refer to themselves or expand without end."""

    def __init__(self, module: str, document: SchemaNode) -> None:
        self._module = module
        self._document = document
        self._fields = 0
        self._repairs: dict[str, str] = {}

    def operations(self) -> dict[str, OperationSummary]:
        schemes = sorted(self._document.get("components", {}).get("securitySchemes", {}).items())
        summaries = {}
        for method, path, node, item in iterate_operations(self._document):
            self._repairs = {}
            for _, scheme in schemes:
                self._record_repair("security", scheme)
            summaries[f"{self._module}.{node['operationId']}"] = {
                "method": method,
                "path": path,
                "security": [name for name, _ in schemes],
                "statuses": sorted(str(status) for status in node["responses"]),
                "fields": dict(self._operation_fields(node, item)),
                "repairs": self._repairs,
            }
        return summaries

    def _operation_fields(self, node: SchemaNode, item: SchemaNode) -> Iterator[tuple[str, FieldSummary]]:
        for parameter in map(self._resolve, [*item.get("parameters", ()), *node.get("parameters", ())]):
            path = f"{parameter['in']} {parameter['name']}"
            self._record_repair(path, parameter)
            yield from self._field(path, parameter["schema"], required=parameter.get("required", False), depth=0)
        body = self._resolve(node.get("requestBody", {}))
        if JSON in body.get("content", {}):
            self._record_repair("body", body)
            schema = body["content"][JSON]["schema"]
            yield from self._field("body", schema, required=body.get("required", False), depth=0)
        for status, response in node["responses"].items():
            content = self._resolve(response).get("content", {})
            if str(status).startswith("2") and JSON in content:
                yield from self._field(str(status), content[JSON]["schema"], required=False, depth=0)

    def _field(
        self, path: str, schema: SchemaNode, *, required: bool, depth: int
    ) -> Iterator[tuple[str, FieldSummary]]:
        """Yield the summary of a field, then of the fields below it."""
        schema, nullable = self._without_null(path, self._resolve(schema))
        self._fields += 1
        if self._fields > _MAX_FIELDS or depth > _MAX_DEPTH:
            raise InvalidOpenApi(message("catalog.circular_or_large", module=self._module, field=path))
        self._record_repair(path, schema)
        yield path, _field_summary(schema, required=required, nullable=nullable)
        for at, branch in enumerate(schema.get("oneOf", ())):
            yield from self._field(f"{path}|{at}", branch, required=False, depth=depth + 1)
        for name, inner in schema.get("properties", {}).items():
            is_required = name in schema.get("required", ())
            yield from self._field(f"{path}.{name}", inner, required=is_required, depth=depth + 1)
        for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(schema.get(key), dict):
                yield from self._field(path + suffix, schema[key], required=False, depth=depth + 1)

    def _without_null(self, path: str, schema: SchemaNode) -> tuple[SchemaNode, bool]:
        """Return a schema without null, and whether it allowed null. OpenAPI 3.0 and 3.1 express null differently."""
        branches = [self._resolve(branch) for branch in schema.get("anyOf", ())]
        others = [branch for branch in branches if branch.get("type") != "null"]
        if len(others) == 1 and len(others) < len(branches):
            self._record_repair(path, others[0])
            return {**others[0], **{key: value for key, value in schema.items() if key != "anyOf"}}, True
        types = schema.get("type")
        if isinstance(types, list) and "null" in types:
            return {**schema, "type": next(each for each in types if each != "null")}, True
        return schema, bool(schema.get("nullable"))

    def _resolve(self, node: SchemaNode) -> SchemaNode:
        """Return the node with its reference followed and its `allOf` merged."""
        for _ in range(_MAX_DEPTH):
            if not isinstance(node.get("$ref"), str):
                return self._merge_all_of(node)
            node = follow_reference(node, self._document)
        raise InvalidOpenApi(message("catalog.circular", module=self._module))

    def _merge_all_of(self, node: SchemaNode) -> SchemaNode:
        parts = [self._resolve(part) for part in node.get("allOf", ())]
        if not parts:
            return node
        siblings = {key: value for key, value in node.items() if key != "allOf"}
        merged: SchemaNode = {"type": "object", "properties": {}, "required": []}
        for part in (*parts, siblings):
            properties = {**merged["properties"], **part.get("properties", {})}
            required = [*merged["required"], *part.get("required", ())]
            merged = {**merged, **part, "properties": properties, "required": required}
        return merged

    def _record_repair(self, path: str, node: SchemaNode) -> None:
        if "x-repair" in node:
            self._repairs[path] = str(node["x-repair"])


def _field_summary(schema: SchemaNode, *, required: bool, nullable: bool) -> FieldSummary:
    """Return the facts of a field that are compared. Absent facts are omitted."""
    kind = schema.get("type") or ("object" if "properties" in schema or "oneOf" in schema else None)
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    example = next(iter(schema.get("examples", ())), None) if "examples" in schema else schema.get("example")
    contradicts = example is not None and kind in JSON_TYPES and type(example) not in JSON_TYPES[kind]
    field: FieldSummary = {
        "type": kind,
        "required": required,
        "nullable": nullable,
        "enum": sorted(map(str, values)),
        "example_of_another_type": contradicts,
        "variants": len(schema.get("oneOf", ())),
    }
    return {key: value for key, value in field.items() if value}
