"""What reports read about contracts: the tenants, and the price list with prices and upper counts of each plan.

Each read raises ReadFailed if there is no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.job_reader import JobReader

UNIT_FIELDS = (
    "id",
    "type",
    "name",
    "display_name",
    "currency",
    "recurring_interval",
    "unit_amount",
    "metering_unit_name",
    "aggregate_usage",
    "upper_count",
    "tiers",
)
PricingUnit = Mapping[str, Any]


def _extract_plans(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": plan["id"],
            "name": plan.get("name", ""),
            "display_name": plan.get("display_name", ""),
            "units": [
                {name: unit[name] for name in UNIT_FIELDS if name in unit}
                for menu in plan.get("pricing_menus", [])
                for unit in menu.get("units", [])
            ],
        }
        for plan in answer.get("pricing_plans", [])
    ]


@dataclass(frozen=True, slots=True)
class PricingPlan:
    id: str
    name: str
    display_name: str
    units: tuple[PricingUnit, ...]

    @property
    def label(self) -> str:
        return self.display_name or self.name

    @property
    def fixed_price(self) -> int:
        """The sum of the fixed units."""
        return sum(unit.get("unit_amount", 0) for unit in self.units if unit.get("type") == "fixed")

    def usage_prices(self, language: Language) -> str:
        """Return the prices of all units that depend on use."""
        prices = (_usage_price(unit).text(language) for unit in self.units if unit.get("type") != "fixed")
        return "; ".join(prices)

    @property
    def currency(self) -> str:
        return _common_value(self.units, "currency")

    @property
    def interval(self) -> str:
        return _common_value(self.units, "recurring_interval")

    @property
    def upper_counts(self) -> dict[str, int]:
        """The lowest upper count of each metering unit."""
        found: dict[str, int] = {}
        for unit in self.units:
            meter, upper_count = unit.get("metering_unit_name"), unit.get("upper_count")
            if meter and upper_count:
                found[meter] = min(upper_count, found.get(meter, upper_count))
        return found

    def price_tier(self, meter: str, usage: int, language: Language) -> str:
        """Return the tier of a tiered price for a usage, e.g. `2/3 up to 1000`; empty without tiers."""
        for unit in self.units:
            tiers = unit.get("tiers") or []
            if unit.get("metering_unit_name") == meter and tiers:
                return _tier(tiers, usage).text(language)
        return ""


async def read_plans(reader: JobReader) -> dict[str, PricingPlan]:
    extracted = await reader.read("pricing.GetPricingPlans", take=_extract_plans)
    return {plan["id"]: PricingPlan(**{**plan, "units": tuple(plan["units"])}) for plan in extracted}


async def read_tenants(reader: JobReader, fields: Sequence[str]) -> list[dict[str, Any]]:
    return await reader.read(
        "auth.GetTenants",
        take=lambda answer: [
            {name: tenant[name] for name in fields if name in tenant} for tenant in answer.get("tenants", [])
        ],
    )


async def read_tax_rates(reader: JobReader) -> dict[str, dict[str, Any]]:
    return await reader.read(
        "pricing.GetTaxRates", take=lambda answer: {rate["id"]: rate for rate in answer.get("tax_rates", [])}
    )


async def uses_stripe(reader: JobReader) -> bool:
    return await reader.read("billing.GetStripeInfo", take=lambda answer: bool(answer.get("is_registered")))


def _common_value(units: Iterable[PricingUnit], field: str) -> str:
    """Return the value that all units of a plan share. The API lets them differ; then it returns all values."""
    return "/".join(dict.fromkeys(unit[field] for unit in units if unit.get(field)))


def _usage_price(unit: PricingUnit) -> Message:
    name = unit.get("display_name") or unit.get("name", "")
    meter, kind = str(unit.get("metering_unit_name")), str(unit.get("type"))
    if kind == "usage":
        return message("jobs_reports.usage_price", unit=name, meter=meter, amount=str(unit.get("unit_amount")))
    tiers = tuple(
        message(
            "jobs_reports.tier_price",
            range=_tier_end(tier),
            flat=str(tier.get("flat_amount")),
            amount=str(tier.get("unit_amount")),
        )
        for tier in unit.get("tiers") or ()
    )
    key = "jobs_reports.tiered_usage_price" if kind == "tiered_usage" else "jobs_reports.tiered_price"
    return message(key, unit=name, meter=meter, tiers=tiers)


def _tier(tiers: Sequence[Mapping[str, Any]], usage: int) -> Message:
    for number, tier in enumerate(tiers, 1):
        if tier.get("inf") or usage <= tier.get("up_to", 0):
            return message("jobs_reports.tier", number=number, count=len(tiers), range=_tier_end(tier))
    return message("jobs_reports.above_tiers", count=len(tiers))


def _tier_end(tier: Mapping[str, Any]) -> Message:
    if tier.get("inf"):
        return message("jobs_reports.tier_without_end")
    return message("jobs_reports.tier_up_to", limit=str(tier.get("up_to")))
