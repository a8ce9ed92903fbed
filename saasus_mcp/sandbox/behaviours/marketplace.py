"""AWS Marketplace: settings, plans by their AWS names, and buyers bound to tenants."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours.logins import user_by_token
from saasus_mcp.sandbox.behaviours.members import grant, join
from saasus_mcp.sandbox.behaviours.tenants import TENANTS, new_tenant
from saasus_mcp.sandbox.call import PRODUCTION, Behaviour, SandboxCall, require_text
from saasus_mcp.sandbox.engine import CollectionResource, DocumentResource
from saasus_mcp.sandbox.state import Record, invalid, uid

PLANS = "marketplace_plans"
CUSTOMERS = "marketplace_customers"


def _save_plan(call: SandboxCall) -> None:
    """Map an AWS plan name, which is the key, to a pricing plan."""
    call.state.put(PLANS, (call.body["plan_name"],), call.body)


def _customers(call: SandboxCall) -> Record:
    tenants = call.query.get("tenant_ids")
    rows = call.state.rows(CUSTOMERS)
    return {"customers": [row for row in rows if tenants is None or row["tenant_id"] in tenants]}


def _bind(call: SandboxCall, tenant_id: str) -> Record:
    """Bind the buyer behind a registration token to a tenant. A tenant has one contract, a token one buyer."""
    require_text(call, "registration_token")
    identifier = "cust-" + uid("buyer", call.body["registration_token"])[:12]
    if call.state.find(CUSTOMERS, identifier) is not None:
        raise invalid("registration_token: its buyer is bound already.")
    if any(row["tenant_id"] == tenant_id for row in call.state.rows(CUSTOMERS)):
        raise invalid("tenant_id: the tenant is bound to a buyer already.")
    record = {"customer_identifier": identifier, "customer_aws_account_id": "000000000000", "tenant_id": tenant_id}
    call.state.put(CUSTOMERS, (identifier,), record)
    return record


def _link(call: SandboxCall) -> None:
    user_by_token(call.state, call.body["access_token"])
    _bind(call, call.body["tenant_id"])


def _sync(call: SandboxCall) -> None:
    """Give the tenant the first mapped plan that still exists, as the contract at AWS decides."""
    customer = call.state.get(CUSTOMERS, *call.scope, noun="customer")
    mapped = [row for row in call.state.rows(PLANS) if call.state.find("pricing_plans", row["plan_id"]) is not None]
    if mapped:
        entry = {"plan_id": mapped[0]["plan_id"], "plan_applied_at": call.now}
        tenant = call.state.get("tenants", customer["tenant_id"])
        if tenant["plan_id"] != entry["plan_id"]:
            histories = [*tenant["plan_histories"], entry]
            call.state.change("tenants", (tenant["id"],), plan_id=entry["plan_id"], plan_histories=histories)


def _confirm_sign_up(call: SandboxCall) -> Record:
    """Create a tenant for the buyer, with the owner of the token as its administrator."""
    user = user_by_token(call.state, call.body["access_token"])
    tenant = new_tenant(call, call.body.get("tenant_name") or "AWS Marketplace", {}, user["email"])
    _bind(call, tenant["id"])
    call.state.put("tenants", (tenant["id"],), {"created_at": call.now, **tenant})
    join(call, tenant["id"], user["id"], {})
    if call.state.find("roles", "admin") is not None:
        grant(call.state, tenant["id"], user["id"], PRODUCTION, ["admin"])
    return TENANTS.view(call, tenant)


ROWS = (
    CollectionResource("/v1/awsmarketplace/plans", PLANS, "plan", key="plan_name"),
    CollectionResource("/v1/awsmarketplace/customers", CUSTOMERS, "customer", key="customer_identifier"),
    DocumentResource("/v1/awsmarketplace/settings"),
    DocumentResource("/v1/awsmarketplace/listing-status"),
    DocumentResource("/v1/awsmarketplace/catalog-entity/visibility"),
)

SPECIAL: dict[str, Behaviour] = {
    "awsmarketplace.SavePlan": _save_plan,
    "awsmarketplace.GetCustomers": _customers,
    "awsmarketplace.CreateCustomer": lambda call: _bind(call, call.body["tenant_id"]),
    "awsmarketplace.SyncCustomer": _sync,
    "awsmarketplace.VerifyRegistrationToken": lambda call: require_text(call, "registration_token"),
    "auth.ConfirmSignUpWithAwsMarketplace": _confirm_sign_up,
    "auth.LinkAwsMarketplace": _link,
}
