"""Drift from the API's documents: the data is the conforming part, and the text is the whole answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.saasus.client import ApiResponse
from saasus_mcp.saasus.response_schema import MAX_DRIFTS, shape_response
from saasus_mcp.saasus.tool_answer import build_answer
from tests.support.pipeline import sample_value
from tests.support.variants import sample_operations

WRONG = (None, True, 7, 7.5, "text", ["x"], {"x": 1})


def shown(_: str) -> str:
    return "secret://r/hidden"


def places(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, the parent and the key of every value inside a value."""
    if isinstance(value, dict):
        for name in value:
            here = f"{path}.{name}" if path else name
            yield here, value, name
            yield from places(value[name], here)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", value, index
            yield from places(item, f"{path}[{index}]")


@pytest.mark.slow
def test_any_wrong_type_anywhere_leaves_an_answer_that_conforms(catalogue: Catalogue, exhaustive: bool) -> None:
    tried, failures = 0, []
    for operation in sample_operations(catalogue, "any wrong type"):
        validator = Draft202012Validator(operation.output_schema)
        value = sample_value(operation.output_schema)
        for path, holder, key in list(places(value)):
            right = holder[key]
            for wrong in (item for item in WRONG if type(item) is not type(right)):
                holder[key] = wrong
                shaped = shape_response(operation, value, shown)
                tried += 1
                problems = [error.message for error in validator.iter_errors(shaped.conforming)]
                told = any(drift.startswith(f"{path}: expected ") for drift in shaped.drift)
                if problems or (told == validator.is_valid(value) and not operation.secret_outputs):
                    failures.append((operation.key, path, wrong, problems, shaped.drift))
            holder[key] = right
    assert failures == []
    assert tried > (5000 if exhaustive else 200)


def test_a_conforming_answer_is_carried_unchanged(catalogue: Catalogue) -> None:
    for operation in catalogue:
        if not (operation.secret_outputs or operation.scrubbed_outputs):
            value = sample_value(operation.output_schema)
            shaped = shape_response(operation, value, shown)
            assert shaped.conforming == shaped.whole == value, operation.key
            assert shaped.drift == ()


def test_a_missing_field_is_no_drift_and_an_added_one_is_carried(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenant")
    value = {"id": "t-1", "new_field": {"nested": [1, {"deep": True}]}}
    shaped = shape_response(operation, value, shown)
    assert shaped.conforming == value
    assert shaped.drift == ()


def text_of(operation: Operation, value: Any) -> tuple[str, Any]:
    given = build_answer(operation, ApiResponse(200, json.dumps(value).encode(), "t"), shown)
    assert given.ok
    return given.text, given.structured


def test_drift_is_named_and_the_text_carries_the_whole(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenants")
    value = {"tenants": [{"id": "t-1", "name": "A"}, {"id": 2, "name": "B"}, "gone"]}
    text, data = text_of(operation, value)
    assert data == {"tenants": [{"id": "t-1", "name": "A"}, {"name": "B"}]}
    whole, note = text.split("\n[The API's answer differs from its documents: ")
    assert json.loads(whole) == value
    assert note == "tenants[1].id: expected string, got number; tenants[2]: expected object, got string]"


def test_a_value_that_is_no_longer_enumerated_is_named_and_left_out_of_the_data(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenantInvitation")
    text, data = text_of(operation, {"id": "i-1", "status": "snoozed"})
    assert data == {"id": "i-1"}
    assert "status: expected one of " in text
    assert '"status":"snoozed"' in text


@pytest.mark.parametrize("value", [[], "text", 7, True, None, [{"id": "t-1"}]])
def test_an_answer_of_quite_another_kind_leaves_no_data_but_all_the_text(catalogue: Catalogue, value: Any) -> None:
    text, data = text_of(catalogue.find("auth.GetTenant"), value)
    assert data == {}
    assert text.startswith(json.dumps(value, separators=(",", ":")))
    assert "answer: expected object" in text


def test_a_null_where_the_documents_know_none_is_drift_and_a_meaningful_one_is_not(catalogue: Catalogue) -> None:
    text, data = text_of(catalogue.find("auth.GetTenant"), {"id": None, "name": "A"})
    assert data == {"name": "A"}
    assert "id: expected string, got null" in text


def test_much_drift_is_summarised(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenants")
    shaped = shape_response(operation, {"tenants": [{"id": number} for number in range(1000)]}, shown)
    assert len(shaped.drift) == MAX_DRIFTS
    assert shaped.conforming == {"tenants": [{}] * 1000}


def test_a_secret_is_hidden_whatever_it_has_become(catalogue: Catalogue) -> None:
    failures = []
    for operation in catalogue:
        for path in operation.secret_outputs:
            for mark in ("MARK", {"a": "MARK", "b": ["MARK"]}, ["MARK", {"c": "MARK"}], 98989, {"98989": 98989.5}):
                value = sample_value(operation.output_schema)
                node, steps = value, path.replace("[]", ".[]").split(".")
                for step in steps[:-1]:
                    node = node[0] if step == "[]" else node[step]
                node[0 if steps[-1] == "[]" else steps[-1]] = mark
                shaped = shape_response(operation, value, shown)
                said = json.dumps([shaped.whole, shaped.conforming, shaped.drift]).replace('"98989":', "")
                if "MARK" in said or "98989" in said:
                    failures.append((operation.key, path, mark))
    assert failures == []


def test_a_secret_is_hidden_where_its_list_is_now_an_object_or_its_object_a_list(catalogue: Catalogue) -> None:
    failures = []
    for operation in catalogue:
        for path in operation.secret_outputs:
            name = path.split(".")[-1]
            for value in ([{name: "MARK"}], {"wrapped": {name: "MARK"}}, {"items": [{name: "MARK"}]}):
                shaped = shape_response(operation, value, shown)
                if "MARK" in json.dumps([shaped.whole, shaped.conforming]):
                    failures.append((operation.key, path, value))
    assert failures == []


def test_logged_values_lose_their_secrets_in_place(catalogue: Catalogue) -> None:
    tried = 0
    for operation in catalogue:
        for path in operation.scrubbed_outputs:
            value = sample_value(operation.output_schema)
            node, steps = value, path.replace("[]", ".[]").split(".")
            for step in steps[:-1]:
                node = node[0] if step == "[]" else node[step]
            node[steps[-1]] = "/login?token=MARK&page=2"
            shaped = shape_response(operation, value, shown)
            assert "MARK" not in json.dumps([shaped.whole, shaped.conforming]), (operation.key, path)
            assert "page=2" in json.dumps(shaped.conforming), (operation.key, path)
            tried += 1
    assert tried > 5


@pytest.mark.parametrize("logged", ["password=MARK", ["password=MARK"], {"lines": ["ok", ["token: MARK"]]}])
def test_a_text_of_which_the_documents_know_nothing_loses_its_secrets_however_deep_it_stands(
    catalogue: Catalogue, logged: Any
) -> None:
    text, data = text_of(catalogue.find("auth.GetTenant"), {"id": "t-1", "trail": logged})
    assert "MARK" not in text
    assert "MARK" not in json.dumps(data)
    assert "t-1" in text


@pytest.mark.parametrize(
    ("name", "secret"),
    [("client_secret", "hush-1"), ("trail", "Authorization: Bearer hush-2"), ("deep", [{"Session": "hush-3"}])],
)
def test_a_secret_in_one_of_many_items_is_hidden_and_the_others_stay(
    name: str, secret: Any, catalogue: Catalogue
) -> None:
    tenants: list[Any] = [{"id": f"t-{number}", "name": "A", "attributes": {"note": "b"}} for number in range(1000)]
    tenants[700]["attributes"] = {**tenants[700]["attributes"], name: secret}
    text, data = text_of(catalogue.find("auth.GetTenants"), {"tenants": tenants})
    assert "hush" not in text
    assert [each["id"] for each in data["tenants"]] == [each["id"] for each in tenants]
    assert data["tenants"][701:] == tenants[701:]
