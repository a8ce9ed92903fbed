"""`job_metering_report`: usage by tenant, metering unit and day or month, compared with the upper counts of the plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
from saasus_mcp.jobs.name_index import resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports import charts
from saasus_mcp.jobs.reports.period import Period, format_day
from saasus_mcp.jobs.reports.price_list import read_plans, uses_stripe
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.reports.usage import (
    USAGE_OPERATION,
    Granularity,
    MeteringUnit,
    TenantUsage,
    build_usage_chart,
    count_by_day,
    count_near_limits,
    percent_of,
    require_bounded_reads,
)

COLUMNS = ("tenant_id", "tenant_name", "meter", "meter_name", "period", "usage")
LIMIT_COLUMNS = ("upper_count", "percent", "tier")


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Resolve the names in the filters, and refuse a report that needs too many reads."""
    period = Period.from_arguments(args)
    tenants = await reader.read("auth.GetTenants", take=_extract_tenants)
    units = await reader.read("pricing.GetMeteringUnits", take=_extract_units)
    if "tenant_ids" in args:
        names = {key: [name] for key, (name, _) in tenants.items()}
        tenants = {key: tenants[key] for key in resolve_names("tenant_ids", args["tenant_ids"], "tenant", names)}
    if "meters" in args:
        names = {key: [name] for key, (name, _) in units.items()}
        units = {key: units[key] for key in resolve_names("meters", args["meters"], "metering_unit", names)}
    reads = len(tenants) * len(units) * len(list(period.months()))
    require_bounded_reads(reads)
    today = format_day(reader.now(), period.zone)
    return Plan(data={**args, "tenants": tenants, "units": units, "reads": reads, "today": today})


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Read each tenant, metering unit and month: no operation of the API returns more for a period of one's choice."""
    args, period = plan.data, Period.from_arguments(plan.data)
    granularity: Granularity = args.get("by", "month")
    plans, stripe = await read_plans(work), await uses_stripe(work)
    units = [MeteringUnit(unit, name, stripe and maximum) for unit, (name, maximum) in args["units"].items()]
    names = (*COLUMNS, *(LIMIT_COLUMNS if granularity == "month" else ()))
    columns = [one_of("jobs_reports.column", name) for name in names]
    table = Table(columns, args.get("format", "csv"), work.language)
    usages, unread, done = list[TenantUsage](), list[dict[str, Any]](), 0
    for tenant, (name, plan_id) in args["tenants"].items():
        days, failures = await _read_usage(work, tenant, units, period)
        unread += failures
        for unit in units:
            if days[unit.unit_name]:
                usages.append(TenantUsage(tenant, name, unit, plans.get(plan_id), days[unit.unit_name]))
        done += args["reads"] // len(args["tenants"])
        await work.report_progress(done, args["reads"])
    if unread and len(unread) == args["reads"]:
        raise ReadFailed(message("jobs_reports.no_usage", reason=unread[0]["why"]))
    counts = count_near_limits(usages)
    if "min_percent" in args:
        usages = [usage for usage in usages if (usage.percent or 0) >= args["min_percent"]]
    for usage in usages:
        table.add_rows(_rows(usage, granularity, work.language))
    bounds = {"first": str(period.first), "last": str(period.last), "zone": args.get("zone", "UTC")}
    running = period.running_part(args.get("today"))
    build_chart = partial(build_usage_chart, usages, granularity, bounds, running=running)
    image, chart_notes = await charts.render_chart(build_chart(args.get("language", "en")), args.get("chart", "none"))
    notes = [message("jobs_reports.usage_bounds", **bounds), message("jobs_reports.current_limits")]
    if running is not None:
        notes.append(running)
    if unread:
        notes.append(message("jobs_reports.usage_unread"))
    ranked = sorted(usages, key=lambda usage: (-(usage.percent or 0), -usage.total))
    return JobResult(
        {**_counts(args, table, unread), **counts},
        rows=[*unread, *(usage.to_record(work.language) for usage in ranked)],
        product=table.content(),
        notes=(*notes, *chart_notes),
        chart=image,
        chart_data=charts.chart_data(build_chart),
    )


async def _read_usage(
    work: JobContext, tenant: str, units: Sequence[MeteringUnit], period: Period
) -> tuple[dict[str, dict[str, int]], list[dict[str, Any]]]:
    """Return one tenant's usage by metering unit and day, and rows for the reads that failed."""
    parts = [(unit, month) for unit in units for month in period.months()]
    calls = [
        {
            "tenant_id": tenant,
            "metering_unit_name": unit.unit_name,
            "start_timestamp": month.start,
            "end_timestamp": month.end,
        }
        for unit, month in parts
    ]
    days: dict[str, dict[str, int]] = defaultdict(dict)
    unread = []
    answers = await work.read_many(USAGE_OPERATION, calls, lambda answer: count_by_day(answer, period))
    for (unit, month), (found, reason) in zip(parts, answers, strict=True):
        if found is None:
            row = {"tenant_id": tenant, "meter": unit.unit_name, "period": f"{month.first:%Y-%m}"}
            unread.append({**row, "outcome": "unread", "why": reason.text(work.language)})
        else:
            counts = {day: maximum if unit.uses_maximum else total for day, (total, maximum) in found.items()}
            days[unit.unit_name] |= counts
    return days, unread


def _rows(usage: TenantUsage, granularity: Granularity, language: Language) -> Iterator[list[Any]]:
    unit = usage.metering_unit
    for period, count in usage.by_period(granularity).items():
        row = [usage.tenant, usage.tenant_name, unit.unit_name, unit.display_name, period, count]
        if granularity == "day":
            yield row
        else:
            percent = None if usage.yearly else percent_of(count, usage.upper_count)
            yield [*row, usage.upper_count, percent, "" if usage.yearly else usage.price_tier(count, language)]


def _counts(args: Mapping[str, Any], table: Table, unread: Sequence[Any]) -> dict[str, int]:
    counts = {"tenants": len(args["tenants"]), "meters": len(args["units"]), "rows": table.row_count}
    return {**counts, "reads": args["reads"], **({"unread": len(unread)} if unread else {})}


def _extract_tenants(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    return {each["id"]: [each.get("name", ""), each.get("plan_id") or ""] for each in answer.get("tenants", [])}


def _extract_units(answer: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        each["unit_name"]: [each.get("display_name") or each["unit_name"], each.get("aggregate_usage") == "max"]
        for each in answer.get("units", [])
    }
