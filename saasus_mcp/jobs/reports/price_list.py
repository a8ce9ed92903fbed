"""What reports read about contracts: the tenants, and the price list with prices and upper counts of each plan.

Each read raises ReadFailed if there is no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.permissions.question.content import PriceTier
from saasus_mcp.permissions.question.formatting import Reader, format_tier_range, format_value
from saasus_mcp.permissions.question.values import make_price

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
_SEPARATORS: Mapping[Language, str] = {"en": "; ", "ja": "、"}


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
        prices = (_usage_price(unit, language) for unit in self.units if unit.get("type") != "fixed")
        return _SEPARATORS[language].join(prices)

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
        """Return the tier of a tiered price for a usage, e.g. `2/3 up to 1,000`; empty without tiers."""
        for unit in self.units:
            tiers = unit.get("tiers") or []
            if unit.get("metering_unit_name") == meter and tiers:
                return _tier(tiers, usage, language).text(language)
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


def _usage_price(unit: PricingUnit, language: Language) -> str:
    name, kind = unit.get("display_name") or unit.get("name", ""), str(unit.get("type"))
    price = format_value(make_price(unit), Reader.of(language))
    known = kind if kind in ("usage", "tiered_usage") else "tiered"
    meter = str(unit.get("metering_unit_name"))
    return one_of("jobs_reports.usage_price", known, unit=name, meter=meter, price=price).text(language)


def _tier(tiers: Sequence[Mapping[str, Any]], usage: int, language: Language) -> Message:
    for number, tier in enumerate(tiers, 1):
        if tier.get("inf") or usage <= tier.get("up_to", 0):
            limit = "" if tier.get("inf") else str(tier.get("up_to"))
            covered = format_tier_range(PriceTier(limit, "", ""), Reader.of(language))
            return message("jobs_reports.tier", number=number, count=len(tiers), range=covered)
    return message("jobs_reports.above_tiers", count=len(tiers))
