"""`job_metering_report`: usage by tenant, meter and time, checked row by row against what the sandbox holds."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.server.pipeline.call import Call
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.job_server import JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL

TOKYO = timezone(timedelta(hours=9))
READ = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
Rows = list[tuple[str, str, str, int]]


def held(sandbox: FaultySandbox, form: str, first: str, last: str, zone: tzinfo = UTC, *, peaks: bool = True) -> Rows:
    """Tenant, meter, period and usage of all that the sandbox holds, between two periods."""
    state = sandbox.state
    peak = {row["unit_name"] for row in state.rows("metering_units") if row["aggregate_usage"] == "max" and peaks}
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for tenant in state.rows("tenants"):
        for row in state.rows("usage", tenant["id"]):
            when = datetime.fromtimestamp(row["timestamp"], zone).strftime(form)
            if first <= when <= last:
                found[tenant["id"], row["metering_unit_name"], when].append(row["count"])
    return sorted((*key, max(counts) if key[1] in peak else sum(counts)) for key, counts in found.items())


async def reported(on: JobServer, args: dict[str, Any]) -> Rows:
    told = await on.call_json("job_metering_report", args)
    text = on.stored_result(told["result"]) if "csv" not in told else told["csv"]
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return sorted((row["tenant_id"], row["meter"], row["period"], int(row["usage"])) for row in rows)


def months(sandbox: FaultySandbox) -> tuple[str, str]:
    """Return the first whole month of the sandbox's usage, and the one after."""
    first = min(row["timestamp"] for row in sandbox.state.rows("usage"))
    start = (datetime.fromtimestamp(first, UTC).replace(day=1) + timedelta(days=32)).replace(day=1)
    return f"{start:%Y-%m}", f"{start + timedelta(days=32):%Y-%m}"


async def test_months_are_as_the_sandbox_holds_them(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        first, last = months(on.sandbox)
        rows = await reported(on, {"from": first, "to": last})
        assert rows == held(on.sandbox, "%Y-%m", first, last)
        assert len(rows) == 18, "three tenants, three meters with usage, two months"


async def test_without_stripe_peaks_are_sums(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.state.put("documents", ("/v1/billing/stripe/info",), {"is_registered": False})
        first, _ = months(on.sandbox)
        assert await reported(on, {"from": first}) == held(on.sandbox, "%Y-%m", first, first, peaks=False)


@pytest.mark.parametrize(("name", "zone"), [("UTC", UTC), ("Asia/Tokyo", TOKYO)])
async def test_days_are_those_of_the_zone_that_is_named(tmp_path: Path, name: str, zone: tzinfo) -> None:
    async with start_job_server(tmp_path) as on:
        state = on.sandbox.state
        tenant, month = state.rows("tenants")[0]["id"], months(on.sandbox)[0]
        begins = int(datetime.fromisoformat(f"{month}-01T00:00+00:00").timestamp())
        for instant in (begins - 9 * 3600 - 1, begins - 9 * 3600, begins - 1, begins):  # about both midnights
            usage = {"metering_unit_name": "fax_pages", "timestamp": instant, "count": 7}
            state.put("usage", (tenant, "fax_pages", instant), usage)
        rows = await reported(on, {"from": month, "by": "day", "zone": name})
        assert rows == held(on.sandbox, "%Y-%m-%d", f"{month}-01", f"{month}-31", zone)
        faxes = sum(count for _, meter, _, count in rows if meter == "fax_pages")
        assert faxes == (7 if name == "UTC" else 21)


async def test_it_reads_once_for_each_tenant_meter_and_month(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        first, last = months(on.sandbox)
        told = await on.call_json("job_metering_report", {"from": first, "to": last, "by": "day"})
        assert told["counts"]["reads"] == on.count_requests(READ) == told["total"] == 3 * 4 * 2
        tenant = on.sandbox.state.rows("tenants")[0]["id"]
        on.sandbox.requests.clear()
        await on.call_json("job_metering_report", {"from": first, "tenant_ids": [tenant], "meters": ["orders"]})
        assert on.count_requests(READ) == 1
        assert len(on.sandbox.requests) == 5, "and four for the names, the plans and Stripe"


async def test_usage_above_the_upper_count_of_the_plan_comes_first(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        state = on.sandbox.state
        unit = next(row for row in state.rows("pricing_units") if row["name"] == "orders_tiered_usage")
        state.change("pricing_units", (unit["id"],), upper_count=1_000)
        month, _ = months(on.sandbox)
        told = await on.call_json("job_metering_report", {"from": month, "format": "json"})
        tenant = next(row for row in state.rows("tenants") if row["name"] == "株式会社青空商事")
        used = {row[:2]: row[3] for row in held(on.sandbox, "%Y-%m", month, month)}[tenant["id"], "orders"]
        worst = told["rows"][0]
        assert (worst["tenant_id"], worst["meter"], worst["upper_count"]) == (tenant["id"], "orders", 1_000)
        assert (worst["usage"], worst["percent"]) == (used, round(used / 10, 1))
        assert worst["tier"] == "3/3 above"
        assert told["counts"]["over"] == 1
        record = next(row for row in told["records"] if row["tenant_id"] == tenant["id"] and row["meter"] == "orders")
        assert record["percent"] == worst["percent"] > 100
        fax = [row for row in told["records"] if row["upper_count"] is None]
        assert fax, "what a plan does not charge for has no upper count"


async def test_a_yearly_plan_is_held_against_the_whole_period(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        state = on.sandbox.state
        for unit in state.rows("pricing_units"):
            state.change("pricing_units", (unit["id"],), recurring_interval="year")
        first, last = months(on.sandbox)
        told = await on.call_json("job_metering_report", {"from": first, "to": last, "format": "json"})
        orders = [row for row in told["rows"] if row["meter"] == "orders"]
        assert orders
        assert all(row["measured"] == row["usage"] for row in orders)
        assert {row["percent"] for row in told["records"]} == {None}


async def test_an_unreadable_value_is_reported_and_in_no_figure(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        month, _ = months(on.sandbox)
        on.sandbox.faults.add("status", on=READ, status=404, times=1)
        told = await on.call_json("job_metering_report", {"from": month})
        unread = told["rows"][0]
        assert (unread["outcome"], told["counts"]["unread"]) == ("unread", 1)
        assert "404" in unread["why"]
        assert any("unread" in note for note in told["notes"])

        on.sandbox.faults.add("status", on=READ, status=404)
        answer = await on.call("job_metering_report", {"from": month})
        assert not answer.ok, "a report without data is refused"


@pytest.mark.slow
def test_a_report_goes_on_where_another_server_left_it(tmp_path: Path) -> None:
    sandbox = FaultySandbox(load_catalogue())
    month, _ = months(sandbox)

    async def left() -> str:
        async with start_job_server(tmp_path, sandbox) as on:
            spec, call = on.runner.specs["job_metering_report"], Call("job_metering_report", {"from": month}, PRINCIPAL)
            job = await on.runner.start(spec, call)
            assert isinstance(job, str)
            while on.count_requests(READ) < 6:  # noqa: ASYNC110 - there is no event but at the API
                await anyio.sleep(0.01)
            return job

    async def taken_up(job: str) -> dict[str, Any]:
        async with start_job_server(tmp_path, sandbox) as on:
            return await on.call_json("job_status", {"job": job, "wait": 30})

    sandbox.faults.add("latency", on=READ, seconds=0.2)
    job = anyio.run(left)
    sandbox.faults.clear()
    told = anyio.run(taken_up, job)
    assert told["status"] == "done"
    rows = csv.DictReader(io.StringIO(told["csv"], newline=""))
    found = sorted((row["tenant_id"], row["meter"], row["period"], int(row["usage"])) for row in rows)
    assert found == held(sandbox, "%Y-%m", month, month)
    reads = sum(received.operation == READ for received in sandbox.requests)
    assert reads <= 16, "what was read of the first tenant is not read again"


async def test_a_report_stops_between_tenants(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("latency", on=READ, seconds=0.2)
        month, _ = months(on.sandbox)
        spec, call = on.runner.specs["job_metering_report"], Call("job_metering_report", {"from": month}, PRINCIPAL)
        job = await on.runner.start(spec, call)
        told = await on.call_json("job_cancel", {"job": job})
        assert told["status"] == "cancelled"
        assert on.count_requests(READ) <= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"from": "2026-13"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"from": "0001-01"}, "from"),
        ({"from": "2026-05", "to": "2026-04-30"}, "to"),
        ({"from": "2026-05", "zone": "Mars/Base"}, "zone"),
        ({"from": "2026-05", "meters": ["steps"]}, "meters"),
        ({"from": "2026-05", "tenant_ids": ["none-such"]}, "tenant_ids"),
        ({"from": "2000-01", "to": "9998-12"}, "from"),
        ({}, "from"),
    ],
)
async def test_an_invalid_or_missing_period_is_reported_by_field(
    tmp_path: Path, args: dict[str, Any], field: str
) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_metering_report", args)
        assert not answer.ok
        assert answer.text.startswith(f"{field}:"), answer.text
        assert on.count_requests(READ) == 0


async def test_tenants_near_and_over_their_upper_count_are_counted_and_found(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        state = on.sandbox.state
        state.drop("usage")
        tenants = state.rows("tenants")
        unit = next(row for row in state.rows("pricing_units") if row["name"] == "orders_tiered_usage")
        global_unit = next(row for row in state.rows("pricing_units") if row["name"] == "orders_global")
        for row in (unit, global_unit):
            state.change("pricing_units", (row["id"],), upper_count=1_000)
        stamp = int(datetime(2026, 10, 3, tzinfo=UTC).timestamp())
        for tenant, count in zip(tenants, (1_001, 800, 799), strict=True):
            entry = {"metering_unit_name": "orders", "timestamp": stamp, "count": count}
            state.put("usage", (tenant["id"], "orders", stamp), entry)
        told = await on.call_json("job_metering_report", {"from": "2026-10", "min_percent": 80})
        assert (told["counts"]["over"], told["counts"]["near"], told["counts"]["rows"]) == (1, 1, 2)
        rows = list(csv.DictReader(io.StringIO(told["csv"], newline="")))
        assert {row["tenant_id"] for row in rows} == {tenant["id"] for tenant in tenants[:2]}
        assert {row["tenant_id"] for row in told["rows"]} == {tenant["id"] for tenant in tenants[:2]}
