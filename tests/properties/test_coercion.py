"""Arguments of the wrong JSON type give the same request digest as the right ones, or are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.saasus.argument_values import coerce_value
from saasus_mcp.saasus.arguments import check_arguments, parse_arguments
from saasus_mcp.saasus.request import build_request
from tests.support.arguments import body_variants, complete_arguments, minimal_arguments
from tests.support.strategies import CATALOGUE, any_json, json_keys

KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")
schemas = st.sampled_from(KINDS).map(lambda kind: {"type": kind}) | st.lists(
    st.sampled_from(KINDS), min_size=2, max_size=3, unique=True
).map(lambda kinds: {"anyOf": [{"type": kind} for kind in kinds]})
sent = any_json | any_json.map(lambda value: json.dumps(value, default=str)) | st.from_regex(r"-?[0-9]{1,5}(\.[0-9])?")


def mistaken(schema: dict[str, Any], value: Any, draw: Any, *, secret: bool = False) -> Any:
    """Return the value as a careless client may send it, at any depth."""
    schema = next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        other = schema.get("additionalProperties", {})
        value = {name: mistaken(fields.get(name, other), item, draw, secret=secret) for name, item in value.items()}
    if isinstance(value, list):
        value = [mistaken(schema.get("items", {}), item, draw, secret=secret) for item in value]
    if "type" not in schema or not draw(st.booleans()):
        return value
    if schema["type"] == "string":
        return int(value) if value.isascii() and value.isdigit() and str(int(value)) == value and not secret else value
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def numbered(schema: dict[str, Any], value: Any) -> Any:
    """Replace free texts in the value by digits."""
    if isinstance(value, dict):
        return {name: numbered(schema.get("properties", {}).get(name, {}), item) for name, item in value.items()}
    if isinstance(value, list):
        return [numbered(schema.get("items", {}), item) for item in value]
    free = schema.get("type") == "string" and not {"enum", "format", "pattern"} & schema.keys()
    return "1203" if free else value


@given(json_keys, st.data())
def test_the_call_that_was_meant_has_the_digest_of_the_same_call_typed_well(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    shape = data.draw(st.sampled_from(body_variants(operation)))
    typed = data.draw(st.sampled_from([complete_arguments(operation, shape), minimal_arguments(operation, shape)]))
    typed = numbered(operation.input_schema, typed)
    secrets = {path.split(".")[0].split("[")[0].split("{")[0] for path in operation.secret_inputs}
    fields = operation.input_schema.get("properties", {})
    wrong = {name: mistaken(fields[name], item, data.draw, secret=name in secrets) for name, item in typed.items()}
    arguments = parse_arguments(operation, data.draw(st.sampled_from([wrong, json.dumps(wrong)])))
    assert arguments == check_arguments(operation, typed)
    assert (
        build_request(operation, arguments).digest()
        == build_request(operation, check_arguments(operation, typed)).digest()
    )


@pytest.mark.slow
@given(json_keys, st.data())
def test_coercion_is_idempotent(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    fields = list(operation.input_schema.get("properties", {})) or ["none"]
    changed = data.draw(st.dictionaries(st.sampled_from(fields), sent, min_size=1, max_size=3))
    try:
        values = parse_arguments(operation, {**complete_arguments(operation), **changed})
    except InvalidArguments as refusal:
        assert str(refusal)
        return
    assert parse_arguments(operation, values) == values
    assert check_arguments(operation, values) == values


@given(json_keys, st.data())
def test_a_fitting_value_that_is_not_empty_is_unchanged(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    texts = st.text('0123456789truefalsn{}[]": ', min_size=1, max_size=12)

    def filled(schema: dict[str, Any], value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(schema.get("properties", {}).get(name, {}), item) for name, item in value.items()}
        free = schema.get("type") == "string" and not {"enum", "format", "pattern"} & schema.keys()
        return data.draw(texts) if free else value

    typed = filled(operation.input_schema, complete_arguments(operation))
    assert parse_arguments(operation, typed) == check_arguments(operation, typed) == typed


@given(schemas, sent)
def test_a_value_is_changed_only_into_one_that_its_schema_accepts(schema: dict[str, Any], value: Any) -> None:
    found = coerce_value(schema, value)
    if found is not value:
        kinds = {each["type"] for each in schema.get("anyOf", [schema])}
        assert {dict: "object", list: "array", bool: "boolean", str: "string"}.get(type(found), "number") in kinds or (
            kinds & {"integer", "number"} and type(found) in (int, float)
        )
        assert not (isinstance(value, str) and "string" in kinds)
    assert coerce_value(schema, found) is found
