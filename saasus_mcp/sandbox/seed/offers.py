"""The price list of the demonstration SaaS, and the plans of its tenants."""

from __future__ import annotations

from typing import Any

from saasus_mcp.sandbox.behaviours.pricing import mark_used
from saasus_mcp.sandbox.call import DAY
from saasus_mcp.sandbox.state import State, uid

METERS = (
    ("api_calls", "sum", "APIコール数", "API calls"),
    ("orders", "sum", "受注件数", "Orders processed"),
    ("storage_gb", "max", "ストレージ(GB)", "Peak storage in GB"),
    ("fax_pages", "sum", "FAX送信枚数", "Fax pages; not priced yet"),
)
TIERS = (
    {"up_to": 100, "unit_amount": 0, "flat_amount": 0, "inf": False},
    {"up_to": 1000, "unit_amount": 20, "flat_amount": 500, "inf": False},
    {"up_to": 0, "unit_amount": 10, "flat_amount": 2000, "inf": True},
)
UNITS: dict[str, dict[str, Any]] = {
    "base_starter": {"type": "fixed", "unit_amount": 9_800, "display_name": "スターター基本料"},
    "base_business": {"type": "fixed", "unit_amount": 49_800, "display_name": "ビジネス基本料"},
    "base_business_year": {
        "type": "fixed",
        "unit_amount": 498_000,
        "recurring_interval": "year",
        "display_name": "ビジネス基本料(年額)",
    },
    "base_global": {"type": "fixed", "unit_amount": 490, "currency": "USD", "display_name": "Global base fee"},
    "api_usage": {
        "type": "usage",
        "unit_amount": 2,
        "metering_unit_name": "api_calls",
        "display_name": "APIコール従量",
    },
    "storage_tiered": {
        "type": "tiered",
        "tiers": [*TIERS],
        "metering_unit_name": "storage_gb",
        "aggregate_usage": "max",
        "display_name": "ストレージ段階",
    },
    "orders_tiered_usage": {
        "type": "tiered_usage",
        "tiers": [*TIERS],
        "metering_unit_name": "orders",
        "display_name": "受注件数段階従量",
    },
    "orders_global": {
        "type": "usage",
        "unit_amount": 1,
        "currency": "USD",
        "metering_unit_name": "orders",
        "display_name": "Order fee",
    },
    "spare_fixed": {"type": "fixed", "unit_amount": 1_000, "display_name": "予備の定額(未使用)"},
}
MENUS = {
    "starter_core": ("スターター基本機能", ("base_starter", "orders_tiered_usage")),
    "business_core": ("ビジネス基本機能", ("base_business", "orders_tiered_usage")),
    "business_year_core": ("ビジネス年額機能", ("base_business_year",)),
    "integration": ("外部連携とストレージ", ("api_usage", "storage_tiered")),
    "global_core": ("Global core features", ("base_global", "orders_global")),
    "spare_menu": ("予備のメニュー(未使用)", ("spare_fixed",)),
}
PLANS = {
    "starter": ("スタータープラン", ("starter_core",)),
    "business": ("ビジネスプラン", ("business_core", "integration")),
    "business_year": ("ビジネス年額プラン", ("business_year_core",)),
    "global": ("Global plan", ("global_core",)),
    "draft_plan": ("準備中のプラン(未使用)", ("spare_menu",)),
}
USED = ("starter", "business", "global")
TAX_RATES = (
    ("jp_consumption_10", "消費税10%", 10.0, False, "JP", "標準税率"),
    ("jp_consumption_10_included", "消費税10%(内税)", 10.0, True, "JP", "内税表示用"),
    ("us_zero", "No tax", 0.0, False, "US", "Exports"),
)


def plant(state: State) -> None:
    """Add meters, units, menus, plans and tax rates, and mark the plans of tenants as used."""
    for name, aggregate, display, text in METERS:
        unit = {"unit_name": name, "aggregate_usage": aggregate, "display_name": display, "description": text}
        state.put("metering_units", (uid("meter", name),), {"id": uid("meter", name), "used": False, **unit})
    for name, fields in UNITS.items():
        key = uid("unit", name)
        common = {"id": key, "name": name, "description": fields["display_name"], "used": False}
        priced = {"currency": "JPY", "recurring_interval": "month", **common, **fields}
        if fields["type"] != "fixed":
            priced = {"upper_count": 100_000, "aggregate_usage": "sum", **priced}
        state.put("pricing_units", (key,), priced)
    for name, (display, units) in MENUS.items():
        key = uid("menu", name)
        menu = {"id": key, "name": name, "display_name": display, "description": display, "used": False}
        state.put("pricing_menus", (key,), {**menu, "unit_ids": [uid("unit", unit) for unit in units]})
    for name, (display, menus) in PLANS.items():
        key = uid("plan", name)
        plan = {"id": key, "name": name, "display_name": display, "description": display, "used": False}
        state.put("pricing_plans", (key,), {**plan, "menu_ids": [uid("menu", menu) for menu in menus]})
    for name, display, percentage, inclusive, country, text in TAX_RATES:
        key = uid("tax", name)
        rate = {"id": key, "name": name, "display_name": display, "percentage": percentage, "inclusive": inclusive}
        state.put("tax_rates", (key,), {**rate, "country": country, "description": text})
    for name in USED:
        mark_used(state, uid("plan", name))


def history(now: int, *plans: tuple[str, int], tax: str) -> list[dict[str, Any]]:
    """Return the plans of a tenant, each with the days since its start."""
    return [
        {
            "plan_id": uid("plan", plan),
            "plan_applied_at": now - days * DAY,
            "tax_rate_id": uid("tax", tax),
            "proration_behavior": "create_prorations",
            "delete_usage": False,
        }
        for plan, days in plans
    ]
