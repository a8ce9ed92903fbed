"""Tenants, their plans, and the records that are deleted with a tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from saasus_mcp.sandbox.behaviours.attributes import check_attributes
from saasus_mcp.sandbox.call import MINUTE, Behaviour, SandboxCall
from saasus_mcp.sandbox.engine import CollectionResource, DocumentResource
from saasus_mcp.sandbox.state import Record, State, invalid, not_now

AHEAD = 5 * MINUTE
"""How far ahead a plan change must lie; one without a date takes this long."""
LAST_CALL = 10 * MINUTE
"""Until how long before it applies a reservation can be dropped."""
RESERVED = ("next_plan_id", "using_next_plan_from", "next_plan_tax_rate_id", "proration_behavior", "delete_usage")
BELONGINGS = ("members", "grants", "invitations", "usage", "stripe_customers", "user_counts")
"""Tables whose keys begin with the tenant's id."""
NAMING = ("active_users", "api_keys", "marketplace_customers", "userinfo_calls")
"""Tables whose records name the tenant."""
STRIPE = "/v1/billing/stripe/info"
DOCUMENTS = ("/v1/auth/tenants/{tenant_id}/identity-providers", "/v1/apigateway/tenants/{tenant_id}")


def new_tenant(call: SandboxCall, name: str, attributes: Any, staff_email: str) -> Record:
    """Return a tenant without users and plan."""
    return {
        "id": call.state.new_id("tenants"),
        "name": name,
        "attributes": attributes,
        "back_office_staff_email": staff_email,
        "plan_id": "",
        "plan_histories": [],
    }


def _created(call: SandboxCall) -> Record:
    return new_tenant(call, call.body["name"], call.body["attributes"], call.body["back_office_staff_email"])


def _check(call: SandboxCall, tenant: Record) -> None:
    if not tenant["name"].strip():
        raise invalid("name: it is empty.")
    check_attributes(call.state, "tenant_attributes", tenant["attributes"])


def _view(call: SandboxCall, tenant: Record) -> Record:
    """Return the tenant with the period of its plan: in this emulation, the calendar month or year."""
    if not tenant["plan_id"]:
        return tenant
    present = datetime.fromtimestamp(call.now, UTC)
    start = present.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if "year" in _intervals(call.state, tenant["plan_id"]):
        start = start.replace(month=1)
        end = start.replace(year=start.year + 1)
    else:
        end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    period = {"current_plan_period_start": int(start.timestamp()), "current_plan_period_end": int(end.timestamp())}
    return {**tenant, **period}


def _intervals(state: State, plan_id: str) -> set[str]:
    plan = state.find("pricing_plans", plan_id) or {"menu_ids": []}
    menus = [state.get("pricing_menus", menu_id) for menu_id in plan["menu_ids"]]
    units = [state.get("pricing_units", unit_id) for menu in menus for unit_id in menu["unit_ids"]]
    return {unit["recurring_interval"] for unit in units}


def _remove(call: SandboxCall, tenant: Record) -> None:
    for table in BELONGINGS:
        call.state.drop(table, tenant["id"])
    for table in NAMING:
        call.state.sweep(table, lambda record: record["tenant_id"] == tenant["id"])
    for path in DOCUMENTS:
        call.state.drop("documents", path, tenant["id"])


TENANTS = CollectionResource(
    "/v1/auth/tenants", "tenants", "tenant", unique=("name",), new=_created, check=_check, view=_view, cascade=_remove
)


def _change_plan(call: SandboxCall) -> None:
    """Reserve a plan, reserve the end of the contract, or drop a reservation, depending on the values."""
    tenant = call.state.get("tenants", *call.scope)
    plan_id, start = call.body["next_plan_id"], call.body.get("using_next_plan_from")
    if not plan_id and start is None:
        _drop_reservation(call, tenant)
        return
    if not plan_id and not tenant["plan_id"]:
        raise not_now("The tenant has no plan that could end.")
    if start is not None and start < call.now + AHEAD and not _starts_this_month(call, start):
        raise invalid("using_next_plan_from: it must lie at least 5 minutes ahead.")
    reserved = {**call.body, "using_next_plan_from": call.now + AHEAD if start is None else start}
    if call.body.get("delete_usage"):
        call.state.drop("usage", tenant["id"])
    call.state.put("tenants", call.scope, {**without_reservation(tenant), **reserved})


def _starts_this_month(call: SandboxCall, start: int) -> bool:
    """Return whether the start is 00:00 UTC on the first of this month, which is accepted with Stripe (auth.yaml, UpdateTenantPlan)."""
    first = datetime.fromtimestamp(call.now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start == int(first.timestamp()) and bool(call.state.get("documents", STRIPE)["is_registered"])


def _drop_reservation(call: SandboxCall, tenant: Record) -> None:
    if tenant.get("delete_usage"):
        raise not_now("A reservation made with delete_usage cannot be dropped.")
    if tenant.get("using_next_plan_from", call.now + LAST_CALL) < call.now + LAST_CALL:
        raise not_now("A reservation can be dropped until 10 minutes before it applies.")
    call.state.put("tenants", call.scope, without_reservation(tenant))


def without_reservation(tenant: Record) -> Record:
    """Return the tenant without the plan that is reserved."""
    return {name: value for name, value in tenant.items() if name not in RESERVED}


def apply_due_plans(state: State, now: int) -> None:
    state.rewrite(
        "tenants", lambda tenant: _applied(tenant) if tenant.get("using_next_plan_from", now + 1) <= now else tenant
    )


def _applied(tenant: Record) -> Record:
    entry = {
        "plan_id": tenant["next_plan_id"],
        "plan_applied_at": tenant["using_next_plan_from"],
        "tax_rate_id": tenant.get("next_plan_tax_rate_id", ""),
        "proration_behavior": tenant.get("proration_behavior", "none"),
        "delete_usage": tenant.get("delete_usage", False),
    }
    histories = [*tenant["plan_histories"], entry] if entry["plan_id"] else tenant["plan_histories"]
    return {**without_reservation(tenant), "plan_id": entry["plan_id"], "plan_histories": histories}


def _saml(call: SandboxCall, _before: Record) -> Record:
    props = call.body.get("identity_provider_props")
    if props is None:
        return {}
    return {"saml": {"sign_in_url": f"https://auth.example.com/saml/{call.path['tenant_id']}", **props}}


ROWS = (
    TENANTS,
    DocumentResource("/v1/auth/tenants/{tenant_id}/identity-providers", default=lambda _call: {}, change=_saml),
)

SPECIAL: dict[str, Behaviour] = {
    "auth.UpdateTenantPlan": _change_plan,
    "auth.UpdateTenantBillingInfo": lambda call: call.state.change("tenants", call.scope, billing_info=dict(call.body)),
}
