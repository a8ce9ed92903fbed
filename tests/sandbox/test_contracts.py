"""Tenants, plans, prices, usage and Stripe behave as the documents say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.sandbox import Clock, SandboxCaller

AOZORA, HARBOR, MIDORI = "株式会社青空商事", "Harbor Lights Inc.", "みどり薬局"
MINUTE, DAY = 60, 86_400
TEXTS = {"display_name": "x", "description": "x"}


async def tenant(api: SandboxCaller, name: str) -> dict[str, Any]:
    found: dict[str, Any] = await api.read("auth.GetTenant", tenant_id=await api.tenant(name))
    return found


async def plan(api: SandboxCaller, name: str) -> str:
    return await api.id_of("pricing.GetPricingPlans", name)


async def test_deleting_a_tenant_takes_everything_of_it_along(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(HARBOR)
    invitations = (await api.read("auth.GetTenantInvitations", tenant_id=tenant_id))["invitations"]
    users = (await api.read("auth.GetSaasUsers"))["users"]

    await api.read("auth.DeleteTenant", tenant_id=tenant_id)

    for key in ("auth.GetTenant", "auth.GetTenantUsers", "auth.GetTenantInvitations", "auth.GetStripeCustomer"):
        assert (await api(key, tenant_id=tenant_id)).status == 404, key
    month = {"tenant_id": tenant_id, "month": "2026-03"}
    assert (await api("pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth", **month)).status == 404
    assert (await api("auth.GetInvitationValidity", invitation_id=invitations[0]["id"])).status == 404
    rows = (await api.read("auth.GetAllTenantUsers"))["users"]
    assert tenant_id not in [row["tenant_id"] for row in rows]
    assert len((await api.read("auth.GetSaasUsers"))["users"]) == len(users), "accounts stay"
    keys = (await api.read("apigateway.GetApiKeys"))["api_keys"]
    assert tenant_id not in [key["tenant_id"] for key in keys]
    assert (await api.read("awsmarketplace.GetCustomers"))["customers"] == []


async def test_a_tenant_starts_with_neither_users_nor_a_plan(api: SandboxCaller) -> None:
    made = await api.read(
        "auth.CreateTenant", name="新規", attributes={"employees": 3}, back_office_staff_email="a@example.jp"
    )
    assert (made["plan_id"], made["plan_histories"]) == ("", [])
    assert (await api.read("auth.GetTenantUsers", tenant_id=made["id"]))["users"] == []
    again = await api("auth.CreateTenant", name="新規", attributes={}, back_office_staff_email="a@example.jp")
    assert again.status == 400
    undefined = await api(
        "auth.CreateTenant", name="x", attributes={"color": 1}, back_office_staff_email="a@example.jp"
    )
    assert "color" in undefined.message


async def test_attributes_that_an_update_leaves_out_are_gone(api: SandboxCaller) -> None:
    present = await tenant(api, MIDORI)
    change = {"tenant_id": present["id"], "name": "みどり薬局 本店", "back_office_staff_email": "new@example.jp"}
    await api.read("auth.UpdateTenant", **change, attributes={"employees": 10})
    assert (await tenant(api, "みどり薬局 本店"))["attributes"] == {"employees": 10}


async def test_the_plan_period_is_the_present_month(api: SandboxCaller, clock: Clock) -> None:
    found = await tenant(api, AOZORA)
    assert found["current_plan_period_start"] <= clock.epoch < found["current_plan_period_end"]
    assert "current_plan_period_start" not in (await api.read("auth.GetTenants"))["tenants"][0]


async def test_a_plan_change_is_reserved_and_takes_effect_in_time(api: SandboxCaller, clock: Clock) -> None:
    found, wanted = await tenant(api, AOZORA), await plan(api, "business_year")
    change = {"tenant_id": found["id"], "next_plan_id": wanted, "using_next_plan_from": clock.epoch + DAY}
    await api.read("auth.UpdateTenantPlan", **change)
    reserved = await tenant(api, AOZORA)
    assert (reserved["plan_id"], reserved["next_plan_id"]) == (found["plan_id"], wanted)
    clock.pass_by(days=1)
    changed = await tenant(api, AOZORA)
    assert changed["plan_id"] == wanted
    assert "next_plan_id" not in changed
    assert changed["plan_histories"][-1]["plan_id"] == wanted


async def test_a_plan_change_without_a_date_takes_five_minutes(api: SandboxCaller, clock: Clock) -> None:
    tenant_id, wanted = await api.tenant(AOZORA), await plan(api, "starter")
    await api.read("auth.UpdateTenantPlan", tenant_id=tenant_id, next_plan_id=wanted)
    assert (await tenant(api, AOZORA))["plan_id"] != wanted
    clock.pass_by(minutes=5)
    assert (await tenant(api, AOZORA))["plan_id"] == wanted


async def test_a_plan_change_lies_at_least_five_minutes_ahead(api: SandboxCaller, clock: Clock) -> None:
    change = {"tenant_id": await api.tenant(AOZORA), "next_plan_id": await plan(api, "starter")}
    soon = clock.epoch + 5 * MINUTE - 1
    assert "5 minutes" in (await api("auth.UpdateTenantPlan", **change, using_next_plan_from=soon)).message
    assert (await api("auth.UpdateTenantPlan", **change, using_next_plan_from=soon + 1)).status == 200


async def test_with_stripe_a_plan_change_may_start_on_the_first_of_this_month(api: SandboxCaller, clock: Clock) -> None:
    clock.pass_by(days=3)
    now = datetime.fromtimestamp(clock.epoch, UTC)
    first = int(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())
    change = {"tenant_id": await api.tenant(AOZORA), "next_plan_id": await plan(api, "starter")}
    for start in (first - 1, first + 1, first + DAY):
        assert "5 minutes" in (await api("auth.UpdateTenantPlan", **change, using_next_plan_from=start)).message
    await api.read("auth.UpdateTenantPlan", **change, using_next_plan_from=first)
    await api.read("billing.DeleteStripeInfo")
    assert "5 minutes" in (await api("auth.UpdateTenantPlan", **change, using_next_plan_from=first)).message


async def test_a_plan_change_names_a_plan_and_a_tax_rate_that_exist(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    assert (await api("auth.UpdateTenantPlan", tenant_id=tenant_id, next_plan_id="unknown")).status == 400
    change = {"tenant_id": tenant_id, "next_plan_id": await plan(api, "starter")}
    assert (await api("auth.UpdateTenantPlan", **change, next_plan_tax_rate_id="unknown")).status == 400


async def test_a_contract_ends_on_the_day_that_is_given(api: SandboxCaller, clock: Clock) -> None:
    end = {"tenant_id": await api.tenant(AOZORA), "next_plan_id": "", "using_next_plan_from": clock.epoch + DAY}
    await api.read("auth.UpdateTenantPlan", **end)
    assert (await tenant(api, AOZORA))["next_plan_id"] == ""
    clock.pass_by(days=2)
    assert (await tenant(api, AOZORA))["plan_id"] == ""
    assert (await api("auth.UpdateTenantPlan", **{**end, "using_next_plan_from": clock.epoch + DAY})).status == 400


async def test_a_reservation_can_be_dropped_until_ten_minutes_before(api: SandboxCaller, clock: Clock) -> None:
    drop = {"tenant_id": await api.tenant(MIDORI), "next_plan_id": ""}
    change = {**drop, "next_plan_id": await plan(api, "business")}
    await api.read("auth.UpdateTenantPlan", **change, using_next_plan_from=clock.epoch + 9 * MINUTE)
    assert "10 minutes" in (await api("auth.UpdateTenantPlan", **drop)).message
    await api.read("auth.UpdateTenantPlan", **change, using_next_plan_from=clock.epoch + DAY)
    await api.read("auth.UpdateTenantPlan", **drop)
    assert "using_next_plan_from" not in await tenant(api, MIDORI)


async def test_a_reservation_that_deletes_usage_does_so_at_once_and_for_good(api: SandboxCaller, clock: Clock) -> None:
    tenant_id = await api.tenant(AOZORA)
    change = {"tenant_id": tenant_id, "next_plan_id": await plan(api, "starter"), "delete_usage": True}
    await api.read("auth.UpdateTenantPlan", **change, using_next_plan_from=clock.epoch + DAY)
    month = {"tenant_id": tenant_id, "month": "2026-03"}
    counts = (await api.read("pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth", **month))["counts"]
    assert {count["count"] for count in counts} == {0}
    assert "delete_usage" in (await api("auth.UpdateTenantPlan", tenant_id=tenant_id, next_plan_id="")).message


@pytest.mark.parametrize(
    ("operation", "argument", "listing", "name"),
    [
        ("pricing.DeletePricingPlan", "plan_id", "pricing.GetPricingPlans", "business"),
        ("pricing.DeletePricingMenu", "menu_id", "pricing.GetPricingMenus", "business_core"),
        ("pricing.DeletePricingMenu", "menu_id", "pricing.GetPricingMenus", "spare_menu"),
        ("pricing.DeletePricingUnit", "pricing_unit_id", "pricing.GetPricingUnits", "base_business"),
        ("pricing.DeletePricingUnit", "pricing_unit_id", "pricing.GetPricingUnits", "spare_fixed"),
        ("pricing.DeleteMeteringUnitByID", "metering_unit_id", "pricing.GetMeteringUnits", "api_calls"),
    ],
)
async def test_used_or_referenced_objects_cannot_be_deleted(
    api: SandboxCaller, operation: str, argument: str, listing: str, name: str
) -> None:
    wanted = await api.id_of(listing, name)
    answered = await api(operation, **{argument: wanted})
    assert (answered.status, answered.value["type"]) == (400, "precondition_failed")
    assert await api.id_of(listing, name) == wanted


async def test_a_plan_that_a_tenant_has_had_cannot_be_deleted(api: SandboxCaller, clock: Clock) -> None:
    unused = await plan(api, "draft_plan")
    await api.read("auth.UpdateTenantPlan", tenant_id=await api.tenant(MIDORI), next_plan_id=unused)
    assert MIDORI in (await api("pricing.DeletePricingPlan", plan_id=unused)).message
    clock.pass_by(minutes=6)
    await api.read("auth.UpdateTenantPlan", tenant_id=await api.tenant(MIDORI), next_plan_id=await plan(api, "starter"))
    clock.pass_by(minutes=6)
    assert MIDORI in (await api("pricing.DeletePricingPlan", plan_id=unused)).message


async def test_unused_objects_can_be_deleted(api: SandboxCaller) -> None:
    await api.read("pricing.DeletePricingPlan", plan_id=await plan(api, "draft_plan"))
    await api.read("pricing.DeletePricingMenu", menu_id=await api.id_of("pricing.GetPricingMenus", "spare_menu"))
    unit = await api.id_of("pricing.GetPricingUnits", "spare_fixed")
    await api.read("pricing.DeletePricingUnit", pricing_unit_id=unit)
    meter = await api.id_of("pricing.GetMeteringUnits", "fax_pages")
    await api.read("pricing.DeleteMeteringUnitByID", metering_unit_id=meter)
    assert (await api("pricing.GetPricingUnit", pricing_unit_id=unit)).status == 404


async def test_marking_a_plan_used_marks_all_that_is_in_it(api: SandboxCaller) -> None:
    marked = await plan(api, "draft_plan")
    await api.read("pricing.UpdatePricingPlansUsed", plan_ids=[marked])
    found = await api.read("pricing.GetPricingPlan", plan_id=marked)
    assert found["used"]
    assert found["pricing_menus"][0]["used"]
    assert found["pricing_menus"][0]["units"][0]["used"]
    assert (await api("pricing.UpdatePricingPlansUsed", plan_ids=["unknown"])).status == 400


async def test_prices_are_made_of_what_exists(api: SandboxCaller) -> None:
    usage = {"type": "usage", "name": "made", "upper_count": 1, "unit_amount": 1, "currency": "JPY", **TEXTS}
    assert (await api("pricing.CreatePricingUnit", **usage, metering_unit_name="unknown")).status == 400
    unit = await api.read("pricing.CreatePricingUnit", **usage, metering_unit_name="fax_pages")
    assert unit["metering_unit_id"] == await api.id_of("pricing.GetMeteringUnits", "fax_pages")
    assert (await api("pricing.CreatePricingMenu", name="made", unit_ids=["unknown"], **TEXTS)).status == 400
    menu = await api.read("pricing.CreatePricingMenu", name="made", unit_ids=[unit["id"]], **TEXTS)
    assert (await api("pricing.CreatePricingPlan", name="made", menu_ids=["unknown"], **TEXTS)).status == 400
    made = await api.read("pricing.CreatePricingPlan", name="made", menu_ids=[menu["id"]], **TEXTS)
    assert made["pricing_menus"] == [menu]
    assert menu["units"] == [unit]


@pytest.mark.parametrize("other", ["global_core", "business_year_core"])
async def test_a_plan_has_one_currency_and_one_interval(api: SandboxCaller, other: str) -> None:
    menus = [await api.id_of("pricing.GetPricingMenus", name) for name in ("business_core", other)]
    assert (await api("pricing.CreatePricingPlan", name="mixed", menu_ids=menus, **TEXTS)).status == 400


async def test_names_in_the_price_list_are_unique(api: SandboxCaller) -> None:
    rate = {"percentage": 5, "inclusive": False, "country": "JP", **TEXTS}
    assert (await api("pricing.CreateTaxRate", name="us_zero", **rate)).status == 400
    assert (await api("pricing.CreateMeteringUnit", unit_name="orders", **TEXTS)).status == 400
    assert (await api("pricing.CreatePricingPlan", name="starter", menu_ids=[], **TEXTS)).status == 400


async def test_a_metering_unit_keeps_its_name(api: SandboxCaller) -> None:
    meter = await api.id_of("pricing.GetMeteringUnits", "orders")
    renamed = await api("pricing.UpdateMeteringUnitByID", metering_unit_id=meter, unit_name="sales", **TEXTS)
    assert "unit_name" in renamed.message
    assert (
        await api("pricing.UpdateMeteringUnitByID", metering_unit_id=meter, unit_name="orders", **TEXTS)
    ).status == 200


async def test_usage_accumulates(api: SandboxCaller, clock: Clock) -> None:
    where = {"tenant_id": await api.tenant(MIDORI), "metering_unit_name": "fax_pages"}
    moment = {**where, "timestamp": clock.epoch - DAY}
    for method, count, expected in (("add", 5, 5), ("add", 5, 10), ("sub", 3, 7), ("direct", 2, 2), ("sub", 9, 0)):
        write = await api.read("pricing.UpdateMeteringUnitTimestampCount", **moment, method=method, count=count)
        assert write["count"] == expected
    await api.read("pricing.UpdateMeteringUnitTimestampCount", **moment, method="direct", count=4)
    now = await api.read("pricing.UpdateMeteringUnitTimestampCountNow", **where, method="add", count=3)
    assert now == {"metering_unit_name": "fax_pages", "timestamp": clock.epoch, "count": 3}
    today = await api.read("pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameToday", **where)
    assert today == {"metering_unit_name": "fax_pages", "date": "2026-03-18", "count": 3}
    month = await api.read("pricing.GetMeteringUnitMonthCountByTenantIdAndUnitNameThisMonth", **where)
    assert month == {"metering_unit_name": "fax_pages", "month": "2026-03", "count": 7}
    period = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
    assert len((await api.read(period, **where))["counts"]) == 2
    assert len((await api.read(period, **where, start_timestamp=clock.epoch))["counts"]) == 1
    await api.read("pricing.DeleteMeteringUnitTimestampCount", **moment)
    assert (await api("pricing.DeleteMeteringUnitTimestampCount", **moment)).status == 404
    assert (await api.read(period, **where))["counts"] == [{"timestamp": clock.epoch, "count": 3}]


async def test_three_months_of_usage_are_there(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    for month in ("2026-01", "2026-02", "2026-03"):
        counts = await api.read(
            "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth", tenant_id=tenant_id, month=month
        )
        by_name = {count["metering_unit_name"]: count["count"] for count in counts["counts"]}
        assert by_name["api_calls"] > by_name["orders"] > 0
        assert by_name["fax_pages"] == 0


async def test_a_peak_is_billed_only_with_stripe(api: SandboxCaller) -> None:
    where = {"tenant_id": await api.tenant(AOZORA), "metering_unit_name": "storage_gb", "month": "2026-02"}
    key = "pricing.GetMeteringUnitMonthCountByTenantIdAndUnitNameAndMonth"
    peak = (await api.read(key, **where))["count"]
    await api.read("billing.DeleteStripeInfo")
    assert (await api.read(key, **where))["count"] > 20 * peak


@pytest.mark.parametrize("wrong", [{"date": "2026-02-30"}, {"date": "20260301"}, {"month": "2026-13"}])
async def test_a_period_must_be_written_as_documented(api: SandboxCaller, wrong: dict[str, str]) -> None:
    kind = next(iter(wrong))
    key = f"pricing.GetMeteringUnit{kind.capitalize()}CountsByTenantIdAnd{kind.capitalize()}"
    answered = await api(key, tenant_id=await api.tenant(AOZORA), **wrong)
    assert answered.status == 400
    assert kind in answered.message


async def test_an_unknown_meter_is_not_found(api: SandboxCaller) -> None:
    where = {"tenant_id": await api.tenant(AOZORA), "metering_unit_name": "unknown"}
    assert (await api("pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameToday", **where)).status == 404
    assert (await api("pricing.UpdateMeteringUnitTimestampCountNow", **where, method="add", count=1)).status == 404


async def test_resetting_plans_cuts_every_tenant_and_stripe_off(api: SandboxCaller) -> None:
    await api.read("auth.ResetPlan")
    assert (await api.read("pricing.GetPricingPlans"))["pricing_plans"] == []
    assert len((await api.read("pricing.GetPricingUnits"))["units"]) > 5
    assert {found["plan_id"] for found in (await api.read("auth.GetTenants"))["tenants"]} == {""}
    assert (await api.read("billing.GetStripeInfo"))["is_registered"] is False
    assert "next_plan_id" not in await tenant(api, MIDORI)


async def test_initializing_wipes_the_whole_price_list_used_or_not(api: SandboxCaller) -> None:
    await api.read("pricing.DeleteAllPlansAndMenusAndUnitsAndMetersAndTaxRates")
    for key in ("PricingPlans", "PricingMenus", "PricingUnits", "MeteringUnits", "TaxRates"):
        (items,) = (await api.read(f"pricing.Get{key}")).values()
        assert items == [], key
    assert (await tenant(api, AOZORA))["plan_id"] == ""


async def test_stripe_operations_need_stripe(api: SandboxCaller) -> None:
    where = {"tenant_id": await api.tenant(AOZORA)}
    assert (await api.read("auth.GetStripeCustomer", **where))["customer_id"].startswith("cus_")
    await api.read("auth.DeleteStripeTenantAndPricing")
    assert (await api("auth.GetStripeCustomer", **where)).status == 404
    await api.read("auth.CreateTenantAndPricing")
    assert (await api("auth.GetStripeCustomer", **where)).status == 200
    await api.read("billing.DeleteStripeInfo")
    assert (await api.read("billing.GetStripeInfo"))["is_registered"] is False
    for key in ("auth.CreateTenantAndPricing", "pricing.LinkPlanToStripe"):
        assert "Stripe" in (await api(key)).message
    await api.read("billing.UpdateStripeInfo", secret_key="sk_test_sandbox")
    assert (await api("pricing.LinkPlanToStripe")).status == 200
