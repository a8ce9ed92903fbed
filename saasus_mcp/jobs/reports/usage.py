"""What one tenant used of one meter in a period, and how that stands to what its plan allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.price_list import PricingPlan

Granularity = Literal["month", "day"]
KEY_LENGTHS: Mapping[str, int] = {"month": len("YYYY-MM"), "day": len("YYYY-MM-DD")}
Days = Mapping[str, list[int]]
"""Of each day, the sum and the highest of its counts."""


@dataclass(frozen=True, slots=True)
class MeteringUnit:
    """What is counted, and how the counts of a time become one: added, or the highest of them."""

    unit_name: str
    display_name: str
    uses_maximum: bool


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """One tenant's usage of one meter.

    Attributes:
        offer: the plan that the tenant is on now; None where it is on none.
        days: the usage of each day that has any entry, by YYYY-MM-DD.
    """

    tenant: str
    tenant_name: str
    metering_unit: MeteringUnit
    plan: PricingPlan | None
    days: Mapping[str, int]

    def by_period(self, by: Granularity) -> dict[str, int]:
        """The usage of each day or month."""
        found: dict[str, list[int]] = defaultdict(list)
        for day, count in self.days.items():
            found[day[: KEY_LENGTHS[by]]].append(count)
        return {period: self._together(counts) for period, counts in sorted(found.items())}

    @property
    def total(self) -> int:
        return self._together([*self.days.values()])

    @property
    def upper_count(self) -> int | None:
        """The upper count of the plan, for one interval of it."""
        return self.plan.upper_counts.get(self.metering_unit.unit_name) if self.plan is not None else None

    @property
    def yearly(self) -> bool:
        return self.plan is not None and self.plan.interval == "year"

    @property
    def measured(self) -> int:
        """What is held against the upper count: the highest month, or all of the period where the plan is a yearly one."""
        return self.total if self.yearly else max(self.by_period("month").values(), default=0)

    @property
    def percent(self) -> float | None:
        return percent_of(self.measured, self.upper_count)

    def price_tier(self, usage: int) -> str:
        """The band of the plan's price that a usage lies in."""
        return self.plan.price_tier(self.metering_unit.unit_name, usage) if self.plan is not None else ""

    def to_record(self) -> dict[str, Any]:
        """The totals, with what there is to say of them."""
        told = {
            "tenant_id": self.tenant,
            "tenant_name": self.tenant_name,
            "meter": self.metering_unit.unit_name,
            "usage": self.total,
            "measured": self.measured if self.upper_count else None,
            "upper_count": self.upper_count,
            "percent": self.percent,
            "tier": self.price_tier(self.measured),
        }
        return {name: value for name, value in told.items() if value not in (None, "")}

    def _together(self, counts: list[int]) -> int:
        return max(counts, default=0) if self.metering_unit.uses_maximum else sum(counts)


def percent_of(usage: int, limit: int | None) -> float | None:
    """A usage in percent of its limit."""
    return round(100 * usage / limit, 1) if limit else None


def count_by_day(answer: Mapping[str, Any], period: Period) -> dict[str, list[int]]:
    """The counts of an answer by day: their sum and the highest."""
    found: dict[str, list[int]] = {}
    for each in answer.get("counts", []):
        if each["timestamp"] in period:
            so_far = found.setdefault(period.day_of(each["timestamp"]), [0, 0])
            so_far[:] = so_far[0] + each["count"], max(so_far[1], each["count"])
    return found
