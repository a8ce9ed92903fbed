"""Coercion: a value of the wrong type is coerced if the schema allows one reading, and refused otherwise."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.json_bounds import MAX_VALUES
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.saasus.arguments import parse_arguments, secret_handles
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema
from tests.support.arguments import minimal_arguments
from tests.support.pipeline import PRINCIPAL

TENANT = {"name": "Acme", "back_office_staff_email": "a@example.com"}


def refusal(operation: Operation, arguments: Any) -> InvalidArguments:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(operation, arguments)
    return caught.value


def coerce_argument(schema: dict[str, Any], given: Any) -> Any:
    """Return the arguments of a built-in tool with one argument `it`."""
    seen: list[Any] = []

    async def run(call: Call) -> ToolAnswer:
        seen.append(call.arguments)
        return ToolAnswer(True, "{}", {})

    tool = BuiltinTool("tool", Text("t", "t"), "t", object_schema((), it=schema), run)
    anyio.run(tool.handle, Call("tool", {"it": given}, PRINCIPAL))
    return seen[0].get("it", "left out")


UNDERSTOOD: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("an object as text", {"type": "object"}, '{"a": [1]}', {"a": [1]}),
    ("an object as text with blanks", {"type": "object"}, ' \n{"a": 1} ', {"a": 1}),
    ("a list as text", {"type": "array", "items": {"type": "string"}}, '["a","b"]', ["a", "b"]),
    ("numbers in a list as text", {"type": "array", "items": {"type": "integer"}}, '["1",2]', [1, 2]),
    ("text in a list of numbers", {"type": "array", "items": {"type": "string"}}, [1, "b"], ["1", "b"]),
    ("an object as text in a list", {"type": "array", "items": {"type": "object"}}, ['{"a":1}'], [{"a": 1}]),
    (
        "a number in an object as text in an object as text",
        {"type": "object", "properties": {"in": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
        '{"in": "{\\"n\\": \\"7\\"}"}',
        {"in": {"n": 7}},
    ),
    (
        "a number in a map",
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        {"any": "true"},
        {"any": True},
    ),
    ("an object that may be null", {"anyOf": [{"type": "object"}, {"type": "null"}]}, "{}", {}),
    ("an integer as text", {"type": "integer"}, "30", 30),
    ("a negative integer as text", {"type": "integer"}, "-1", -1),
    ("the largest integer as text", {"type": "integer"}, str(2**63 - 1), 2**63 - 1),
    ("a whole number as text", {"type": "integer"}, "3.0", 3),
    ("a number as text", {"type": "number"}, "0.5", 0.5),
    ("zero as text", {"type": "integer"}, "0", 0),
    ("true as text", {"type": "boolean"}, "true", True),
    ("true as Python writes it", {"type": "boolean"}, "True", True),
    ("false as text", {"type": "boolean"}, "FALSE", False),
    ("a number for text", {"type": "string"}, 12345, "12345"),
    ("zero for text", {"type": "string"}, 0, "0"),
    ("a negative number for text", {"type": "string"}, -5, "-5"),
    ("null", {"type": "string"}, None, "left out"),
    ("nothing for a number", {"type": "integer"}, "", "left out"),
    ("nothing for a list", {"type": "array"}, "", "left out"),
    ("nothing for one of several texts", {"type": "string", "enum": ["json", "csv"]}, "", "left out"),
    ("nothing for text", {"type": "string"}, "", "left out"),
]


@pytest.mark.parametrize(
    ("schema", "given", "meant"), [case[1:] for case in UNDERSTOOD], ids=[c[0] for c in UNDERSTOOD]
)
def test_an_unambiguous_value_is_converted(schema: dict[str, Any], given: Any, meant: Any) -> None:
    found = coerce_argument(schema, given)
    assert (found, type(found)) == (meant, type(meant))


UNCHANGED: list[tuple[dict[str, Any], Any]] = [
    *(({"type": "string"}, text) for text in ("5", "true", "{}", '["a"]', "null", " ", "0123")),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "1700000000"),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1700000000),
    ({"type": "object"}, {"free": "5", "form": None, "empty": ""}),
    ({"type": "array", "items": {"type": "string"}}, ["null", ""]),
    ({"anyOf": [{"type": "object"}, {"type": "null"}]}, None),
]


@pytest.mark.parametrize(("schema", "given"), UNCHANGED)
def test_a_fitting_value_is_never_changed(schema: dict[str, Any], given: Any) -> None:
    assert coerce_argument(schema, given) == given


DOUBTFUL: list[tuple[str, Any]] = [
    *(("integer", text) for text in ("007", "+1", "1e3", " 3 ", "3.5", "0x10", "1_000", "1,000", "\u0663", "NaN", "-")),
    ("integer", True),
    ("integer", "9" * 20),
    ("integer", "9" * 5000),
    ("integer", "9007199254740993.0"),
    *(("number", text) for text in ("Infinity", "-Infinity", "NaN", ".5", "5.", "1e3", "9" * 400 + ".5")),
    *(("boolean", value) for value in list[Any]((1, 0, "1", "0", "yes", "on", "tRuE", " true", "null"))),
    *(
        ("object", text)
        for text in ("{", "{'a': 1}", "[]", '"{}"', "null", "a=1", '{"a": NaN}', "{}{}", '{"a":1,"a":2}')
    ),
    ("object", []),
    *(("array", value) for value in list[Any](("a,b", "{}", "a", 3, {}, '["a"', "[" * 500 + "]" * 500))),
    *(("string", value) for value in list[Any]((True, 3.5, 3.0, 2**53, -(2**53), [], {}))),
    ("integer", float(2**53)),
]


@pytest.mark.parametrize(("kind", "given"), DOUBTFUL, ids=[f"{case[0]} {n}" for n, case in enumerate(DOUBTFUL)])
def test_a_doubtful_value_is_refused_by_its_field(kind: str, given: Any) -> None:
    with pytest.raises(InvalidArguments) as caught:
        coerce_argument({"type": kind}, given)
    assert caught.value.field == "it"


def test_all_the_arguments_may_be_text(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenant")
    assert parse_arguments(operation, '{"tenant_id": "t"}') == {"tenant_id": "t"}
    assert refusal(operation, '{"tenant_id": "t", "force": true}').field == "force"
    for raw in ('"{}"', "[]", "t", ""):
        assert refusal(operation, raw).message.id == "arguments.not_object"


# -- what is not given -----------------------------------------------------------------------------------------------


def test_an_empty_filter_of_a_read_is_no_filter(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.SearchTenantUsers")
    empty = dict.fromkeys(operation.input_schema["properties"], "")
    for given in (empty, dict.fromkeys(empty)):
        assert (
            build_request(operation, parse_arguments(operation, given)).target
            == build_request(operation, parse_arguments(operation, {})).target
        )


def test_of_two_arguments_one_may_be_sent_empty(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.CreateSaasUser")
    for empty in ("", None):
        given = {"email": "a@example.com", "sign_in_id": empty, "password": None}
        assert parse_arguments(operation, given) == {"email": "a@example.com"}
        assert refusal(operation, {"email": empty, "sign_in_id": empty}).fault.id == "arguments.exactly_one"


def test_a_required_argument_is_never_left_out(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for name in operation.input_schema.get("required", ()):
            error = (
                refusal(operation, {**minimal_arguments(operation), name: None})
                if not is_nullable(operation, name)
                else None
            )
            assert error is None or error.field == name


def is_nullable(operation: Operation, name: str) -> bool:
    return any(each["type"] == "null" for each in operation.input_schema["properties"][name].get("anyOf", ()))


def test_null_is_left_out_of_a_call_only_where_that_changes_nothing(catalogue: Catalogue) -> None:
    """An update that may reset an omitted field refuses null, which could mean to keep or to clear it."""
    seen = set()
    for operation in catalogue:
        base = minimal_arguments(operation)
        optional = operation.input_schema.get("properties", {}).keys() - set(operation.input_schema.get("required", ()))
        for name in optional - base.keys():
            diff = operation.effects.diff
            keeps = diff is not None and diff.omitted == "keeps"
            creates = diff is None and operation.effects.effect != "update"
            if is_nullable(operation, name):
                assert parse_arguments(operation, {**base, name: None})[name] is None
            elif operation.reads or keeps or creates:
                assert parse_arguments(operation, {**base, name: None}) == base, (operation.key, name)
            else:
                seen.add(operation.key)
                error = refusal(operation, {**base, name: None})
                assert (error.field, error.hint) == (name, message("arguments.type_hint.blank")), operation.key
    assert {"auth.UpdateTenantPlan", "auth.UpdateEnv", "auth.UpdateSaasUserPassword"} <= seen


def test_empty_text_that_a_write_takes_is_sent(catalogue: Catalogue) -> None:
    for key in ("auth.UpdateEnv", "auth.CreateEnv"):
        operation = catalogue.find(key)
        assert parse_arguments(operation, {**minimal_arguments(operation), "display_name": ""})["display_name"] == ""


def test_null_within_an_argument_is_kept_where_only_the_top_level_is_known_to_keep(catalogue: Catalogue) -> None:
    operation = catalogue.find("apigateway.UpdateTenant")
    base = minimal_arguments(operation)
    assert parse_arguments(operation, {**base, "routing": None}) == base
    inner = next(iter(operation.input_schema["properties"]["routing"]["properties"]))
    assert refusal(operation, {**base, "routing": {inner: None}}).field == f"routing.{inner}"


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ("2027-01-01", "time"),
        ("2027/1/1 9:00", "time"),
        ("2027-01-01T00:00:00+09:00", "time"),
        ("2027年1月1日", "time"),
        ("soon", "number"),
        ("12 000", "number"),
    ],
)
def test_a_date_in_place_of_epoch_seconds_gets_the_tool_that_converts_it(
    catalogue: Catalogue, sent: str, hint: str
) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    error = refusal(operation, {"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": sent})
    assert error.field == "using_next_plan_from"
    assert error.hint == one_of("arguments.type_hint", hint)
    assert ("time_convert" in str(error.hint)) is (hint == "time")


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_sent_as_a_number_is_refused_and_not_repeated(catalogue: Catalogue) -> None:
    tried = 0
    for operation in catalogue:
        for name in set(operation.secret_inputs) & operation.input_schema.get("properties", {}).keys():
            if operation.input_schema["properties"][name].get("type") != "string":
                continue
            tried += 1
            error = refusal(operation, {**minimal_arguments(operation), name: 80431377})
            assert error.field == name
            assert "80431377" not in str(error)
            assert error.hint == message("arguments.type_hint.string")
    assert tried > 10


def test_a_secret_inside_json_text_is_as_secret(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.SignIn")
    base = minimal_arguments(operation)
    text = json.dumps({"PASSWORD": "secret://r/abc"})
    assert secret_handles(parse_arguments(operation, {**base, "sign_in_parameters": text})) == ("secret://r/abc",)
    error = refusal(operation, {**base, "sign_in_parameters": json.dumps({"PASSWORD": 80431377})})
    assert (error.field, "80431377" in str(error)) == ("sign_in_parameters.PASSWORD", False)


def test_a_handle_inside_json_text_is_refused_where_none_belongs(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.CreateTenant")
    error = refusal(operation, {**TENANT, "attributes": '{"key": "secret://r/abc"}'})
    assert (error.field, error.fault.id) == ("attributes.key", "arguments.handle")


# -- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({"a": [1] * (MAX_VALUES + 1)}), "too many values"),
        ('{"a": [' + "[]," * 30_000 + "[]]}", "too many values"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested too deeply"),
        ('{"a":' * 200_000, "too many values"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"a": "\\u0000"}', "NUL"),
        (json.dumps({f"k{n}": 1 for n in range(1_001)}), "more than 1,000 fields"),
        ('{"a": 1e400}', "not finite"),
        (json.dumps({"a": 2**64}), "64 bits"),
    ],
)
def test_json_within_text_has_the_same_limits(catalogue: Catalogue, text: str, said: str) -> None:
    error = refusal(catalogue.find("auth.CreateTenant"), {**TENANT, "attributes": text})
    assert error.field.split(".")[0] == "attributes"
    assert said in str(error.message)


def test_many_texts_together_are_within_the_limits_of_one() -> None:
    text = json.dumps([1] * 10_000)
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
    assert coerce_argument(schema, [text]) == [[1] * 10_000]
    with pytest.raises(InvalidArguments, match="more than 60,000 values"):
        coerce_argument(schema, [text] * 50)
