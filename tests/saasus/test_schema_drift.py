"""Comparison of answers with the documents: every kind of deviation is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.saasus.schema_drift import MAX_DEVIATIONS, SchemaComparison
from saasus_mcp.saasus.secret_paths import REMOVED

ROWS: dict[str, Any] = json.loads(FACTS.read_bytes())
USER = {
    "id": "u",
    "tenant_id": "t",
    "tenant_name": "n",
    "email": "e",
    "sign_in_id": "",
    "attributes": {"any": 1},
    "envs": [],
}
FIXED = {
    "id": "1",
    "used": True,
    "unit_amount": 1,
    "recurring_interval": "month",
    "name": "n",
    "display_name": "d",
    "description": "",
    "type": "fixed",
    "currency": "JPY",
}


def find_deviations(key: str, *answers: Any, status: int = 200) -> list[tuple[str, str, str, str, str]]:
    comparison = SchemaComparison(ROWS[key])
    for answer in answers:
        comparison.add(status, answer)
    return [(one.place, one.kind, one.documented, one.seen, one.often) for one in comparison.deviations()]


def users(**change: Any) -> dict[str, Any]:
    return {"users": [{name: value for name, value in {**USER, **change}.items() if value is not ...}]}


def test_an_answer_as_documented_differs_in_nothing() -> None:
    assert find_deviations("auth.GetTenantUsers", users()) == []
    assert find_deviations("pricing.GetPricingUnits", {"units": [FIXED]}) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (users(email=...), ("users[].email", "missing", "string", "", "always")),
        (users(email=12), ("users[].email", "type", "string", "integer", "always")),
        (users(email=None), ("users[].email", "type", "string", "null", "always")),
        (users(envs={}), ("users[].envs", "type", "array", "object", "always")),
        (users(nick_name="x"), ("users[].nick_name", "undocumented_field", "", "string", "always")),
        (users(nick_name=REMOVED), ("users[].nick_name", "undocumented_field", "", "secret", "always")),
        ({}, ("users", "missing", "array", "", "always")),
        ([], ("", "type", "object", "array", "always")),
        ({"users": [users()["users"][0], users(email=1)["users"][0]]}, ("users[].email", "type", "string", "integer", "sometimes")),
    ],
)  # fmt: skip
def test_each_kind_of_difference_is_reported(answer: Any, expected: tuple[str, ...]) -> None:
    assert find_deviations("auth.GetTenantUsers", answer) == [expected]


def test_a_value_that_is_not_documented_is_reported_by_its_class() -> None:
    deviations = find_deviations("pricing.GetPricingUnits", {"units": [{**FIXED, "currency": "EURO-CANARY"}]})
    assert deviations == [("units[].currency", "undocumented_value", "string", "string, 9 to 32 characters", "always")]


def test_an_object_is_held_to_the_variant_that_it_fits_best() -> None:
    deviations = find_deviations("pricing.GetPricingUnits", {"units": [{**FIXED, "used": "yes"}]})
    assert deviations == [("units[].used", "type", "boolean", "string", "always")]


def test_a_secret_that_was_removed_is_not_called_another_type() -> None:
    assert find_deviations("auth.GetTenantUsers", users(email=REMOVED, envs=REMOVED)) == []


def test_keys_that_may_be_values_are_withheld() -> None:
    deviations = find_deviations("auth.GetTenantUsers", users(**{"minami@example.jp": 1, "0f8fad5b": 2, "名前": 3}))
    assert {place for place, *_ in deviations} == {"users[].(name withheld)"}
    only_strangers = {"users": {"tanaka": 1, "suzuki": 2}, "yamada": 3}
    assert "yamada" in str(find_deviations("auth.GetTenantUsers", only_strangers)), (
        "a documented field stands beside it"
    )
    assert "yamada" not in str(find_deviations("auth.GetTenantUsers", {"yamada": 3})), (
        "nothing documented stands beside it"
    )


def test_statuses_are_known_as_the_documents_write_them() -> None:
    comparison = SchemaComparison(ROWS["auth.GetTenantUsers"])
    assert [status for status in (200, 201, 404, 500) if comparison.documents_status(status)] == [200, 500]
    assert SchemaComparison({"statuses": ["2XX", "default"], "fields": {}}).documents_status(404)


def test_the_report_of_one_read_is_bounded() -> None:
    rows = [{f"{'x' * (1 + at % 30)}_{'y' * (1 + at // 30)}": at, "id": "u"} for at in range(900)]
    assert len(find_deviations("auth.GetTenantUsers", {"users": rows})) <= MAX_DEVIATIONS
