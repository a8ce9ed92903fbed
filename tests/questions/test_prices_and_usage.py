"""Questions about prices, usage, endpoints and keys: numbers before and after, names for ids, and every omission announced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.permissions.inspection.inspect import CallInspector
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.sandbox.state import uid
from scripts.stage import PLACE, REQUESTER, ask
from scripts.story import ORDERS

CATALOGUE = load_catalogue()
AOZORA = uid("tenant", "aozora")
NOW = 1_773_800_000
PRESENT_TIERS = [
    {"up_to": 100, "unit_amount": 0, "flat_amount": 0, "inf": False},
    {"up_to": 1_000, "unit_amount": 20, "flat_amount": 500, "inf": False},
    {"up_to": 0, "unit_amount": 10, "flat_amount": 2_000, "inf": True},
]
METER = {"tenant_id": AOZORA, "metering_unit_name": "orders", "timestamp": NOW}
LIVE = {
    "path": "/orders",
    "method": "GET",
    "throttlings": [{"target": "tenant", "range": 60, "limit": 600}],
    "role_names": ["admin", "editor", "viewer"],
    "mapping_endpoint_id": "orders.OrderService/list",
}


def lines(key: str, values: dict[str, Any], *first: tuple[str, dict[str, Any]]) -> list[str]:
    question = anyio.run(lambda: ask(CATALOGUE, key, values, *first))
    return render_dialog(question, Reader.of("en")).splitlines()


def test_values_that_are_there_already_are_shown_if_nothing_else_changes() -> None:
    said = lines("auth.UpdateSignInSettings", {"self_regist": {"enable": True}})
    assert said[1] == "Self sign-up: Self sign-up allowed"
    assert any(each.startswith("Not sent; the API does not say whether they are kept: ") for each in said)


@pytest.mark.parametrize(
    ("method", "count", "headline", "after"),
    [
        ("add", 20, "Add 20 to “受注件数”", 250),
        ("sub", 200, "Subtract 200 from “受注件数”", 30),
        ("sub", 300, "Subtract 300 from “受注件数”", 0),
        ("direct", 5, "Overwrite “受注件数” of “株式会社青空商事” with 5", 5),
    ],
)
def test_usage_is_compared_company_by_company_now_and_then(method: str, count: int, headline: str, after: int) -> None:
    key = "pricing.UpdateMeteringUnitTimestampCount"
    recorded = (key, {**METER, "method": "direct", "count": 230})
    said = lines(key, {**METER, "method": method, "count": count}, recorded)
    assert headline in said[0]
    assert "“株式会社青空商事”" in said[0]
    assert said[1:3] == ["Time: Wed 18 Mar 2026, 02:13 UTC", f"Count at this moment: now 230, then {after}"]


@pytest.mark.parametrize(
    ("year", "said"),
    [
        (2096, "Time: this is more than one year ahead. Check the date."),
        (2001, "Time: this is more than one year ago. Check the date."),
        (2026, ""),
    ],
)
def test_usage_of_another_time_than_a_person_means_is_pointed_out(year: int, said: str) -> None:
    at = int(datetime(year, 3, 18, tzinfo=UTC).timestamp())
    told = lines("pricing.UpdateMeteringUnitTimestampCount", {**METER, "timestamp": at, "method": "add", "count": 2})
    assert [line for line in told if "Check the date" in line] == ([f"⚠ {said}"] if said else [])


def test_subtracting_more_than_is_recorded_is_pointed_out() -> None:
    said = lines("pricing.UpdateMeteringUnitTimestampCount", {**METER, "method": "sub", "count": 1})
    assert "⚠ Less is recorded at this moment than is subtracted." in said


@pytest.mark.parametrize(("method", "warned"), [("sub", True), ("add", False), ("direct", False)])
def test_subtracting_at_the_present_moment_warns_that_little_is_recorded_at_it(method: str, *, warned: bool) -> None:
    args = {name: item for name, item in METER.items() if name != "timestamp"}
    said = lines("pricing.UpdateMeteringUnitTimestampCountNow", {**args, "method": method, "count": 7})
    assert any("Probably more than is recorded at this moment" in line for line in said) is warned


def test_a_price_comes_before_other_changes_and_a_removed_tier_is_seen() -> None:
    tiers = [
        {"up_to": 100, "unit_amount": 0, "flat_amount": 0, "inf": False},
        {"up_to": 0, "unit_amount": 15, "flat_amount": 0, "inf": True},
    ]
    said = lines("pricing.UpdatePricingUnit", {**ORDERS, "description": "new", "tiers": tiers})
    assert said[1] == (
        "Tiers: up to 100: ¥0; up to 1,000: ¥500 + ¥20 each; above: ¥2,000 + ¥10 each → up to 100: ¥0; above: ¥15 each"
    )
    assert "Plans that include it: 2" in said


def test_an_amount_is_shown_in_its_own_currency_before_and_after() -> None:
    usage = {
        **ORDERS,
        "pricing_unit_id": uid("unit", "api_usage"),
        "type": "usage",
        "unit_amount": 3,
        "currency": "USD",
    }
    said = lines("pricing.UpdatePricingUnit", usage)
    assert said[1:3] == ["Unit price: ¥2 → $3", "Currency: Japanese yen → US dollars"]


def test_the_question_on_deleting_a_plan_shows_its_prices_and_tenants() -> None:
    said = lines("pricing.DeletePricingPlan", {"plan_id": uid("plan", "global")})
    assert said[0].endswith("Delete the pricing plan “Global plan”")
    assert said[1] == "Tenants on this plan: 1"
    assert "$490/month" in said[2]


def test_deleting_the_whole_price_list_says_how_many_of_everything_go() -> None:
    said = "\n".join(lines("pricing.DeleteAllPlansAndMenusAndUnitsAndMetersAndTaxRates", {}))
    for part in ("Pricing plans: 5", "Tenants with a plan: 3", "6 feature menus, 9 pricing units", "3 tax rates"):
        assert part in said


def test_endpoints_that_go_or_change_are_reported_one_by_one() -> None:
    opened = {**LIVE, "role_names": [], "throttlings": []}
    said = "\n".join(lines("apigateway.UpdateApiGatewaySettings", {"endpoint_settings_list": [opened]}))
    for part in (
        "Endpoints that are removed: “POST /orders”, “GET /invoices”",
        "Roles from now on: “GET /orders”: none",
        "Roles until now: “GET /orders”: “管理者 (admin)”",
        "Limits from now on: “GET /orders”: none",
    ):
        assert part in said


def test_an_endpoint_that_runs_another_function_is_reported() -> None:
    other = {**LIVE, "mapping_endpoint_id": "orders.Other/run"}
    said = "\n".join(lines("apigateway.UpdateApiGatewaySettings", {"endpoint_settings_list": [other]}))
    assert "Functions from now on: “GET /orders”: orders.Other/run" in said


def test_a_key_is_shown_by_its_owner_and_never_itself() -> None:
    said = lines("apigateway.RefreshClientSecret", {"api_key": "sandbox-gateway-key-1"})
    assert said[0].endswith("Replace the client secret of an API key of “株式会社青空商事”")
    assert said[1] == "Environment: “本番環境 (prod)”"
    assert "sandbox-gateway-key-1" not in "\n".join(said)


def test_a_headline_stays_a_sentence_where_a_name_is_not_known() -> None:
    said = lines("apigateway.RefreshClientSecret", {"api_key": "no such key"})
    assert said[0].endswith("Replace the client secret of an API key")


async def test_endpoints_are_shown_as_they_are_sent_where_the_present_ones_cannot_be_read() -> None:
    async def refuse(_key: str, _args: object) -> ReadResult:
        return ReadResult(read_error="no_answer")

    operation = CATALOGUE.find("apigateway.UpdateApiGatewaySettings")
    args = {"endpoint_settings_list": [{**LIVE, "role_names": ["everyone"]}]}
    seen = await CallInspector(OperationCall(operation, args), PLACE.saas_id, refuse).inspect()
    said = render_dialog(
        await build_question(QuestionInput(operation, args, PLACE, REQUESTER, seen, 0), refuse), Reader.of("en")
    ).splitlines()
    assert "⚠ The current state could not be read: no answer" in said
    endpoints = next(line for line in said if line.startswith("Endpoints:"))
    assert "/orders" in endpoints
    assert "everyone" in endpoints
    assert not [line for line in said if line.endswith(": none")], "what could not be seen is not nothing"


async def test_the_reason_of_the_requester_stands_in_the_question() -> None:
    async def refuse(_key: str, _args: object) -> ReadResult:
        return ReadResult(read_error="no_answer")

    operation, args = CATALOGUE.find("auth.DeleteTenant"), {"tenant_id": AOZORA}
    seen = await CallInspector(OperationCall(operation, args), PLACE.saas_id, refuse).inspect()
    question = await build_question(
        QuestionInput(operation, args, PLACE, REQUESTER, seen, 0, reason="Ticket 4711: contract ended"), refuse
    )
    for language in ("en", "ja"):
        assert "Ticket 4711: contract ended" in render_dialog(question, Reader.of(language))


@pytest.mark.parametrize(
    ("unit", "more", "said"),
    [
        (
            "base_business",
            {"type": "fixed", "currency": "USD", "recurring_interval": "month", "unit_amount": 49_800},
            "Unit price: ¥49,800/month → $49,800/month",
        ),
        (
            "base_business",
            {"type": "fixed", "currency": "JPY", "recurring_interval": "year", "unit_amount": 49_800},
            "Unit price: ¥49,800/month → ¥49,800/year",
        ),
        (
            "orders_tiered_usage",
            {**ORDERS, "currency": "USD", "tiers": PRESENT_TIERS},
            "above: ¥2,000 + ¥10 each → up to 100: $0;",
        ),
    ],
)
def test_an_amount_that_becomes_another_price_is_shown_though_its_number_stays(
    unit: str, more: dict[str, Any], said: str
) -> None:
    args = {"pricing_unit_id": uid("unit", unit), "name": unit, "display_name": unit, "description": unit, **more}
    assert said in lines("pricing.UpdatePricingUnit", args)[1]


def test_a_price_that_stays_is_no_change() -> None:
    args = {"pricing_unit_id": uid("unit", "base_business"), "name": "base_business", "display_name": "New name"}
    more = {
        "description": "x",
        "type": "fixed",
        "currency": "JPY",
        "recurring_interval": "month",
        "unit_amount": 49_800,
    }
    assert not [line for line in lines("pricing.UpdatePricingUnit", {**args, **more}) if "49,800" in line]
