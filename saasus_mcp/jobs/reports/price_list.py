"""The price list as reports need it: what a plan costs by itself, what comes on top, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PLANS_OPERATION = "pricing.GetPricingPlans"
UNIT_FIELDS = (
    "type",
    "name",
    "display_name",
    "currency",
    "recurring_interval",
    "unit_amount",
    "metering_unit_name",
    "upper_count",
    "tiers",
)
Unit = Mapping[str, Any]


def extract_plans(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is kept of the answer to READ."""
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
    """One plan of the price list."""

    id: str
    name: str
    display_name: str
    units: tuple[Unit, ...]

    @property
    def label(self) -> str:
        """What people call it."""
        return self.display_name or self.name

    @property
    def fixed_price(self) -> int:
        """What it costs whatever is used: the sum of its fixed units."""
        return sum(unit.get("unit_amount", 0) for unit in self.units if unit.get("type") == "fixed")

    @property
    def usage_prices(self) -> str:
        """What is charged by use, each unit with its kind of price."""
        return "; ".join(_worded(unit) for unit in self.units if unit.get("type") != "fixed")

    @property
    def currency(self) -> str:
        return _shared(self.units, "currency")

    @property
    def interval(self) -> str:
        return _shared(self.units, "recurring_interval")

    @property
    def upper_counts(self) -> dict[str, int]:
        """The upper count of each meter that it charges for; of several, the lowest."""
        found: dict[str, int] = {}
        for unit in self.units:
            meter, most = unit.get("metering_unit_name"), unit.get("upper_count")
            if meter and most:
                found[meter] = min(most, found.get(meter, most))
        return found

    def price_tier(self, meter: str, usage: int) -> str:
        """The band of a tiered price that a usage lies in, e.g. `2/3 up to 1000`; empty where there are none."""
        for unit in self.units:
            tiers = unit.get("tiers") or []
            if unit.get("metering_unit_name") == meter and tiers:
                return _band(tiers, usage)
        return ""


def load_plans(kept: Iterable[Mapping[str, Any]]) -> dict[str, PricingPlan]:
    """The plans by their ids, out of what was kept."""
    return {plan["id"]: PricingPlan(**{**plan, "units": tuple(plan["units"])}) for plan in kept}


def _shared(units: Iterable[Unit], field: str) -> str:
    """The value that all units of a plan have; several, where the API let them differ."""
    return "/".join(dict.fromkeys(unit[field] for unit in units if unit.get(field)))


def _worded(unit: Unit) -> str:
    said = f"{unit.get('display_name') or unit.get('name', '')}: {unit.get('type')} by {unit.get('metering_unit_name')}"
    if unit.get("type") == "usage":
        return f"{said}, {unit.get('unit_amount')} each"
    tiers = unit.get("tiers") or ()
    bands = [f"{_until(tier)}: {tier.get('flat_amount')} + {tier.get('unit_amount')} each" for tier in tiers]
    return ", ".join((said, *bands))


def _band(tiers: list[Any], usage: int) -> str:
    for number, tier in enumerate(tiers, 1):
        if tier.get("inf") or usage <= tier.get("up_to", 0):
            return f"{number}/{len(tiers)} {_until(tier)}"
    return f"above {len(tiers)}/{len(tiers)}"


def _until(tier: Mapping[str, Any]) -> str:
    return "no end" if tier.get("inf") else f"up to {tier.get('up_to')}"
