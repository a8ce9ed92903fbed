"""The price list: metering units, pricing units, menus, plans and tax rates, each made of the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saasus_mcp.sandbox.behaviours.tenants import STRIPE, without_reservation
from saasus_mcp.sandbox.call import Behaviour, SandboxCall
from saasus_mcp.sandbox.engine import Check, CollectionResource
from saasus_mcp.sandbox.state import Record, State, invalid, not_now

TABLES = ("pricing_plans", "pricing_menus", "pricing_units", "metering_units", "tax_rates")


def meter(state: State, name: str) -> Record | None:
    return next((unit for unit in state.rows("metering_units") if unit["unit_name"] == name), None)


def _new(table: str) -> Behaviour:
    """Return a behaviour that creates a record: unused, and billed by the month."""
    unused = {"recurring_interval": "month"}
    return lambda call: {**unused, **call.body, "id": call.state.new_id(table), "used": False}


def _unused(noun: str, owners: Callable[[State, Record], list[Record]]) -> Check:
    """Return a guard that refuses a record that is used or that another record holds."""

    def guard(call: SandboxCall, record: Record) -> None:
        if record["used"]:
            raise not_now(f"The {noun} is used and cannot be deleted.")
        for owner in owners(call.state, record):
            raise not_now(f"The {noun} belongs to {owner['name']}.")

    return guard


def _units_of(state: State, unit: Record) -> list[Record]:
    return [priced for priced in state.rows("pricing_units") if priced.get("metering_unit_name") == unit["unit_name"]]


def _tenants_of(state: State, plan: Record) -> list[Record]:
    return [tenant for tenant in state.rows("tenants") if plan["id"] in plans_of(tenant)]


def plans_of(tenant: Record) -> set[str]:
    """Return the tenant's current plan, its reserved one, and its former ones."""
    return {
        tenant["plan_id"],
        tenant.get("next_plan_id", ""),
        *(entry["plan_id"] for entry in tenant["plan_histories"]),
    }


def _check_unit(call: SandboxCall, unit: Record) -> None:
    if unit["type"] != "fixed" and meter(call.state, unit["metering_unit_name"]) is None:
        raise invalid("metering_unit_name: the metering unit does not exist.")


def _check_plan(call: SandboxCall, plan: Record) -> None:
    units = [unit for menu in _menus(call.state, plan) for unit in menu["units"]]
    for field in ("currency", "recurring_interval"):
        if len({unit[field] for unit in units}) > 1:
            raise invalid(f"menu_ids: the units of a plan share one {field}.")


def _unit(state: State, unit: Record) -> Record:
    """Return the unit, with the id of its meter if it has one."""
    if unit["type"] == "fixed":
        return unit
    found = meter(state, unit["metering_unit_name"])
    return {**unit, "metering_unit_id": found["id"] if found else ""}


def _menu(state: State, menu: Record) -> Record:
    return {**menu, "units": [_unit(state, state.get("pricing_units", unit_id)) for unit_id in menu["unit_ids"]]}


def _menus(state: State, plan: Record) -> list[Record]:
    return [_menu(state, state.get("pricing_menus", menu_id)) for menu_id in plan["menu_ids"]]


def _show_plan(call: SandboxCall, plan: Record) -> Record:
    return {**plan, "pricing_menus": _menus(call.state, plan)}


def _mark_used(call: SandboxCall) -> None:
    """Mark the plans and their content as used, which cannot be reverted."""
    for plan_id in call.body["plan_ids"]:
        mark_used(call.state, plan_id)


def mark_used(state: State, plan_id: str) -> None:
    """Mark a plan, its menus, their units and their meters as used."""
    state.change("pricing_plans", (plan_id,), used=True)
    for menu in _menus(state, state.get("pricing_plans", plan_id)):
        state.change("pricing_menus", (menu["id"],), used=True)
        for unit in menu["units"]:
            state.change("pricing_units", (unit["id"],), used=True)
            if unit.get("metering_unit_id"):
                state.change("metering_units", (unit["metering_unit_id"],), used=True)


def forget_plans(state: State) -> None:
    """Remove every tenant's plan. The history stays."""
    state.rewrite("tenants", lambda tenant: {**without_reservation(tenant), "plan_id": ""})


def _wipe(call: SandboxCall) -> None:
    """Remove the whole price list, used or not, and usage without a meter."""
    for table in (*TABLES, "usage"):
        call.state.drop(table)
    forget_plans(call.state)


def _reset(call: SandboxCall) -> None:
    """Remove every plan, every tenant's plan, and the connection to Stripe. Menus, units and meters stay."""
    for table in ("pricing_plans", "stripe_customers"):
        call.state.drop(table)
    forget_plans(call.state)
    call.state.put("documents", (STRIPE,), {"is_registered": False})


def _priced(
    path: str, table: str, noun: str, owners: Callable[[State, Record], list[Record]], name: str = "name", **more: Any
) -> CollectionResource:
    """Return a collection of the price list, whose records have a unique name and are removed only while nothing uses them."""
    guard = _unused(noun, owners)
    return CollectionResource(f"/v1/pricing/{path}", table, noun, unique=(name,), new=_new(table), guard=guard, **more)


def _held_in(table: str, field: str) -> Callable[[State, Record], list[Record]]:
    """Return a function that lists the records of a table that hold a record in a field."""
    return lambda state, record: [owner for owner in state.rows(table) if record["id"] in owner[field]]


ROWS = (
    _priced("metering/units", "metering_units", "metering unit", _units_of, "unit_name", constant=("unit_name",)),
    _priced(
        "units",
        "pricing_units",
        "pricing unit",
        _held_in("pricing_menus", "unit_ids"),
        check=_check_unit,
        view=lambda call, unit: _unit(call.state, unit),
    ),
    _priced(
        "menus",
        "pricing_menus",
        "menu",
        _held_in("pricing_plans", "menu_ids"),
        view=lambda call, menu: _menu(call.state, menu),
    ),
    _priced("plans", "pricing_plans", "plan", _tenants_of, check=_check_plan, view=_show_plan),
    CollectionResource("/v1/pricing/tax-rates", "tax_rates", "tax rate", unique=("name",)),
)

SPECIAL: dict[str, Behaviour] = {
    "pricing.UpdatePricingPlansUsed": _mark_used,
    "pricing.DeleteAllPlansAndMenusAndUnitsAndMetersAndTaxRates": _wipe,
    "auth.ResetPlan": _reset,
}
