"""`job_contract_report`: every tenant's contract, checked row by row against what the sandbox holds."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.sandbox import Sandbox
from tests.support.job_server import JobServer, start_job_server

COST = ("auth.GetTenants", "pricing.GetPricingPlans", "pricing.GetTaxRates", "billing.GetStripeInfo")


def day(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d")


def held(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """Return the sandbox's contracts, in the columns of the report."""
    state = sandbox.state
    buyers = {row["tenant_id"] for row in state.rows("marketplace_customers")}
    found = {}
    for tenant in state.rows("tenants"):
        plan = state.get("pricing_plans", tenant["plan_id"])
        menus = [state.get("pricing_menus", key) for key in plan["menu_ids"]]
        units = [state.get("pricing_units", key) for menu in menus for key in menu["unit_ids"]]
        last = tenant["plan_histories"][-1]
        tax = state.get("tax_rates", last["tax_rate_id"])
        upcoming = tenant.get("next_plan_id")
        address = tenant["billing_info"]["address"]
        found[tenant["id"]] = {
            "tenant_name": tenant["name"],
            "plan_name": plan["display_name"],
            "fixed_price": str(sum(unit["unit_amount"] for unit in units if unit["type"] == "fixed")),
            "currency": units[0]["currency"],
            "interval": units[0]["recurring_interval"],
            "start": day(last["plan_applied_at"]),
            "next_change": "plan" if upcoming else "",
            "next_plan_name": state.get("pricing_plans", upcoming)["display_name"] if upcoming else "",
            "next_from": day(tenant["using_next_plan_from"]) if upcoming else "",
            "tax_rate": tax["display_name"],
            "tax_percent": str(tax["percentage"]),
            "tax_inclusive": str(tax["inclusive"]).lower(),
            "payment": "aws_marketplace" if tenant["id"] in buyers else "stripe",
            "back_office_email": tenant["back_office_staff_email"],
            "invoice_name": tenant["billing_info"]["name"],
            "invoice_street": address["street"],
            "invoice_postal_code": address["postal_code"],
            "invoice_additional": address["additional_address_info"],
            "invoice_language": tenant["billing_info"]["invoice_language"],
        }
    return found


async def reported(on: JobServer, args: dict[str, Any] | None = None) -> dict[str, dict[str, str]]:
    text = (await on.call_json("job_contract_report", args))["csv"]
    return {row["tenant_id"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


async def test_every_contract_is_in_it_as_the_sandbox_holds_it(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows, wanted = await reported(on), held(on.sandbox)
        assert rows.keys() == wanted.keys()
        assert any(row["next_change"] for row in wanted.values()), "one has something reserved"
        for key, fields in wanted.items():
            assert {name: rows[key][name] for name in fields} == fields


async def test_it_takes_five_reads_however_many_tenants_there_are(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        state = on.sandbox.state
        model = state.rows("tenants")[0]
        for number in range(497):
            state.put("tenants", (f"t-{number}",), {**model, "id": f"t-{number}", "name": f"Tenant {number}"})
        on.sandbox.requests.clear()
        told = await on.call_json("job_contract_report")
        assert told["counts"]["tenants"] == 500
        assert "csv" not in told, "it does not fit into an answer, and is kept"
        assert len(on.sandbox.requests) == 5


async def test_usage_based_prices_are_shown_as_such(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows = {row["tenant_name"]: row for row in (await reported(on)).values()}
        told = rows["株式会社青空商事"]["variable_price"]
        assert "APIコール従量: usage by api_calls, ¥2 each" in told
        assert "ストレージ段階: tiered by storage_gb (up to 100: ¥0; up to 1,000: ¥500 + ¥20 each; " in told
        assert rows["株式会社青空商事"]["fixed_price"] == "49800"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "names"),
    [
        ({"payment": ["aws_marketplace"]}, {"Harbor Lights Inc."}),
        ({"payment": ["none"]}, set()),
        ({"plans": ["スタータープラン"]}, {"みどり薬局"}),
        ({"plans": ["business", "global"]}, {"株式会社青空商事", "Harbor Lights Inc."}),
        ({"plans": ["business", "global"], "payment": ["stripe"]}, {"株式会社青空商事"}),
    ],
)
async def test_filters_leave_only_what_they_name(tmp_path: Path, args: dict[str, Any], names: set[str]) -> None:
    async with start_job_server(tmp_path) as on:
        assert {row["tenant_name"] for row in (await reported(on, args)).values()} == names


async def test_an_ending_contract_and_a_tenant_without_one_are_distinguished(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        state = on.sandbox.state
        first, second, _ = (tenant["id"] for tenant in state.rows("tenants"))
        state.change("tenants", (first,), next_plan_id="", using_next_plan_from=4_102_444_800)
        state.change("tenants", (second,), plan_id="", plan_histories=[])
        state.drop("marketplace_customers")
        rows = await reported(on, {"zone": "Asia/Tokyo"})
        assert (rows[first]["next_change"], rows[first]["next_from"]) == ("end", "2100-01-01")
        assert (rows[second]["payment"], rows[second]["fixed_price"], rows[second]["start"]) == ("none", "", "")


async def test_nobody_is_said_to_pay_by_stripe_where_buyers_cannot_be_read(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="awsmarketplace.GetCustomers", status=404)
        told = await on.call_json("job_contract_report", {"format": "json"})
        assert {row["payment"] for row in told["records"]} == {"unknown"}
        assert any("could not be read" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("args", "field"),
    [({"plans": ["gold"]}, "plans"), ({"tenant_ids": ["none-such"]}, "tenant_ids"), ({"zone": "Mars/Base"}, "zone")],
)
async def test_a_missing_object_is_reported_by_field(tmp_path: Path, args: dict[str, Any], field: str) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_contract_report", args)
        assert not answer.ok
        assert answer.text.startswith(f"{field}:")


async def test_japanese_readers_get_words_for_codes_and_programs_get_codes(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.pipeline.language = "ja"
        first, *others = on.sandbox.state.rows("tenants")
        on.sandbox.state.change("tenants", (first["id"],), next_plan_id="", using_next_plan_from=4_102_444_800)
        text = (await on.call_json("job_contract_report"))["csv"]
        rows = {row["テナントID"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
        columns = ("請求間隔", "予約中の変更", "内税", "支払い方法", "請求書の言語")
        assert [rows[first["id"]][name] for name in columns] == ["毎月", "解約", "いいえ", "Stripe", "日本語"]
        assert "AWS Marketplace" in {rows[other["id"]]["支払い方法"] for other in others}
        told = next(row["従量料金"] for row in rows.values() if row["テナント名"] == "株式会社青空商事")
        assert "APIコール従量: api_callsの従量、2円/単位" in told
        assert "ストレージ段階: storage_gbの段階(〜100: 0円、〜1,000: 500円+20円/単位、" in told
        records = (await on.call_json("job_contract_report", {"format": "json"}))["records"]
        record = next(each for each in records if each["tenant_id"] == first["id"])
        names = ("interval", "next_change", "tax_inclusive", "payment", "invoice_language")
        assert [record[name] for name in names] == ["month", "end", False, "stripe", "ja-JP"]
