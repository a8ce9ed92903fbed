"""Compile one operation: join its document with its row of effects.yaml."""

from __future__ import annotations

import re
from typing import Any

from saasus_mcp.catalog.openapi_summary import JSON, SchemaNode
from scripts.catalogue import recipes, route_conflicts, schemas
from scripts.catalogue.documents import SourceOperation

_ACKNOWLEDGED: SchemaNode = {"type": "object", "properties": {"applied": {"type": "boolean"}}}
"""The output schema of a tool whose operation answers with an empty body."""


def compile_operation(
    source: SourceOperation, effects: dict[str, Any], routes: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return the compiled row of one operation.

    Args:
        routes: method and path of every route of the API.
    """
    node = source.node
    parameters = node.get("parameters", [])
    body = node.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    answer = _answer(node)
    wrapped = answer is not None and schemas.merge_schemas(answer).get("type") != "object"
    shape = {"type": "object", "properties": {"result": answer}} if wrapped else answer
    arguments = _arguments(parameters, body)
    one_of = schemas.exactly_one_of(body) if body else ()
    tool = node["x-tool"]
    return {
        "key": f"{source.module}.{node['operationId']}",
        "module": source.module,
        "operation_id": node["operationId"],
        "tool": tool["name"],
        "toolset": tool["toolset"],
        "method": source.method,
        "path": source.path,
        "title": {"en": node["summary"], "ja": node["x-ja"]["title"]},
        "description": {"en": node["description"].strip(), "ja": node["x-ja"]["description"].strip()},
        "terse": tool["terse"],
        "path_parameters": re.findall(r"{(\w+)}", source.path),
        "query_parameters": [item["name"] for item in parameters if item["in"] == "query"],
        "body": body is not None,
        "input_schema": schemas.tool_schema(arguments, answer=False),
        "output_schema": schemas.tool_schema(shape, answer=True) if shape else _ACKNOWLEDGED,
        "answers": answer is not None,
        "wrapped": wrapped,
        "input_texts": dict(schemas.schema_texts(arguments)),
        "output_texts": dict(schemas.schema_texts(shape)) if shape else {},
        "variants": schemas.list_variants(body) if body else None,
        "exactly_one": [one_of] if one_of else [],
        "ambiguous": route_conflicts.refused_values(source.method, source.path, routes),
        "secret_inputs": list(schemas.find_marked_paths(arguments, "x-secret-in")),
        "secret_outputs": list(schemas.find_marked_paths(shape, "x-secret")) if shape else [],
        "scrubbed_outputs": list(schemas.find_marked_paths(shape, "x-secret", value="scrub")) if shape else [],
        "statuses": [int(status) for status in node["responses"]],
        "effects": _effects(effects),
        **({"empty": tool["empty"]} if "empty" in tool else {}),
    }


def _answer(node: SchemaNode) -> SchemaNode | None:
    for status, response in node["responses"].items():
        if status.startswith("2"):
            schema: SchemaNode | None = response.get("content", {}).get(JSON, {}).get("schema")
            return schema
    return None


def _arguments(parameters: list[SchemaNode], body: SchemaNode | None) -> SchemaNode:
    """Return path, query and body fields in one object."""
    fields: SchemaNode = {}
    required: list[str] = []
    for item in parameters:
        marks = {key: item[key] for key in ("description", "x-hint", "x-secret-in") if key in item}
        fields[item["name"]] = {**item["schema"], **marks}
        if item["required"]:
            required.append(item["name"])
    if body is not None:
        merged = schemas.merge_schemas(body)
        clash = fields.keys() & merged["properties"].keys()
        if clash:
            raise ValueError(f"body and parameters share {sorted(clash)}")
        fields |= merged["properties"]
        required += merged.get("required", [])
    return {"type": "object", "properties": fields, "required": required}


def _effects(row: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a row that the server needs. The paths of secrets come from the documents (see secret_marks)."""
    needed = {key: value for key, value in row.items() if key not in ("secrets_in", "secrets_out", "scrub_out")}
    if needed.get("target"):
        needed["target"] = {key: value for key, value in needed["target"].items() if key != "saas"}
    if needed.get("requires"):
        needed["requires"] = recipes.expand_requirements(needed["requires"])
    return needed
