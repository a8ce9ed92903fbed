"""What a preview says of a call's reach: counted and shown by its recipe, bounded, and never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import ImpactMetric
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.inspection import impact as module
from saasus_mcp.permissions.inspection.impact import Impact, assess_impact, count_rows
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from tests.support.reads import AOZORA, TENANT, FakeApi

MARCH = date(2026, 3, 18)


def unreadable(found: Impact) -> dict[str, str | Text]:
    """Return why a metric is unknown, by name."""
    return {item.name: item.read_error for item in found.findings if item.read_error}


def member(user: str, tenant: str) -> dict[str, Any]:
    return {"id": user, "tenant_id": tenant, "envs": [{"id": 3, "roles": [{"role_name": "admin"}]}], "attributes": {}}


WHOLE = {
    "auth.GetAllTenantUsers": {
        "users": [member("u1", "t1"), member("u2", "t1"), member("u2", "t2"), member("u3", "t2")]
    },
    "auth.GetTenantInvitations": {"invitations": [{"status": "pending"}, {"status": "accepted"}]},
    "auth.GetStripeCustomer": {"customer_id": "cus_1"},
    "awsmarketplace.GetCustomers": {"customers": []},
    "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth": {
        "counts": [{"metering_unit_name": "calls", "count": 7}, {"metering_unit_name": "fax", "count": 0}]
    },
}


async def test_deleting_a_tenant_says_whom_and_what_it_takes_along(catalogue: Catalogue) -> None:
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, FakeApi(WHOLE), MARCH
    )
    assert found.counts == {"users": 2, "users_left_without_tenant": 1, "open_invitations": 1}
    assert found.displayed == {
        "plan": ("p1",),
        "stripe_customer": True,
        "marketplace_contract": False,
        "usage_this_month": ('{"count":7,"metering_unit_name":"calls"}',),
    }
    assert found.affected_users == 2
    assert unreadable(found) == {}


async def test_a_read_shared_by_two_measures_is_made_once(catalogue: Catalogue) -> None:
    api = FakeApi(WHOLE)
    await assess_impact(OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, api, MARCH)
    keys = [key for key, _ in api.asked]
    assert sorted(keys) == sorted(WHOLE)
    assert ("pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth", {**TENANT, "month": "2026-03"}) in api.asked


async def test_a_failed_read_is_reported_with_the_reason_and_counts_as_unknown(catalogue: Catalogue) -> None:
    answers = {key: answer for key, answer in WHOLE.items() if key != "auth.GetAllTenantUsers"}
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, FakeApi(answers), MARCH
    )
    assert unreadable(found) == {"users": "HTTP 500", "users_left_without_tenant": "HTTP 500"}
    assert found.affected_users is None


@pytest.mark.parametrize(
    ("sent", "concerns"),
    [
        ({"next_plan_id": "p-2"}, {"prices_now", "prices_then"}),
        ({"next_plan_id": "p-2", "using_next_plan_from": 1_900_000_000}, {"prices_now", "prices_then"}),
        ({"next_plan_id": "p-2", "delete_usage": True}, {"prices_now", "prices_then", "usage_this_month"}),
        ({"next_plan_id": "p-2", "delete_usage": False}, {"prices_now", "prices_then"}),
        ({"next_plan_id": "", "using_next_plan_from": 1_900_000_000}, {"prices_now", "period_end"}),
        ({"next_plan_id": "", "using_next_plan_from": 1_800_000_000}, {"prices_now"}),
        ({"next_plan_id": ""}, set()),
    ],
)
async def test_a_change_of_plan_reads_what_this_very_call_concerns(
    catalogue: Catalogue, sent: dict[str, Any], concerns: set[str]
) -> None:
    key = "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth"
    api = FakeApi({"pricing.GetPricingPlan": {"pricing_menus": [{"units": []}]}, key: WHOLE[key]})
    tenant = {**AOZORA, "current_plan_period_end": 1_800_000_000}
    found = await assess_impact(
        OperationCall(catalogue.find("auth.UpdateTenantPlan"), {**TENANT, **sent}), tenant, api, MARCH
    )
    assert {name for name, value in found.displayed.items() if value} == {"plan", *concerns}


async def test_a_read_that_is_refused_inside_the_server_is_said_too(catalogue: Catalogue) -> None:
    answers = {
        **WHOLE,
        "auth.GetStripeCustomer": SaasusMcpError(message("store.unusable", reason="The store is locked")),
    }
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, FakeApi(answers), MARCH
    )
    assert unreadable(found) == {"stripe_customer": message("store.unusable", reason="The store is locked").both()}


async def test_an_answer_without_the_field_is_no_zero(catalogue: Catalogue) -> None:
    answers = {**WHOLE, "auth.GetAllTenantUsers": {"people": []}, "auth.GetStripeCustomer": {}}
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, FakeApi(answers), MARCH
    )
    assert set(unreadable(found)) == {"users", "users_left_without_tenant", "stripe_customer"}
    assert set(unreadable(found).values()) == {"not_in_answer"}


async def test_without_its_target_nothing_that_rests_on_it_is_read(catalogue: Catalogue) -> None:
    api = FakeApi(WHOLE)
    found = await assess_impact(OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), None, api, MARCH)
    assert unreadable(found) == {"plan": "target_unread"}
    assert "pricing.GetPricingPlan" not in [key for key, _ in api.asked]


async def test_no_comparison_with_an_unread_target(catalogue: Catalogue) -> None:
    api = FakeApi({"apigateway.GetApiGatewaySettings": {"endpoint_settings_list": [{"path": "/a", "method": "GET"}]}})
    found = await assess_impact(OperationCall(catalogue.find("apigateway.ApplyDraftApiGatewaySettings"), {}), None, api)
    assert found.counts == {"endpoints_now": 1}
    assert set(unreadable(found)) == {"endpoints_then", "endpoints_vanishing"}


async def test_where_there_is_nothing_to_look_up_nothing_is_found(catalogue: Catalogue) -> None:
    api = FakeApi(WHOLE)
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), {**AOZORA, "plan_id": ""}, api, today=MARCH
    )
    assert found.displayed["plan"] == ()


async def test_reads_go_out_at_the_same_time(catalogue: Catalogue) -> None:
    waiting = set[str]()
    everyone = anyio.Event()

    async def read(key: str, _: Mapping[str, Any]) -> ReadResult:
        waiting.add(key)
        if len(waiting) == len(WHOLE):
            everyone.set()
        await everyone.wait()
        return ReadResult(WHOLE[key])

    found = await assess_impact(OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, read, MARCH)
    assert unreadable(found) == {}


async def test_a_late_read_is_reported_and_the_rest_is_kept(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_DEADLINE", 0.05)

    async def read(key: str, _: Mapping[str, Any]) -> ReadResult:
        if key == "auth.GetStripeCustomer":
            await anyio.Event().wait()
        return ReadResult(WHOLE[key])

    found = await assess_impact(OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA, read, MARCH)
    assert unreadable(found) == {"stripe_customer": "late"}
    assert found.counts["users"] == 2


async def test_an_operation_on_one_user_affects_one_user(catalogue: Catalogue) -> None:
    answers = {
        "auth.GetAllTenantUser": {"users": [{"tenant_name": "A"}]},
        "auth.GetUserMfaPreference": {"enabled": True},
    }
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteSaasUser"), {"user_id": "u"}), {"id": "u"}, FakeApi(answers)
    )
    assert found.affected_users == 1


async def test_a_holder_of_a_role_is_counted_once_over_all_tenants(catalogue: Catalogue) -> None:
    found = await assess_impact(
        OperationCall(catalogue.find("auth.DeleteRole"), {"role_name": "admin"}), {"role_name": "admin"}, FakeApi(WHOLE)
    )
    assert found.counts == {"holders": 3, "tenants_concerned": 2}
    assert found.affected_users == 3


def measure(**given: Any) -> ImpactMetric:
    return ImpactMetric("n", Text("n", "n"), **given)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({}, 3),
        ({"where": {"kind": "a"}}, 2),
        ({"where": {"marks": "x"}}, 1),
        ({"has": "plan"}, 1),
        ({"where": {"kind": "a"}, "by": "owner"}, 2),
        ({"where": {"kind": "a"}, "only": "owner"}, 1),
        ({"where": {"kind": None}}, None),
    ],
)
def test_rows_are_counted_by_what_they_hold(recipe: dict[str, Any], expected: int | None) -> None:
    rows = [
        {"kind": "a", "owner": 1, "marks": {"x": "yes"}, "plan": ""},
        {"kind": "a", "owner": 2, "marks": {"x": ""}, "plan": "p"},
        {"kind": "b", "owner": 2, "marks": {}},
    ]
    assert count_rows(measure(of="rows", **recipe), recipe.get("where", {}), rows) == expected


def test_without_a_list_no_rows_are_counted() -> None:
    assert count_rows(measure(of="rows"), {}, None) is None


@pytest.mark.slow
def test_more_users_than_the_expressions_could_walk_are_counted_all_the_same() -> None:
    users = [member(f"u{n}", f"t{n % 10}") for n in range(50_000)]
    assert count_rows(measure(of="users", only="id"), {"tenant_id": "t7"}, users) == 5_000
