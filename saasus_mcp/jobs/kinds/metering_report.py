"""`job_metering_report`: usage by tenant, meter and day or month, and how it stands to the upper counts of the plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.jobs import charts, price_list
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.known import resolved
from saasus_mcp.jobs.period import Period
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.table import Table
from saasus_mcp.jobs.usage import By, Meter, Usage, by_day, share
from saasus_mcp.jobs.usage_chart import chart
from saasus_mcp.jobs.work import Reader, Unreadable, Work
from saasus_mcp.saasus.places import InvalidArguments

READ = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
COLUMNS = ("tenant_id", "tenant_name", "meter", "meter_name", "period", "usage")
LIMITS = ("upper_count", "percent", "tier")
MOST_READS = 30_000
"""Of one report: a read for each tenant, meter and month, which at a hundred a second is five minutes."""
PRESENT = "Upper counts and tiers are those of the plans that tenants are on now."
UNREAD = "What `rows` calls unread is in no figure: the API did not answer."


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Whose usage of what is to be read, and that this is not too much."""
    period = Period.of(args)
    tenants = await reader.read("auth.GetTenants", take=_tenants)
    meters = await reader.read("pricing.GetMeteringUnits", take=_meters)
    if "tenant_ids" in args:
        names = {key: [name] for key, (name, _) in tenants.items()}
        tenants = {key: tenants[key] for key in resolved("tenant_ids", args["tenant_ids"], "tenant", names)}
    if "meters" in args:
        names = {key: [name] for key, (name, _) in meters.items()}
        meters = {key: meters[key] for key in resolved("meters", args["meters"], "meter", names)}
    reads = len(tenants) * len(meters) * len(list(period.months()))
    if reads > MOST_READS:
        mend = f"At most {MOST_READS}: shorten the period, or name tenant_ids or meters."
        raise InvalidArguments(("from",), f"this would take {reads} reads of the API.", mend)
    return Plan(data={**args, "tenants": tenants, "units": meters, "reads": reads})


async def run(work: Work, plan: Plan) -> Outcome:
    """A read for each tenant, meter and month: no operation of the API tells more at once for a period of one's choice."""
    args, period = plan.data, Period.of(plan.data)
    by: By = args.get("by", "month")
    offers = price_list.offers(await work.read(price_list.READ, take=price_list.brief))
    stripe = await work.read("billing.GetStripeInfo", take=lambda answer: bool(answer.get("is_registered")))
    meters = [Meter(unit, name, stripe and peak) for unit, (name, peak) in args["units"].items()]
    table = Table((*COLUMNS, *(LIMITS if by == "month" else ())), args.get("format", "csv"))
    usages, unread, done = list[Usage](), list[dict[str, Any]](), 0
    for tenant, (name, plan_id) in args["tenants"].items():
        days, faults = await _read(work, tenant, meters, period)
        unread += faults
        for meter in meters:
            if days[meter.unit]:
                usages.append(Usage(tenant, name, meter, offers.get(plan_id), days[meter.unit]))
                table.add(_rows(usages[-1], by))
        done += args["reads"] // len(args["tenants"])
        await work.tell(done, args["reads"])
    if unread and len(unread) == args["reads"]:
        raise Unreadable(unread[0]["why"], "No usage could be read.")
    named = {"first": str(period.first), "last": str(period.last), "zone": args.get("zone", "UTC")}
    figure, said = await charts.shown(chart(usages, by, named, args.get("language", "en")), args.get("chart", "none"))
    return Outcome(
        _counts(args, table, usages, unread),
        rows=[*unread, *(usage.row() for usage in sorted(usages, key=_urgency))],
        table=table.whole(),
        notes=(_bounds(named), PRESENT, *((UNREAD,) if unread else ()), *said),
        figure=figure,
    )


async def _read(
    work: Work, tenant: str, meters: list[Meter], period: Period
) -> tuple[dict[str, dict[str, int]], list[dict[str, Any]]]:
    """One tenant's usage by meter and day, and what could not be read."""
    asked = [(meter, month) for meter in meters for month in period.months()]
    calls = [
        {
            "tenant_id": tenant,
            "metering_unit_name": meter.unit,
            "start_timestamp": month.start,
            "end_timestamp": month.end,
        }
        for meter, month in asked
    ]
    days: dict[str, dict[str, int]] = defaultdict(dict)
    unread = []
    answers = await work.several(READ, calls, lambda answer: by_day(answer, period))
    for (meter, month), (found, why) in zip(asked, answers, strict=True):
        if found is None:
            part = {"tenant_id": tenant, "meter": meter.unit, "period": f"{month.first:%Y-%m}"}
            unread.append({**part, "outcome": "unread", "why": why})
        else:
            days[meter.unit] |= {day: most if meter.peak else total for day, (total, most) in found.items()}
    return days, unread


def _rows(usage: Usage, by: By) -> Iterator[list[Any]]:
    for period, count in usage.by(by).items():
        row = [usage.tenant, usage.tenant_name, usage.meter.unit, usage.meter.name, period, count]
        if by == "day":
            yield row
        else:
            percent = None if usage.yearly else share(count, usage.limit)
            yield [*row, usage.limit, percent, "" if usage.yearly else usage.tier(count)]


def _counts(args: Mapping[str, Any], table: Table, usages: list[Usage], unread: list[dict[str, Any]]) -> dict[str, int]:
    over = sum((usage.percent or 0) > 100 for usage in usages)  # noqa: PLR2004 - percent
    counts = {"tenants": len(args["tenants"]), "meters": len(args["units"]), "rows": table.count, "over": over}
    return {**counts, "reads": args["reads"], **({"unread": len(unread)} if unread else {})}


def _urgency(usage: Usage) -> tuple[float, int]:
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
