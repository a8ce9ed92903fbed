"""What tests of jobs read from the sandbox, and lists for imports."""

from __future__ import annotations

from datetime import UTC, datetime

from saasus_mcp.sandbox import Sandbox
from saasus_mcp.sandbox.state import State, uid

HEADER = "email,sign_in_id,tenant_id,tenant_name,env_id,role_name,attribute.full_name\n"
AOZORA, MIDORI = uid("tenant", "aozora"), uid("tenant", "midori")
USER = "minami.aozora@example.jp"


def sandbox_state(sandbox: Sandbox) -> State:
    """Return the sandbox's state, whose type no test narrows to what a call has left there."""
    return sandbox.state


def list_grants(sandbox: Sandbox) -> list[tuple[str, str, str, str, str]]:
    """Return every grant: e-mail, sign-in id, tenant, environment and role. A member without a grant has one with neither."""
    state = sandbox_state(sandbox)
    rows = []
    for member in state.rows("members"):
        user = state.get("users", member["user_id"])
        login = (user["email"], user["sign_in_id"], member["tenant_id"])
        grants = state.rows("grants", member["tenant_id"], member["user_id"])
        rows += [(*login, str(grant["env_id"]), str(grant["role_name"])) for grant in grants] or [(*login, "", "")]
    return sorted(rows)


def tenant_id(sandbox: Sandbox, number: int = 0) -> str:
    return str(sandbox_state(sandbox).rows("tenants")[number]["id"])


def import_lines(sandbox: Sandbox, count: int = 3) -> str:
    """Return CSV with new people, by turns with an e-mail address and a sign-in id, each with two roles in one tenant."""
    lines = []
    for number in range(count):
        login = f"new-{number}@example.com," if number % 2 == 0 else f",new-{number}"
        lines += [f"{login},{tenant_id(sandbox)},,3,{role},Person {number}\n" for role in ("viewer", "editor")]
    return HEADER + "".join(lines)


def add_invitation(sandbox: Sandbox, email: str, tenant: str = MIDORI) -> str:
    """Invite a person to a tenant. Return the invitation's id."""
    made = uid("invitation", "test", email)
    later = int(datetime.now(UTC).timestamp()) + 86_400
    invitation = {"id": made, "tenant_id": tenant, "email": email, "invitation_url": "https://x.example.com/i"}
    row = {**invitation, "envs": [], "expired_at": later, "status": "pending"}
    sandbox_state(sandbox).put("invitations", (tenant, made), row)
    return made


def add_tenants(sandbox: Sandbox, count: int, **changed: object) -> list[str]:
    """Add tenants named `Test 1` and so on, with the contract of the first tenant. Return their ids."""
    state = sandbox_state(sandbox)
    base = {**state.rows("tenants")[0], **changed}
    made = []
    for number in range(1, count + 1):
        tenant = {**base, "id": uid("tenant", f"test {number}"), "name": f"Test {number}"}
        state.put("tenants", (tenant["id"],), tenant)
        made.append(str(tenant["id"]))
    return made
