"""Invitations: a mailed link by which a person joins a tenant with roles."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours import logins
from saasus_mcp.sandbox.behaviours.members import check_grants, described, grant, join
from saasus_mcp.sandbox.call import DAY, Behaviour, SandboxCall
from saasus_mcp.sandbox.engine import CollectionResource
from saasus_mcp.sandbox.state import Record, State, invalid, missing, not_now

LIFE = 7 * DAY


def url(invitation_id: str) -> str:
    """Return the link in the mail."""
    return f"https://auth.orders.example.com/invite?id={invitation_id}"


def _created(call: SandboxCall) -> Record:
    invitation_id = call.state.new_id("invitations")
    return {
        "id": invitation_id,
        "tenant_id": call.path["tenant_id"],
        "email": call.body["email"],
        "invitation_url": url(invitation_id),
        "envs": call.body["envs"],
        "expired_at": call.now + LIFE,
        "status": "pending",
    }


def _check(call: SandboxCall, invitation: Record) -> None:
    logins.user_by_token(call.state, call.body["access_token"])
    info = call.state.get("documents", "/v1/auth/basic-info")
    if not (info["is_dns_validated"] and info["is_ses_sandbox_granted"]):
        raise not_now("Both DNS and SES must be validated before anyone can be invited.")
    logins.check(call, {"email": invitation["email"], "sign_in_id": ""})
    check_grants(call.state, [(env["id"], env["role_names"]) for env in invitation["envs"]])


def _view(call: SandboxCall, invitation: Record) -> Record:
    held = [(env["id"], env["role_names"]) for env in invitation["envs"]]
    return {**invitation, "envs": described(call.state, held)}


def expire(state: State, now: int) -> None:
    """Expire every open invitation that is overdue."""

    def aged(invitation: Record) -> Record:
        over = invitation["status"] == "pending" and invitation["expired_at"] <= now
        return {**invitation, "status": "expired"} if over else invitation

    state.rewrite("invitations", aged)


def _found(call: SandboxCall) -> Record:
    wanted = call.path["invitation_id"]
    found = next((invitation for invitation in call.state.rows("invitations") if invitation["id"] == wanted), None)
    if found is None:
        raise missing("invitation")
    return found


def _accept(call: SandboxCall) -> None:
    """Add the person to the tenant, with a token or as a new account. The operation is named ValidateInvitation nevertheless."""
    invitation = _found(call)
    if invitation["status"] != "pending":
        raise not_now(f"The invitation is {invitation['status']}.")
    user = _guest(call, invitation)
    tenant_id = invitation["tenant_id"]
    join(call, tenant_id, user["id"], {})
    if call.state.find("users", user["id"]) is None:
        call.state.put("users", (user["id"],), user)
    for env in invitation["envs"]:
        if call.state.find("envs", env["id"]) is None:
            continue  # deleted since
        grant(call.state, tenant_id, user["id"], env["id"], env["role_names"])
    call.state.put("invitations", (tenant_id, invitation["id"]), {**invitation, "status": "accepted"})


def _guest(call: SandboxCall, invitation: Record) -> Record:
    """Return the account with the invited address, or a new one."""
    known = logins.user_by_login(call.state, "email", invitation["email"])
    if call.body.get("access_token"):
        if known is None:
            raise invalid("access_token: no account has the invited address; send email and password.")
        return known
    if not call.body.get("email") or not call.body.get("password"):
        raise invalid("access_token: an account that exists needs it; a new one needs email and password.")
    if call.body["email"] != invitation["email"]:
        raise invalid("email: it is not the invited address.")
    if known is not None:
        raise invalid("email: an account has this address already; send its access_token.")
    return logins.new_user(call, email=invitation["email"])


ROWS = (
    CollectionResource(
        "/v1/auth/tenants/{tenant_id}/invitations", "invitations", "invitation", new=_created, check=_check, view=_view
    ),
)

SPECIAL: dict[str, Behaviour] = {
    "auth.GetInvitationValidity": lambda call: {"is_valid": _found(call)["status"] == "pending"},
    "auth.ValidateInvitation": _accept,
}
