"""Effects on Stripe and EventBridge, as far as the API shows them."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours.tenants import STRIPE
from saasus_mcp.sandbox.call import Behaviour, SandboxCall, require_text
from saasus_mcp.sandbox.engine import DocumentResource
from saasus_mcp.sandbox.state import Record, not_now

EVENTS = "/v1/integration/eventbridge/info"


def _connect(call: SandboxCall) -> None:
    require_text(call, "secret_key")
    call.state.put("documents", (STRIPE,), {"is_registered": True})


def _disconnect(call: SandboxCall) -> None:
    """Remove the connection and the Stripe customers."""
    call.state.put("documents", (STRIPE,), {"is_registered": False})
    call.state.drop("stripe_customers")


def _require_stripe(call: SandboxCall) -> None:
    if not call.state.get("documents", STRIPE)["is_registered"]:
        raise not_now("Stripe is not connected.")


def _push_all(call: SandboxCall) -> None:
    """Make every tenant a Stripe customer. Existing customers stay."""
    _require_stripe(call)
    for tenant in call.state.rows("tenants"):
        if call.state.find("stripe_customers", tenant["id"]) is None:
            call.state.put("stripe_customers", (tenant["id"],), customer(tenant["id"]))


def customer(tenant_id: str) -> Record:
    """Return the Stripe ids of a tenant."""
    return {"customer_id": f"cus_sandbox{tenant_id[:8]}", "subscription_schedule_id": f"sub_sched_{tenant_id[:8]}"}


def _emit(call: SandboxCall) -> None:
    if call.state.find("documents", EVENTS) is None:
        raise not_now("The EventBridge settings are not saved.")


ROWS = (DocumentResource(STRIPE), DocumentResource(EVENTS, noun="EventBridge setting"))

SPECIAL: dict[str, Behaviour] = {
    "billing.UpdateStripeInfo": _connect,
    "billing.DeleteStripeInfo": _disconnect,
    "auth.CreateTenantAndPricing": _push_all,
    "auth.DeleteStripeTenantAndPricing": lambda call: call.state.drop("stripe_customers"),
    "auth.GetStripeCustomer": lambda call: call.state.get("stripe_customers", *call.scope, noun="customer at Stripe"),
    "pricing.LinkPlanToStripe": _require_stripe,
    "pricing.DeleteStripePlan": lambda _call: None,  # the API does not show products at Stripe
    "integration.CreateEventBridgeEvent": _emit,
    "integration.CreateEventBridgeTestEvent": _emit,
}
