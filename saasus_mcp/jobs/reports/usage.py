"""The usage of one metering unit by one tenant in a period, compared with the upper count of the tenant's plan, and its chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.reports.charts.chart_model import Bar, BarPanel, Chart, LinePanel, Series
from saasus_mcp.jobs.reports.charts.text_chart import LINE_NAME_WIDTH, MAX_WIDTH, unique_labels
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.price_list import PricingPlan

Granularity = Literal["month", "day"]
USAGE_OPERATION = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
MAX_READS = 30_000
"""One read for each tenant, metering unit and month: five minutes at a hundred reads a second."""
NEAR_PERCENT, FULL_PERCENT = 80, 100
"""A usage from 80 percent of its upper count is near it."""
KEY_LENGTHS: Mapping[str, int] = {"month": len("YYYY-MM"), "day": len("YYYY-MM-DD")}
MAX_PANELS = 4
MAX_SERIES = 7
MAX_BARS = 12


@dataclass(frozen=True, slots=True)
class MeteringUnit:
    """A metering unit. Counts are added up, or their maximum counts."""

    unit_name: str
    display_name: str
    uses_maximum: bool

    def combine(self, counts: Sequence[int]) -> int:
        return max(counts, default=0) if self.uses_maximum else sum(counts)


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """The usage of one metering unit by one tenant.

    Attributes:
        plan: the current plan of the tenant, or None.
        days: the usage of each day with an entry, by YYYY-MM-DD.
    """

    tenant: str
    tenant_name: str
    metering_unit: MeteringUnit
    plan: PricingPlan | None
    days: Mapping[str, int]

    def by_period(self, granularity: Granularity) -> dict[str, int]:
        found: dict[str, list[int]] = defaultdict(list)
        for day, count in self.days.items():
            found[day[: KEY_LENGTHS[granularity]]].append(count)
        return {period: self.metering_unit.combine(counts) for period, counts in sorted(found.items())}

    @property
    def total(self) -> int:
        return self.metering_unit.combine([*self.days.values()])

    @property
    def upper_count(self) -> int | None:
        """The upper count of the plan for one of its intervals."""
        return self.plan.upper_counts.get(self.metering_unit.unit_name) if self.plan is not None else None

    @property
    def yearly(self) -> bool:
        return self.plan is not None and self.plan.interval == "year"

    @property
    def measured(self) -> int:
        """The usage that is compared with the upper count: the highest month, or the whole period in a yearly plan."""
        return self.total if self.yearly else max(self.by_period("month").values(), default=0)

    @property
    def percent(self) -> float | None:
        return percent_of(self.measured, self.upper_count)

    def price_tier(self, usage: int, language: Language) -> str:
        if self.plan is None:
            return ""
        return self.plan.price_tier(self.metering_unit.unit_name, usage, language)

    def to_record(self, language: Language) -> dict[str, Any]:
        """Return the totals, without fields that have no value."""
        record = {
            "tenant_id": self.tenant,
            "tenant_name": self.tenant_name,
            "meter": self.metering_unit.unit_name,
            "usage": self.total,
            "measured": self.measured if self.upper_count else None,
            "upper_count": self.upper_count,
            "percent": self.percent,
            "tier": self.price_tier(self.measured, language),
        }
        return {name: value for name, value in record.items() if value not in (None, "")}


def require_bounded_reads(count: int) -> None:
    """Raise InvalidArguments if a report needs too many reads."""
    if count > MAX_READS:
        raise InvalidArguments(
            ("from",),
            message("jobs_reports.too_many_reads", count=count),
            message("jobs_reports.too_many_reads_hint", limit=MAX_READS),
        )


def count_near_limits(usages: Iterable[TenantUsage]) -> dict[str, int]:
    """Return how many usages are over their upper count, and how many are near it."""
    percents = [usage.percent or 0 for usage in usages]
    return {
        "over": sum(percent > FULL_PERCENT for percent in percents),
        "near": sum(NEAR_PERCENT <= percent <= FULL_PERCENT for percent in percents),
    }


def percent_of(usage: int, limit: int | None) -> float | None:
    return round(100 * usage / limit, 1) if limit else None


def count_by_day(answer: Mapping[str, Any], period: Period) -> dict[str, list[int]]:
    """Return the sum and the maximum of an answer's counts, by day."""
    found: dict[str, list[int]] = {}
    for each in answer.get("counts", []):
        if each["timestamp"] in period:
            day = found.setdefault(period.day_of(each["timestamp"]), [0, 0])
            day[:] = day[0] + each["count"], max(day[1], each["count"])
    return found


def build_usage_chart(
    usages: Sequence[TenantUsage],
    granularity: Granularity,
    bounds: Mapping[str, str],
    language: Language,
    running: Message | None = None,
) -> Chart:
    """Return a chart of the usage over time, or by tenant if there is only one day or month.

    Args:
        bounds: `first`, `last` and `zone` for the title.
        running: the note that the period is not over, or has not begun.
    """
    by_unit: dict[MeteringUnit, list[TenantUsage]] = defaultdict(list)
    for usage in usages:
        by_unit[usage.metering_unit].append(usage)
    builder = _PanelBuilder(usages, granularity, language)
    footer = [running] if running is not None else []
    if granularity == "month" and len(builder.times) == 1:
        footer.append(message("jobs_reports.chart_upper_count"))
    if omitted := tuple(unit.display_name for unit in list(by_unit)[MAX_PANELS:]):
        footer.append(message("jobs_reports.chart_omitted", units=omitted))
    return Chart(
        message("jobs_reports.chart_usage", **bounds).text(language),
        tuple(builder.panel(unit, some) for unit, some in list(by_unit.items())[:MAX_PANELS]),
        time_label=message("jobs_reports.chart_time").text(language),
        footer="\n".join(each.text(language) for each in footer),
    )


class _PanelBuilder:
    def __init__(self, usages: Sequence[TenantUsage], granularity: Granularity, language: Language) -> None:
        self.times = sorted({time for usage in usages for time in usage.by_period(granularity)})
        width = LINE_NAME_WIDTH if len(self.times) > 1 else MAX_WIDTH
        self._names = unique_labels({usage.tenant: usage.tenant_name for usage in usages}, width)
        self._granularity = granularity
        self._language = language

    def panel(self, unit: MeteringUnit, usages: Sequence[TenantUsage]) -> BarPanel | LinePanel:
        title = message("jobs_reports.chart_unit", name=unit.display_name, unit=unit.unit_name).text(self._language)
        if len(self.times) > 1:
            return LinePanel(title, tuple(self.times), self._series(unit, usages))
        return BarPanel(title, self._bars(unit, usages))

    def _bars(self, unit: MeteringUnit, usages: Sequence[TenantUsage]) -> tuple[Bar, ...]:
        most, rest = _split_by_rank(usages, MAX_BARS)
        shows_limit = self._granularity == "month"
        bars = [
            Bar(self._names[usage.tenant], usage.total, usage.upper_count if shows_limit else None) for usage in most
        ]
        if rest:
            bars.append(Bar(self._others(rest), unit.combine([usage.total for usage in rest])))
        return tuple(bars)

    def _series(self, unit: MeteringUnit, usages: Sequence[TenantUsage]) -> tuple[Series, ...]:
        most, rest = _split_by_rank(usages, MAX_SERIES)
        series = []
        for usage in most:
            counts = usage.by_period(self._granularity)
            series.append(Series(self._names[usage.tenant], tuple(counts.get(time, 0) for time in self.times)))
        if rest:
            by_usage = [usage.by_period(self._granularity) for usage in rest]
            values = tuple(unit.combine([counts.get(time, 0) for counts in by_usage]) for time in self.times)
            series.append(Series(self._others(rest), values))
        return tuple(series)

    def _others(self, rest: Sequence[TenantUsage]) -> str:
        return message("jobs_reports.chart_others", count=len(rest)).text(self._language)


def _split_by_rank(usages: Sequence[TenantUsage], limit: int) -> tuple[Sequence[TenantUsage], Sequence[TenantUsage]]:
    """Return the usages with the highest totals, and the others."""
    ranked = sorted(usages, key=lambda usage: -usage.total)
    return (ranked, []) if len(ranked) <= limit else (ranked[: limit - 1], ranked[limit - 1 :])
