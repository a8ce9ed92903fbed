"""The listed form of a schema: common to all providers, while calls are checked against the schema itself."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.jobs import load_jobs as jobs
from saasus_mcp.server.offers import time_tools
from saasus_mcp.server.surface.provider_schema import provider_input_schema, provider_output_schema
from saasus_mcp.server.surface.tool_list import builtin_tool, operation_tool

TEXT = {"type": "string"}
PORTABLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an example is said": ({**TEXT, "examples": ["a@b"]}, {**TEXT, "description": "e.g. a@b"}),
    "an example follows what is said": (
        {**TEXT, "description": "address", "examples": ["a@b"]},
        {**TEXT, "description": "address; e.g. a@b"},
    ),
    "a typed map is an open object": ({"type": "object", "additionalProperties": TEXT}, {"type": "object"}),
    "an open object": ({"type": "object", "additionalProperties": True}, {"type": "object"}),
    "a closed object": (
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
        {"type": "object", "properties": {"a": TEXT}},
    ),
    "null is left out": (
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {**TEXT, "examples": ["x"]}}}]},
        {"type": "object", "properties": {"a": {**TEXT, "description": "e.g. x"}}},
    ),
    "one of two types": (
        {"anyOf": [TEXT, {"type": "integer"}], "description": "time"},
        {**TEXT, "description": "time"},
    ),
    "a union in a union": ({"anyOf": [{"anyOf": [{"type": "null"}, TEXT]}, {"type": "integer"}]}, TEXT),
    "below an array": (
        {"type": "array", "items": {"type": "object", "additionalProperties": False}},
        {"type": "array", "items": {"type": "object"}},
    ),
    "an encoding": ({**TEXT, "contentEncoding": "base64"}, TEXT),
    "a format of a date": ({**TEXT, "format": "date"}, TEXT),
    "a format of a moment": ({**TEXT, "format": "date-time"}, {**TEXT, "format": "date-time"}),
}


def rooted(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"field": schema}}


@pytest.mark.parametrize("case", PORTABLE)
def test_an_argument_is_listed_as_every_provider_takes_it(case: str) -> None:
    own, shown = PORTABLE[case]
    before = deepcopy(own)
    assert provider_input_schema(rooted(own)) == rooted(shown)
    assert own == before, "the schema that calls are held to stays as it is"


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    named = {"additionalProperties": TEXT, "anyOf": TEXT, "examples": TEXT, "format": TEXT}
    schema = {"type": "object", "properties": named}
    assert provider_input_schema(schema) == schema
    assert provider_output_schema(schema) == schema


def test_a_tool_without_arguments_lists_no_properties_rather_than_leaving_them_out() -> None:
    assert provider_input_schema({"type": "object"}) == {"type": "object", "properties": {}}


def test_an_answer_is_listed_without_maps_and_keeps_the_rest() -> None:
    below = {"type": "object", "additionalProperties": TEXT}
    answer = {
        "type": "object",
        "properties": {"a": below, "b": {"type": "array", "items": below}, "c": {"anyOf": [below, {"type": "null"}]}},
    }
    open_ = {"type": "object"}
    assert provider_output_schema(answer)["properties"] == {
        "a": open_,
        "b": {"type": "array", "items": open_},
        "c": {"anyOf": [open_, {"type": "null"}]},
    }


def test_every_tool_lists_properties_at_its_root(catalogue: Catalogue) -> None:
    schemas = {each.tool: operation_tool(each, "en").input_schema for each in catalogue}
    schemas |= {job.name: provider_input_schema(job.input_schema) for job in jobs()}
    schemas |= {each.name: builtin_tool(each, "ja").input_schema for each in time_tools.time_tools()}
    assert [name for name, schema in schemas.items() if not isinstance(schema.get("properties"), dict)] == []
    assert sum(schema["properties"] == {} for schema in schemas.values()) > 40


def test_an_example_reaches_the_model_in_the_description(catalogue: Catalogue) -> None:
    billing = operation_tool(catalogue.find("auth_update_tenant_billing_info"), "en").input_schema["properties"]
    assert billing["address"]["properties"]["country"]["description"].startswith("e.g. ")
