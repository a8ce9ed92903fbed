"""Arguments: valid ones pass unchanged, and invalid ones are refused with the field's name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.jobs import load_jobs
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.saasus.arguments import check_arguments, secret_handles
from saasus_mcp.saasus.validation import PATTERN_FORMS, strict_validator
from tests.support.arguments import body_variants, complete_arguments, minimal_arguments

VALUES: dict[str, Any] = {
    "string": "text",
    "integer": 7,
    "number": 7.5,
    "boolean": True,
    "array": [["nested"]],
    "object": {"no_such_field": 1},
    "null": None,
}
FITS = {("number", "integer")}
"""Types whose values another type accepts: an integer is a number."""


def refusal(operation: Operation, arguments: Any) -> InvalidArguments:
    with pytest.raises(InvalidArguments) as caught:
        check_arguments(operation, arguments)
    return caught.value


def accepted_types(schema: dict[str, Any]) -> set[str]:
    """Return the types that a field accepts, including a meaningful null."""
    return {kind for branch in schema.get("anyOf", [schema]) for kind in [branch["type"]]}


def wrong_values(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield a value of every type that the field does not accept."""
    taken = accepted_types(schema)
    for kind, value in VALUES.items():
        if kind not in taken and not any((own, kind) in FITS for own in taken):
            yield value


def test_complete_and_minimal_arguments_pass_unchanged(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for shape in body_variants(operation):
            for arguments in (complete_arguments(operation, shape), minimal_arguments(operation, shape)):
                assert check_arguments(operation, arguments) == arguments, operation.key


def test_every_wrong_type_at_every_field_is_refused_by_the_fields_name(catalogue: Catalogue) -> None:
    tried, failures = 0, []
    for operation in catalogue:
        base = complete_arguments(operation)
        for name, schema in operation.input_schema.get("properties", {}).items():
            for value in wrong_values(schema):
                tried += 1
                try:
                    check_arguments(operation, {**base, name: value})
                except InvalidArguments as error:
                    if error.field.split(".")[0].split("[")[0] == name and str(error).startswith(error.field + ": "):
                        continue
                    failures.append((operation.key, name, value, str(error)))
                else:
                    failures.append((operation.key, name, value, "accepted"))
    assert failures == []
    assert tried > 2000


def test_every_wrong_type_below_the_top_is_refused_by_its_whole_path(catalogue: Catalogue) -> None:
    tried = 0
    for operation in catalogue:
        base = complete_arguments(operation)
        for name, schema in operation.input_schema.get("properties", {}).items():
            if "properties" not in schema.get("items", schema) or operation.variants:
                continue
            listed = "items" in schema
            for inner, field in schema.get("items", schema)["properties"].items():
                for value in wrong_values(field):
                    tried += 1
                    changed = {**(base[name][0] if listed else base[name]), inner: value}
                    error = refusal(operation, {**base, name: [changed] if listed else changed})
                    place = f"{name}[0].{inner}" if listed else f"{name}.{inner}"
                    assert error.field.startswith(place), (operation.key, error.field)
    assert tried > 200


def test_every_required_argument_is_missed_by_name(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for name in operation.input_schema.get("required", ()):
            arguments = {key: value for key, value in complete_arguments(operation).items() if key != name}
            error = refusal(operation, arguments)
            assert error.field == name, (operation.key, name, error.field)


def test_all_missing_arguments_are_named_at_once(catalogue: Catalogue) -> None:
    for operation in catalogue:
        if required := operation.input_schema.get("required"):
            error = refusal(operation, {})
            assert all(name in f"{error} {error.hint}" for name in required), operation.key


def test_an_unknown_argument_is_refused_by_every_operation(catalogue: Catalogue) -> None:
    for operation in catalogue:
        error = refusal(operation, {**complete_arguments(operation), "force": True})
        assert error.field == "force", operation.key
        assert all(name in str(error.hint) for name in operation.input_schema.get("properties", {}))


def test_an_unknown_field_in_a_nested_object_is_refused(catalogue: Catalogue) -> None:
    tried = 0
    for operation in catalogue:
        base = complete_arguments(operation)
        for name, value in base.items():
            schema = operation.input_schema["properties"][name]
            if isinstance(value, dict) and "properties" in schema:
                tried += 1
                error = refusal(operation, {**base, name: {**value, "sneaked_in": 1}})
                assert error.field == f"{name}.sneaked_in", operation.key
    assert tried > 20


def test_a_value_outside_an_enumeration_is_refused_with_what_is_accepted(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    error = refusal(operation, {**complete_arguments(operation), "proration_behavior": "sometimes"})
    assert error.field == "proration_behavior"
    for name in ("create_prorations", "none", "always_invoice"):
        assert name in str(error)
    assert "sometimes" not in str(error), "text that was given may be a secret"


@pytest.mark.parametrize("key", ["pricing.CreatePricingUnit", "pricing.UpdatePricingUnit"])
def test_a_body_of_several_shapes_is_held_to_the_shape_it_names(catalogue: Catalogue, key: str) -> None:
    operation = catalogue.find(key)
    assert set(body_variants(operation)) == {"fixed", "usage", "tiered", "tiered_usage"}
    for shape in body_variants(operation):
        given = complete_arguments(operation, shape)
        for other in body_variants(operation):
            if set(complete_arguments(operation, other)) != set(given):
                error = refusal(operation, {**given, "type": other})
                assert f"with type {other}" in str(error)
        body = set(given) - set(operation.path_parameters)
        for name in sorted(body - {"type", "recurring_interval", "aggregate_usage"}):
            assert refusal(operation, {k: v for k, v in given.items() if k != name}).field == name


def test_exactly_one_of_email_and_sign_in_id_is_given(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.CreateSaasUser")
    check_arguments(operation, {"email": "a@example.com"})
    check_arguments(operation, {"sign_in_id": "a"})
    for arguments in ({}, {"email": "a@example.com", "sign_in_id": "a"}):
        assert refusal(operation, arguments).fault == message("arguments.exactly_one", names=("email", "sign_in_id"))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400, 1e19, -1e300])
def test_a_number_beyond_64_bits_is_refused(catalogue: Catalogue, number: float) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    assert (
        refusal(operation, {**minimal_arguments(operation), "using_next_plan_from": number}).field
        == "using_next_plan_from"
    )


@pytest.mark.parametrize("number", [2**63 - 1, 2**53 + 1, 0, -1])
def test_a_number_of_64_bits_keeps_every_digit(catalogue: Catalogue, number: int) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    values = check_arguments(operation, {**minimal_arguments(operation), "using_next_plan_from": number})
    assert values["using_next_plan_from"] == number


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_an_invalid_number_is_refused(catalogue: Catalogue, number: float) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    error = refusal(operation, {**minimal_arguments(operation), "using_next_plan_from": number})
    assert (error.field, error.fault.id) == ("using_next_plan_from", "arguments.not_finite")


def test_a_whole_number_written_as_a_float_is_an_integer(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetEnv")
    value = check_arguments(operation, {"env_id": 3.0})["env_id"]
    assert (value, type(value)) == (3, int)
    assert refusal(operation, {"env_id": 3.5}).field == "env_id"
    assert refusal(operation, {"env_id": True}).field == "env_id"
    assert refusal(operation, {"env_id": "3"}).field == "env_id"


@pytest.mark.parametrize("half", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_half_a_character_is_refused_wherever_it_stands(catalogue: Catalogue, half: str) -> None:
    role = catalogue.find("auth.CreateRole")
    assert refusal(role, {"role_name": half, "display_name": "x"}).field == "role_name"
    tenant = catalogue.find("auth.CreateTenant")
    for attributes in ({"key": half}, {half: "value"}):
        error = refusal(tenant, {**minimal_arguments(tenant), "attributes": attributes})
        assert error.field.startswith("attributes")
        str(error).encode()
    str(refusal(role, {"role_name": "x", "display_name": "x", half: "x"})).encode()


def test_nesting_without_end_is_refused(catalogue: Catalogue) -> None:
    tenant = catalogue.find("auth.CreateTenant")
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert refusal(tenant, {**minimal_arguments(tenant), "attributes": {"key": deep}}).field == "attributes"


@pytest.mark.parametrize("raw", [None, [], "text", 1, True, [["tenant_id", "t"]]])
def test_arguments_that_are_no_object_are_refused(catalogue: Catalogue, raw: Any) -> None:
    assert refusal(catalogue.find("auth.GetTenant"), raw).message.id == "arguments.not_object"


@pytest.mark.parametrize("date", ["2026-02-30", "2026-1-1", "yesterday", "2026-01-31T00:00:00Z", "", "2026-01-31 "])
def test_a_date_is_a_day_of_the_calendar(catalogue: Catalogue, date: str) -> None:
    operation = catalogue.find("apilog.GetLogs")
    assert check_arguments(operation, {"created_date": "2024-02-29"})
    assert refusal(operation, {"created_date": date}).field == "created_date"


@pytest.mark.parametrize(
    "moment", ["2026-01-31", "2026-01-31T10:00:00", "2026-01-31T25:00:00Z", "now", "", "2026-01-31T10Z\n"]
)
def test_a_moment_has_a_time_and_an_offset(catalogue: Catalogue, moment: str) -> None:
    operation = catalogue.find("apilog.GetLogs")
    for good in ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00.5+09:00"):
        assert check_arguments(operation, {"created_at": good})
    assert refusal(operation, {"created_at": moment}).field == "created_at"


@pytest.mark.parametrize("country", ["jp", "JPN", "J", "", "JP\n", "\nJP", "\uff2a\uff30"])
def test_a_country_is_two_capital_letters_and_nothing_more(catalogue: Catalogue, country: str) -> None:
    operation = catalogue.find("pricing.CreateTaxRate")
    assert check_arguments(operation, complete_arguments(operation) | {"country": "JP"})
    refused = refusal(operation, complete_arguments(operation) | {"country": country})
    assert refused.field == "country"
    assert "two capital letters" in str(refused)


def test_an_error_never_repeats_a_text_that_was_given(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for name, schema in operation.input_schema.get("properties", {}).items():
            if "string" not in accepted_types(schema):
                error = refusal(operation, {**complete_arguments(operation), name: "hush-hush-hush"})
                assert "hush" not in str(error), operation.key


def test_a_long_name_that_nobody_knows_is_not_repeated_at_length(catalogue: Catalogue) -> None:
    long = "x" * 10_000
    assert len(str(refusal(catalogue.find("auth.GetTenant"), {"tenant_id": "t", long: 1}))) < 500
    operation = catalogue.find("auth.UpdateNotificationMessages")
    nested = complete_arguments(operation)
    field = next(name for name, value in nested.items() if isinstance(value, dict))
    assert len(str(refusal(operation, {**nested, field: {**nested[field], long: 1}}))) < 1500


def test_handles_are_found_wherever_they_stand(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.UpdateIdentityProvider")
    given = complete_arguments(operation)
    given["identity_provider_props"]["application_secret"] = "secret://r/abc"
    assert secret_handles(check_arguments(operation, given)) == ("secret://r/abc",)
    given["identity_provider_props"]["approval_scope"] = "secret://r/abc"
    error = refusal(operation, given)
    assert error.field == "identity_provider_props.approval_scope"
    assert "identity_provider_props.application_secret" in str(error.hint)


def test_a_handle_is_accepted_everywhere_in_a_secret_map(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.RespondToSignInChallenge")
    given = {**complete_arguments(operation), "challenge_responses": {"NEW_PASSWORD": "secret://r/abc"}}
    assert secret_handles(check_arguments(operation, given)) == ("secret://r/abc",)


def test_a_field_whose_name_begins_like_a_secrets_takes_no_handle(catalogue: Catalogue) -> None:
    operation = replace(catalogue.find("auth.CreateSaasUser"), secret_inputs=("em", "password"))
    check_arguments(operation, {"email": "a@example.com", "password": "secret://NAME"})
    with pytest.raises(InvalidArguments, match="secret handle is not accepted here"):
        check_arguments(operation, {"email": "secret://NAME", "password": "hush-hush"})


def test_a_list_that_is_too_long_is_refused_before_its_items(catalogue: Catalogue) -> None:
    operation = bounded_list(catalogue)
    [name] = [name for name, schema in operation.input_schema["properties"].items() if "maxItems" in schema]
    most = operation.input_schema["properties"][name]["maxItems"]
    caught = refusal(operation, {**minimal_arguments(operation), name: [None] * (most + 1)})
    assert (caught.field, str(caught.fault)) == (name, f"the list has more than {most:,} items.")


def bounded_list(catalogue: Catalogue) -> Operation:
    """Return an operation with a limit of items in a list."""
    schemas = ((each, each.input_schema.get("properties", {}).values()) for each in catalogue)
    return next(each for each, fields in schemas if any("maxItems" in field for field in fields))


def test_the_first_error_of_several_unions_and_fields_is_reported(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.UpdateCustomizePages")
    caught = refusal(
        operation,
        {
            "sign_in_page": {
                "html_contents": 1,
                "is_terms_of_service": "yes",
                "is_privacy_policy": True,
                "no_such": 1,
            }
        },
    )
    assert "no_such" in caught.field, "a field that is not declared comes before those that are"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({f"k{n}": "x" for n in range(1_001)}, "more than 1,000 fields"),
        ([["x"] * 300] * 300, "more than 60,000 values"),
        (["x"] * 10_001, "more than 10,000 items"),
        ("x" * (8 * 1024 * 1024 + 1), "million characters"),
        ({"x" * (8 * 1024 * 1024 + 1): "x"}, "million characters"),
    ],
    ids=["fields", "values", "items", "characters", "characters of a name"],
)
def test_arguments_beyond_every_tool_are_refused_with_the_limit(catalogue: Catalogue, value: Any, said: str) -> None:
    caught = refusal(catalogue.find("auth.CreateTenant"), {"name": "x", "attributes": value})
    assert said in str(caught.message)
    assert len(str(caught)) < 400


@pytest.mark.parametrize(
    "value", [{"a": "x" * 32_769}, {"a": "x" * 20_000, "b": "x" * 20_000}, {f"k{n}": "xxxx" for n in range(101)}]
)
def test_secrets_are_few_and_short_since_every_answer_is_searched_for_them(catalogue: Catalogue, value: Any) -> None:
    operation = catalogue.find("auth.RespondToSignInChallenge")
    caught = refusal(operation, {**complete_arguments(operation), "challenge_responses": value})
    assert caught.fault.id == "arguments.too_many_secrets"
    assert caught.field == "challenge_responses"


@pytest.mark.parametrize("value", [{"a": "x" * 20_000}, {f"k{n}": "xxxx" for n in range(90)}])
def test_secrets_within_the_limits_are_accepted(catalogue: Catalogue, value: Any) -> None:
    operation = catalogue.find("auth.RespondToSignInChallenge")
    arguments = {**complete_arguments(operation), "challenge_responses": value}
    assert check_arguments(operation, arguments)["challenge_responses"] == value


def test_a_refusal_is_explained_in_the_readers_language(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenant")
    assert refusal(operation, {}).text("ja") == "tenant_id: 必須ですが、指定されていません。"
    assert refusal(operation, {"tenant_id": True}).text("ja") == (
        "tenant_id: 文字列を指定してください(指定された値: true)。"
    )
    assert refusal(operation, {"tenant_id": 1}).text("en") == (
        "tenant_id: expected string, got a number. "
        "Send it as text, in quotation marks: a number can lose zeros and digits."
    )


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (math.inf, "Send a finite number."),
        (10**30, "at most 9223372036854775807"),
        ("\ud800", "Send the whole character."),
        ("31.1.2026", "Write it as 2026-01-31."),
        ("2026-02-29", "a day of the calendar"),
    ],
)
def test_a_value_of_no_form_is_refused_with_the_fix(value: object, fix: str, catalogue: Catalogue) -> None:
    error = refusal(catalogue.find("apilog_get_logs"), {"created_date": value})
    assert error.field == "created_date"
    assert fix in str(error)


def test_every_pattern_has_a_form_in_words(catalogue: Catalogue) -> None:
    schemas: list[Any] = [*(each.input_schema for each in catalogue), *(job.input_schema for job in load_jobs())]
    patterns = set[str]()
    while schemas:
        schema = schemas.pop()
        inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        schemas += inner
        if isinstance(schema, dict) and isinstance(schema.get("pattern"), str):
            patterns.add(strict_validator({"pattern": schema["pattern"]})["pattern"])
    assert patterns == PATTERN_FORMS.keys()


def test_the_only_value_that_is_accepted_is_not_one_of_several(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.SignIn")
    error = refusal(operation, {**complete_arguments(operation), "sign_in_flow": "other"})
    assert error.text("ja") == 'sign_in_flow: "USER_SRP_AUTH"を指定してください(指定された値: 5文字の文字列)。'
