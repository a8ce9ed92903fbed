"""The form of a schema that all model providers and clients accept. scripts/provider_limits.yaml gives the reasons.

A listed schema only describes. Calls are checked against the tool's own schema, which is stricter (see `saasus.validation`).
"""

from __future__ import annotations

from saasus_mcp.common.json_path import Schema

OMITTED_INPUT_KEYWORDS = frozenset({"additionalProperties", "anyOf", "contentEncoding", "examples"})
"""Keywords that a provider or client rejects in arguments. The server still enforces them."""
OMITTED_OUTPUT_KEYWORDS = frozenset({"additionalProperties"})
LISTED_FORMATS = frozenset({"date-time"})


def provider_input_schema(schema: Schema) -> Schema:
    """Return an inputSchema as `tools/list` shows it. Its root always has `properties`.

    A union becomes its first branch that is not null, and an example becomes a part of the description.
    """
    shown = _argument(schema)
    return {"type": shown.pop("type"), "properties": shown.pop("properties", {}), **shown}


def provider_output_schema(schema: Schema) -> Schema:
    """Return an outputSchema as `tools/list` shows it. It allows everything that the tool's own schema allows."""
    shown = {key: value for key, value in schema.items() if key not in OMITTED_OUTPUT_KEYWORDS}
    if "properties" in shown:
        shown["properties"] = {name: provider_output_schema(value) for name, value in shown["properties"].items()}
    if "items" in shown:
        shown["items"] = provider_output_schema(shown["items"])
    if "anyOf" in shown:
        shown["anyOf"] = [provider_output_schema(branch) for branch in shown["anyOf"]]
    return shown


def _argument(schema: Schema) -> Schema:
    whole = _first_branch(schema)
    shown = {key: value for key, value in whole.items() if key not in OMITTED_INPUT_KEYWORDS}
    if shown.get("format") not in LISTED_FORMATS:
        shown.pop("format", None)
    texts = [whole["description"]] if "description" in whole else []
    texts += [f"e.g. {example}" for example in whole.get("examples", ())]
    if texts:
        shown["description"] = "; ".join(texts)
    if "properties" in shown:
        shown["properties"] = {name: _argument(value) for name, value in shown["properties"].items()}
    if "items" in shown:
        shown["items"] = _argument(shown["items"])
    return shown


def _first_branch(schema: Schema) -> Schema:
    branch = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), None)
    return schema if branch is None else {**_first_branch(branch), **schema}
