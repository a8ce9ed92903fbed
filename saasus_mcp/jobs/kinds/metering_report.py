"""`job_metering_report`: usage by tenant, meter and day or month, and how it stands to the upper counts of the plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.job_context import JobContext, JobReader, ReadFailed
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.known import resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports import charts, price_list
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.reports.usage import Granularity, MeteringUnit, TenantUsage, count_by_day, percent_of
from saasus_mcp.jobs.reports.usage_chart import build_usage_chart

USAGE_OPERATION = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
COLUMNS = ("tenant_id", "tenant_name", "meter", "meter_name", "period", "usage")
LIMIT_COLUMNS = ("upper_count", "percent", "tier")
MAX_READS = 30_000
"""Of one report: a read for each tenant, meter and month, which at a hundred a second is five minutes."""
PRESENT = "Upper counts and tiers are those of the plans that tenants are on now."
UNREAD = "What `rows` calls unread is in no figure: the API did not answer."


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Whose usage of what is to be read, and that this is not too much."""
    period = Period.from_arguments(args)
    tenants = await reader.read("auth.GetTenants", take=_tenants)
    meters = await reader.read("pricing.GetMeteringUnits", take=_meters)
    if "tenant_ids" in args:
        names = {key: [name] for key, (name, _) in tenants.items()}
        tenants = {key: tenants[key] for key in resolve_names("tenant_ids", args["tenant_ids"], "tenant", names)}
    if "meters" in args:
        names = {key: [name] for key, (name, _) in meters.items()}
        meters = {key: meters[key] for key in resolve_names("meters", args["meters"], "meter", names)}
    reads = len(tenants) * len(meters) * len(list(period.months()))
    if reads > MAX_READS:
        mend = f"At most {MAX_READS}: shorten the period, or name tenant_ids or meters."
        raise InvalidArguments(("from",), f"this would take {reads} reads of the API.", mend)
    return Plan(data={**args, "tenants": tenants, "units": meters, "reads": reads})


async def run(work: JobContext, plan: Plan) -> JobResult:
    """A read for each tenant, meter and month: no operation of the API tells more at once for a period of one's choice."""
    args, period = plan.data, Period.from_arguments(plan.data)
    by: Granularity = args.get("by", "month")
    offers = price_list.load_plans(await work.read(price_list.PLANS_OPERATION, take=price_list.extract_plans))
    stripe = await work.read("billing.GetStripeInfo", take=lambda answer: bool(answer.get("is_registered")))
    meters = [MeteringUnit(unit, name, stripe and peak) for unit, (name, peak) in args["units"].items()]
    table = Table((*COLUMNS, *(LIMIT_COLUMNS if by == "month" else ())), args.get("format", "csv"))
    usages, unread, done = list[TenantUsage](), list[dict[str, Any]](), 0
    for tenant, (name, plan_id) in args["tenants"].items():
        days, faults = await _read(work, tenant, meters, period)
        unread += faults
        for meter in meters:
            if days[meter.unit_name]:
                usages.append(TenantUsage(tenant, name, meter, offers.get(plan_id), days[meter.unit_name]))
                table.add_rows(_rows(usages[-1], by))
        done += args["reads"] // len(args["tenants"])
        await work.report_progress(done, args["reads"])
    if unread and len(unread) == args["reads"]:
        raise ReadFailed(unread[0]["why"], "No usage could be read.")
    named = {"first": str(period.first), "last": str(period.last), "zone": args.get("zone", "UTC")}
    figure, said = await charts.render_chart(
        build_usage_chart(usages, by, named, args.get("language", "en")), args.get("chart", "none")
    )
    return JobResult(
        _counts(args, table, usages, unread),
        rows=[*unread, *(usage.to_record() for usage in sorted(usages, key=_urgency))],
        product=table.content(),
        notes=(_bounds(named), PRESENT, *((UNREAD,) if unread else ()), *said),
        chart=figure,
    )


async def _read(
    work: JobContext, tenant: str, meters: list[MeteringUnit], period: Period
) -> tuple[dict[str, dict[str, int]], list[dict[str, Any]]]:
    """One tenant's usage by meter and day, and what could not be read."""
    asked = [(meter, month) for meter in meters for month in period.months()]
    calls = [
        {
            "tenant_id": tenant,
            "metering_unit_name": meter.unit_name,
            "start_timestamp": month.start,
            "end_timestamp": month.end,
        }
        for meter, month in asked
    ]
    days: dict[str, dict[str, int]] = defaultdict(dict)
    unread = []
    answers = await work.read_many(USAGE_OPERATION, calls, lambda answer: count_by_day(answer, period))
    for (meter, month), (found, why) in zip(asked, answers, strict=True):
        if found is None:
            part = {"tenant_id": tenant, "meter": meter.unit_name, "period": f"{month.first:%Y-%m}"}
            unread.append({**part, "outcome": "unread", "why": why})
        else:
            days[meter.unit_name] |= {
                day: most if meter.uses_maximum else total for day, (total, most) in found.items()
            }
    return days, unread


def _rows(usage: TenantUsage, by: Granularity) -> Iterator[list[Any]]:
    for period, count in usage.by_period(by).items():
        row = [
            usage.tenant,
            usage.tenant_name,
            usage.metering_unit.unit_name,
            usage.metering_unit.display_name,
            period,
            count,
        ]
        if by == "day":
            yield row
        else:
            percent = None if usage.yearly else percent_of(count, usage.upper_count)
            yield [*row, usage.upper_count, percent, "" if usage.yearly else usage.price_tier(count)]


def _counts(
    args: Mapping[str, Any], table: Table, usages: list[TenantUsage], unread: list[dict[str, Any]]
) -> dict[str, int]:
    over = sum((usage.percent or 0) > 100 for usage in usages)  # noqa: PLR2004 - percent
    counts = {"tenants": len(args["tenants"]), "meters": len(args["units"]), "rows": table.row_count, "over": over}
    return {**counts, "reads": args["reads"], **({"unread": len(unread)} if unread else {})}


def _urgency(usage: TenantUsage) -> tuple[float, int]:
    return -(usage.percent or 0), -usage.total


def _bounds(named: Mapping[str, str]) -> str:
    return (
        "{first} to {last}, days and months as {zone} has them. Days and months without an entry have no row.".format(
            **named
        )
    )


def _tenants(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    return {each["id"]: [each.get("name", ""), each.get("plan_id") or ""] for each in answer.get("tenants", [])}


def _meters(answer: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        each["unit_name"]: [each.get("display_name") or each["unit_name"], each.get("aggregate_usage") == "max"]
        for each in answer.get("units", [])
    }
