"""What the API does outside of itself, as far as it leaves a trace inside: Stripe and EventBridge."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours.tenants import STRIPE
from saasus_mcp.sandbox.call import Behaviour, Call
from saasus_mcp.sandbox.engine import Document
from saasus_mcp.sandbox.refusals import invalid, missing, not_now
from saasus_mcp.sandbox.state import Record

EVENTS = "/v1/integration/eventbridge/info"


def _connect(call: Call) -> None:
    if not call.body["secret_key"]:
        raise invalid("secret_key: it is empty.")
    call.state.put("documents", (STRIPE,), {"is_registered": True})


def _disconnect(call: Call) -> None:
    """The connection goes, and with it what is known of customers at Stripe."""
    call.state.put("documents", (STRIPE,), {"is_registered": False})
    call.state.drop("stripe_customers")


def _require_stripe(call: Call) -> None:
    if not call.state.get("documents", STRIPE)["is_registered"]:
        raise not_now("Stripe is not connected.")


def _push_all(call: Call) -> None:
    """Every tenant becomes a customer; one that is a customer already stays as it is."""
    _require_stripe(call)
    for tenant in call.state.rows("tenants"):
        if call.state.find("stripe_customers", tenant["id"]) is None:
            call.state.put("stripe_customers", (tenant["id"],), customer(tenant["id"]))


def customer(tenant_id: str) -> Record:
    """The ids of a tenant at Stripe."""
    return {"customer_id": f"cus_sandbox{tenant_id[:8]}", "subscription_schedule_id": f"sub_sched_{tenant_id[:8]}"}


def _forget_customers(call: Call) -> None:
    call.state.drop("stripe_customers")


def _customer(call: Call) -> Record:
    found = call.state.find("stripe_customers", *call.scope)
    if found is None:
        raise missing("customer at Stripe")
    return found


def _leave_products(_call: Call) -> None:
    """Products at Stripe leave no trace in the API."""


def _emit(call: Call) -> None:
    if call.state.find("documents", EVENTS) is None:
        raise not_now("The EventBridge settings are not saved.")


ROWS = (Document(STRIPE), Document(EVENTS, noun="EventBridge setting"))

SPECIAL: dict[str, Behaviour] = {
    "billing.UpdateStripeInfo": _connect,
    "billing.DeleteStripeInfo": _disconnect,
    "auth.CreateTenantAndPricing": _push_all,
    "auth.DeleteStripeTenantAndPricing": _forget_customers,
    "auth.GetStripeCustomer": _customer,
    "pricing.LinkPlanToStripe": _require_stripe,
    "pricing.DeleteStripePlan": _leave_products,
    "integration.CreateEventBridgeEvent": _emit,
    "integration.CreateEventBridgeTestEvent": _emit,
}
