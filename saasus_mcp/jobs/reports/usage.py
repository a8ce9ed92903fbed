"""The usage of one metering unit by one tenant in a period, compared with the upper count of the tenant's plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.price_list import PricingPlan

Granularity = Literal["month", "day"]
USAGE_OPERATION = "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"
MAX_READS = 30_000
"""One read for each tenant, metering unit and month: five minutes at a hundred reads a second."""
NEAR_PERCENT, FULL_PERCENT = 80, 100
"""A usage from 80 percent of its upper count is near it."""
KEY_LENGTHS: Mapping[str, int] = {"month": len("YYYY-MM"), "day": len("YYYY-MM-DD")}


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
