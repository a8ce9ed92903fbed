"""`job_invoice_estimate`: invoices to the yen, what is reported instead of guessed, and the comparison with a list."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.common.messages import one_of
from saasus_mcp.sandbox.state import State, uid
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.invoices import ContractReplay, invoice_totals
from tests.support.job_data import AOZORA, MIDORI, sandbox_state
from tests.support.job_server import JobServer, start_job_server

TOKYO = timezone(timedelta(hours=9))
USAGE = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
OCTOBER = {"from": "2026-10", "zone": "Asia/Tokyo"}


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=TOKYO).timestamp())


async def estimated(on: JobServer, args: dict[str, Any]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return the rows of the CSV, and the report."""
    told = await on.call_json("job_invoice_estimate", args)
    text = told["csv"] if "csv" in told else on.stored_result(told["result"])
    return list(csv.DictReader(io.StringIO(text, newline=""))), told


def put_tenant(state: State, tenant: str, *entries: dict[str, Any], name: str = "", **more: Any) -> str:
    """Replace a tenant's contract, or add a tenant."""
    before = state.find("tenants", tenant) or state.rows("tenants")[0]
    history = [{"proration_behavior": "create_prorations", "delete_usage": False, **each} for each in entries]
    row = {**before, "id": tenant, "plan_histories": history, "plan_id": history[-1]["plan_id"] if history else ""}
    row |= {"name": name or before["name"], "next_plan_id": "", "using_next_plan_from": None, **more}
    state.put("tenants", (tenant,), {key: value for key, value in row.items() if value is not None})
    return tenant


def put_usage(state: State, tenant: str, meter: str, at: int, count: int) -> None:
    state.put("usage", (tenant, meter, at), {"metering_unit_name": meter, "timestamp": at, "count": count})


def clear_usage(state: State, tenant: str) -> None:
    state.drop("usage", tenant)


def entry(plan: str, start: str, tax: str = "jp_consumption_10") -> dict[str, Any]:
    return {"plan_id": uid("plan", plan), "plan_applied_at": instant(start), "tax_rate_id": uid("tax", tax)}


@pytest.fixture
def api() -> FaultySandbox:
    return FaultySandbox(load_catalogue())


async def test_an_invoice_of_all_four_types_is_what_a_hand_calculates(tmp_path: Path, api: FaultySandbox) -> None:
    state = sandbox_state(api)
    clear_usage(state, AOZORA)
    put_tenant(state, AOZORA, entry("business", "2026-01-15"))
    for meter, at, count in (
        ("orders", "2026-10-01T00:00:00", 1_000),
        ("orders", "2026-10-31T23:59:59", 1_475),
        ("orders", "2026-11-01T00:00:00", 9_999),  # of the next month
        ("api_calls", "2026-10-15T12:00:00", 333),
        ("storage_gb", "2026-10-02T00:00:00", 90),
        ("storage_gb", "2026-10-20T00:00:00", 380),
    ):
        put_usage(state, AOZORA, meter, instant(at), count)
    async with start_job_server(tmp_path, api) as on:
        [row], _ = await estimated(on, {**OCTOBER, "tenant_ids": [AOZORA]})
        # fixed 49,800; orders 0 + (500 + 900 x 20) + (2,000 + 1,475 x 10) = 35,250; calls 333 x 2 = 666;
        # storage, its peak 380 GB: 500 + 380 x 20 = 8,100; tax 93,816 x 10 % = 9,381.6, rounded down
        assert {name: row[name] for name in ("fixed", "usage", "subtotal", "tax", "total", "currency", "status")} == {
            "fixed": "49800",
            "usage": "44016",
            "subtotal": "93816",
            "tax": "9381",
            "total": "103197",
            "currency": "JPY",
            "status": "month over",
        }
        lines, _ = await estimated(on, {**OCTOBER, "tenant_ids": [AOZORA], "by": "line", "tax_rounding": "half_up"})
        amounts = [(line["kind"], line["tier"], line["amount"]) for line in lines]
        assert amounts == [
            ("fixed", "", "49800"),
            ("tiered usage", "1 (≤ 100)", "0"),
            ("tiered usage", "2 (≤ 1000)", "18500"),
            ("tiered usage", "3", "16750"),
            ("usage", "", "666"),
            ("tiered", "2 (≤ 1000)", "8100"),
            ("tax", "", "9382"),
        ]


async def test_without_stripe_peaks_are_added_up_as_the_api_does(tmp_path: Path, api: FaultySandbox) -> None:
    state = sandbox_state(api)
    clear_usage(state, AOZORA)
    put_tenant(state, AOZORA, entry("business", "2026-01-15"))
    for day in (2, 3):
        put_usage(state, AOZORA, "storage_gb", instant(f"2026-10-{day:02}T00:00:00"), 600)
    async with start_job_server(tmp_path, api) as on:
        args = {**OCTOBER, "tenant_ids": [AOZORA], "by": "line"}
        lines, _ = await estimated(on, args)
        assert [line["count"] for line in lines if line["meter"] == "storage_gb"] == ["600"]
        state.put("documents", ("/v1/billing/stripe/info",), {"is_registered": False})
        lines, _ = await estimated(on, args)
        assert [line["count"] for line in lines if line["meter"] == "storage_gb"] == ["1200"]


async def test_tax_in_the_prices_is_shown_and_not_added(tmp_path: Path, api: FaultySandbox) -> None:
    state = sandbox_state(api)
    clear_usage(state, MIDORI)
    put_tenant(state, MIDORI, entry("starter", "2026-01-15", "jp_consumption_10_included"))
    async with start_job_server(tmp_path, api) as on:
        [row], report = await estimated(on, {**OCTOBER, "tenant_ids": [MIDORI]})
        assert (row["subtotal"], row["tax"], row["total"]) == ("9800", "890", "9800"), "9,800 x 10 / 110"
        assert row["note"] == "no usage was recorded"
        assert report["counts"]["no_entries"] == 1


async def test_usage_that_cannot_be_read_leaves_no_total(tmp_path: Path, api: FaultySandbox) -> None:
    async with start_job_server(tmp_path, api) as on:
        api.faults.add("status", on=USAGE, status=404)
        rows, report = await estimated(on, {**OCTOBER, "tenant_ids": [MIDORI]})
        assert [(row["status"], row["usage"], row["total"]) for row in rows] == [("incomplete", "", "")]
        assert rows[0]["fixed"] == "9800"
        assert (report["counts"]["incomplete"], report["rows"][0]["outcome"]) == (1, "unread")


async def test_tenants_without_a_plan_or_an_invoice_have_a_row(tmp_path: Path, api: FaultySandbox) -> None:
    state = sandbox_state(api)
    put_tenant(state, AOZORA)
    put_tenant(state, MIDORI, entry("business_year", "2026-03-15"))
    put_tenant(state, "odd", name="odd", plan_id=uid("plan", "starter"))
    async with start_job_server(tmp_path, api) as on:
        rows, report = await estimated(on, {**OCTOBER, "tenant_ids": [AOZORA, MIDORI, "odd"]})
        assert {(row["tenant_id"], row["status"], row["total"]) for row in rows} == {
            (AOZORA, "no plan", ""),
            (MIDORI, "nothing due this month", ""),
            ("odd", "the start of the plan is unknown", ""),
        }
        assert (report["counts"]["no_plan"], report["counts"]["nothing_due"]) == (1, 1)


@pytest.mark.parametrize("more", [{}, {"next_plan_id": uid("plan", "business"), "using_next_plan_from": 4_000_000_000}])
async def test_a_plan_that_the_tenant_no_longer_has_is_not_charged(
    tmp_path: Path, api: FaultySandbox, more: dict[str, Any]
) -> None:
    history = [entry("starter", "2026-01-15"), entry("business", "2026-10-20")]
    put_tenant(sandbox_state(api), AOZORA, *history, **{"plan_id": "", **more})
    async with start_job_server(tmp_path, api) as on:
        rows, report = await estimated(on, {**OCTOBER, "from": "2026-09", "to": "2026-10", "tenant_ids": [AOZORA]})
        assert [bool(row["total"]) for row in rows] == [True, False]
        assert rows[1]["status"] == one_of("jobs_invoices.status", "unknown_end").text("en")
        assert report["counts"]["unknown_end"] == 1


async def test_a_month_with_some_usage_is_not_said_to_be_without_records(tmp_path: Path, api: FaultySandbox) -> None:
    state = sandbox_state(api)
    clear_usage(state, AOZORA)
    put_tenant(state, AOZORA, entry("business", "2026-01-15"))
    notes = []
    async with start_job_server(tmp_path, api) as on:
        for _ in range(2):
            [row], _ = await estimated(on, {**OCTOBER, "tenant_ids": [AOZORA]})
            notes.append(row["note"])
            put_usage(state, AOZORA, "orders", instant("2026-10-15"), 7)
    assert notes == [one_of("jobs_invoices.note", key).text("en") for key in ("no_entries", "some_entries")]


async def test_a_plan_that_the_price_list_no_longer_has_is_named(tmp_path: Path, api: FaultySandbox) -> None:
    state = sandbox_state(api)
    gone = {**entry("starter", "2026-01-15"), "plan_id": "gone"}
    put_tenant(state, MIDORI, gone, entry("starter", "2026-10-20"))
    async with start_job_server(tmp_path, api) as on:
        [row], _ = await estimated(on, {**OCTOBER, "tenant_ids": [MIDORI]})
        assert (row["status"], row["total"], row["fixed"]) == ("incomplete", "", "")
        assert "gone" in row["plan_name"]
        assert "the plan is not in the price list" in row["note"]


async def test_the_current_month_says_that_it_is_not_over_and_a_later_one_is_refused(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        now = datetime.now(UTC)
        rows, _ = await estimated(on, {"from": f"{now:%Y-%m}"})
        assert {row["status"] for row in rows} == {"month not over"}
        later = await on.call("job_invoice_estimate", {"from": f"{now.year + 1}-01"})
        assert not later.ok
        assert "has not begun" in later.text


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"from": "2026-1"}, "from"),
        ({"from": "2026-10-01"}, "from"),
        ({"from": "2026-13"}, "from"),
        ({"from": "2026-09", "to": "2026-10", "csv": "tenant,total\na,1\n"}, "to"),
        ({"from": "2026-10", "csv": "company,total\na,1\n"}, "csv"),
        ({"from": "2026-10", "csv": "tenant,total\na,1.2.3\n"}, "csv"),
        ({"from": "2026-10", "csv": "tenant,total\n", "columns": {"tenant": "x"}}, "csv"),
        ({"from": "2026-10", "csv": "tenant,total\na,1", "columns": {"tenant": "x"}}, "columns.tenant"),
    ],
)
async def test_bad_input_is_refused_by_field_before_anything_is_read(
    tmp_path: Path, args: dict[str, Any], field: str
) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_invoice_estimate", args)
        assert not answer.ok
        assert field in answer.text
        assert on.count_requests(USAGE) == 0


async def test_a_list_is_compared_by_id_name_and_customer(tmp_path: Path, api: FaultySandbox) -> None:
    async with start_job_server(tmp_path, api) as on:
        rows, _ = await estimated(on, OCTOBER)
        totals = {row["tenant_id"]: int(row["total"]) for row in rows if row["currency"] == "JPY"}
        [dollars] = [row["total"] for row in rows if row["tenant_name"] == "Harbor Lights Inc."]
        customer = await on.call_json("auth_get_stripe_customer", {"tenant_id": AOZORA})
        listed = (
            "\ufeff顧客ID;請求金額;通貨\r\n"
            f"{customer['customer_id']};￥{totals[AOZORA] - 1000:,};JPY\r\n"
            f"{AOZORA};1,000円;円\r\n"
            f"みどり薬局;{totals[MIDORI] + 5};JPY\r\n"
            "どこにもない会社;▲300;JPY\r\n"
            ";;\r\n"
        )
        rows, report = await estimated(on, {**OCTOBER, "csv": listed})
        found = {row["tenant_name"]: (row["comparison"], row["difference"]) for row in rows}
        assert found == {
            "株式会社青空商事": ("equal", "0"),
            "みどり薬局": ("different", "5"),
            "Harbor Lights Inc.": ("missing in the list", f"-{dollars}"),
            "どこにもない会社": ("no tenant has this name, or several have", ""),
        }
        counts = {name: count for name, count in report["counts"].items() if name.startswith("compared_")}
        assert counts == {
            "compared_different": 1,
            "compared_equal": 1,
            "compared_only_estimated": 1,
            "compared_unknown_tenant": 1,
        }
        told = {row.get("tenant_name", row.get("tenant")): row["outcome"] for row in report["rows"]}
        assert told["みどり薬局"] == "different"


async def test_every_faulty_line_of_a_list_is_reported_at_once(tmp_path: Path) -> None:
    listed = "tenant,total,currency\n,1,JPY\nA,1.234,00,JPY\nB,12a,JPY\nC,5,EUR\n"
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_invoice_estimate", {**OCTOBER, "csv": listed})
        assert not answer.ok
        assert [f"line {number}" in answer.text for number in (2, 3, 4, 5)] == [True] * 4


def _random_history(seed: random.Random, plans: list[str]) -> list[dict[str, Any]]:
    """Return changes of plan, many of them within the two months that are estimated."""
    changes = seed.randint(0, 4)
    within = [instant("2026-08-20") + seed.randrange(86_400 * 72) for _ in range(changes)]
    month_start = [instant("2026-10-01")] if seed.random() < 0.1 else []
    starts = {instant("2024-02-01") + seed.randrange(86_400 * 900), *within, *month_start}
    return [
        {
            "plan_id": seed.choice([*plans, ""]) if number else seed.choice(plans),
            "plan_applied_at": at,
            "tax_rate_id": uid("tax", seed.choice(["jp_consumption_10", "jp_consumption_10_included", "odd"])),
            "proration_behavior": seed.choice(["create_prorations", "none", "always_invoice"]),
            "delete_usage": seed.random() < 0.2,
        }
        for number, at in enumerate(sorted(starts))
    ]


async def test_generated_tenants_agree_with_a_second_calculation_to_the_yen(
    tmp_path: Path, api: FaultySandbox, exhaustive: bool
) -> None:
    state, seed = sandbox_state(api), random.Random(17)  # noqa: S311 - no secret
    odd: dict[str, Any] = {
        "id": uid("tax", "odd"),
        "name": "odd",
        "display_name": "8.1 %",
        "percentage": 8.1,
        "inclusive": False,
    }
    state.put("tax_rates", (odd["id"],), {**odd, "country": "JP", "description": "odd"})
    plans = {
        plan["id"]: [
            state.get("pricing_units", unit)
            for menu in plan["menu_ids"]
            for unit in state.get("pricing_menus", menu)["unit_ids"]
        ]
        for plan in state.rows("pricing_plans")
    }
    ids = [uid("tenant", "generated", str(number)) for number in range(200 if exhaustive else 60)]
    for number, tenant in enumerate(ids):
        put_tenant(state, tenant, *_random_history(seed, [*plans]), name=f"generated {number}")
        for meter in ("orders", "api_calls", "storage_gb"):
            for _ in range(seed.randint(0, 6)):
                at = instant("2026-08-25") + seed.randrange(86_400 * 70)
                put_usage(state, tenant, meter, at, seed.choice([0, 1, 100, 101, seed.randrange(3_000)]))
    rates = {rate["id"]: rate for rate in state.rows("tax_rates")}

    def counts(tenant: str, meter: str, start: int, end: int) -> list[int]:
        rows = state.rows("usage", tenant)
        return [row["count"] for row in rows if row["metering_unit_name"] == meter and start <= row["timestamp"] < end]

    first, end = instant("2026-09-01"), instant("2026-11-01")
    async with start_job_server(tmp_path, api) as on:
        rows, report = await estimated(
            on, {"from": "2026-09", "to": "2026-10", "zone": "Asia/Tokyo", "tenant_ids": ids}
        )
    ours = {(row["tenant_id"], row["month"], row["currency"]): Decimal(row["total"]) for row in rows if row["total"]}
    theirs = {}
    for tenant in ids:
        history = state.get("tenants", tenant)["plan_histories"]
        bookings = ContractReplay(tenant, plans, counts, TOKYO).run(history, end)
        for month, begin, over in (("2026-09", first, instant("2026-10-01")), ("2026-10", instant("2026-10-01"), end)):
            for currency, total in invoice_totals(bookings, rates, begin, over).items():
                theirs[tenant, month, currency] = total
    zero = Decimal(0)
    assert {key for key in {*ours, *theirs} if ours.get(key, zero) != theirs.get(key, zero)} == set()
    assert report["counts"]["incomplete"] == 0
    assert len(ours) > len(ids)
