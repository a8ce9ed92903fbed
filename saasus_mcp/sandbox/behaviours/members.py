"""Tenant users: memberships, and roles by environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from saasus_mcp.sandbox.behaviours import logins
from saasus_mcp.sandbox.behaviours.attributes import check_attributes
from saasus_mcp.sandbox.call import Behaviour, SandboxCall, page_of
from saasus_mcp.sandbox.engine import CollectionResource
from saasus_mcp.sandbox.state import Record, State, invalid

PAGE = 50
LARGEST = 10_000


def memberships(state: State, user_id: str) -> list[Record]:
    return [member for member in state.rows("members") if member["user_id"] == user_id]


def shown_envs(state: State, tenant_id: str, user_id: str) -> list[Record]:
    """Return the user's roles in a tenant by environment."""
    held: dict[int, list[str]] = {}
    for grant in state.rows("grants", tenant_id, user_id):
        held.setdefault(grant["env_id"], []).append(grant["role_name"])
    return described(state, held.items())


def described(state: State, held: Iterable[tuple[int, list[str]]]) -> list[Record]:
    """Return environments and roles with their names, in the API's form of a grant."""
    envs: list[Record] = []
    for env_id, names in sorted(held):
        env = state.find("envs", env_id) or {"id": env_id, "name": "", "display_name": ""}
        roles = [state.find("roles", name) or {"role_name": name, "display_name": name} for name in names]
        envs.append({**env, "roles": roles})
    return envs


def check_grants(state: State, grants: Iterable[tuple[int, list[str]]]) -> None:
    """Refuse grants with unknown roles or environments."""
    for env_id, names in grants:
        if state.find("envs", env_id) is None:
            raise invalid(f"envs: the environment {env_id} does not exist.")
        for name in names:
            if state.find("roles", name) is None:
                raise invalid(f"role_names: the role {name} does not exist.")


def join(call: SandboxCall, tenant_id: str, user_id: str, attributes: Mapping[str, Any]) -> Record:
    if call.state.find("members", tenant_id, user_id) is not None:
        raise invalid("email: the user belongs to the tenant already.")
    member = {"tenant_id": tenant_id, "user_id": user_id, "attributes": attributes, "created_at": call.now}
    call.state.put("members", (tenant_id, user_id), member)
    return member


def grant(state: State, tenant_id: str, user_id: str, env_id: int, names: Iterable[str]) -> None:
    """Grant roles to the user. Existing grants stay."""
    for name in names:
        record = {"tenant_id": tenant_id, "user_id": user_id, "env_id": env_id, "role_name": name}
        state.put("grants", (tenant_id, user_id, env_id, name), record)


def leave(state: State, tenant_id: str, user_id: str) -> None:
    """Remove the user from the tenant, with roles and keys."""
    state.drop("members", tenant_id, user_id)
    state.drop("grants", tenant_id, user_id)
    state.sweep("api_keys", lambda key: (key["tenant_id"], key.get("user_id")) == (tenant_id, user_id))


def forget(state: State, user_id: str) -> None:
    """Remove the user from every tenant, with all records about them."""
    for member in memberships(state, user_id):
        leave(state, member["tenant_id"], user_id)
    for table in ("authenticators", "behaviors", "email_requests", "provider_links"):
        state.drop(table, user_id)
    state.drop("documents", "/v1/auth/users/{user_id}/mfa/preference", user_id)


def _view(call: SandboxCall, member: Record) -> Record:
    user = call.state.get("users", member["user_id"])
    return {
        "id": user["id"],
        "tenant_id": member["tenant_id"],
        "tenant_name": call.state.get("tenants", member["tenant_id"])["name"],
        "email": user["email"],
        "sign_in_id": user["sign_in_id"],
        "attributes": member["attributes"],
        "envs": shown_envs(call.state, member["tenant_id"], user["id"]),
    }


MEMBERS = CollectionResource(
    "/v1/auth/tenants/{tenant_id}/users",
    "members",
    "tenant user",
    key="user_id",
    check=lambda call, member: check_attributes(call.state, "user_attributes", member["attributes"]),
    view=_view,
    cascade=lambda call, member: leave(call.state, member["tenant_id"], member["user_id"]),
)


def _add(call: SandboxCall) -> Record:
    """Add an existing account to the tenant, or create one for an unknown login."""
    login = {name: call.body.get(name, "") for name in logins.NAMES}
    user = logins.new_user(call, **login)
    logins.check(call, user)
    check_attributes(call.state, "user_attributes", call.body["attributes"])
    name, value = next((name, value) for name, value in login.items() if value)
    known = logins.user_by_login(call.state, name, value)
    if known is None:
        call.state.put("users", (user["id"],), user)
    member = join(call, call.path["tenant_id"], (known or user)["id"], call.body["attributes"])
    return _view(call, member)


def _search(call: SandboxCall) -> Record:
    query = call.query
    scope = (query["tenant_id"],) if "tenant_id" in query else ()
    members = [member for member in call.state.rows("members", *scope) if _holds(call, member)]
    found = [member for member in members if logins.matches(call.state.get("users", member["user_id"]), query)]
    page = page_of(call, found, "users", PAGE)
    return {**page, **_views(call, page["users"])}


def _views(call: SandboxCall, members: Iterable[Record]) -> Record:
    return {"users": [_view(call, member) for member in members]}


def _holds(call: SandboxCall, member: Record) -> bool:
    """Return whether the member has the wanted role in the wanted environment. Each may be omitted."""
    query = call.query
    if "env_id" not in query and "role_name" not in query:
        return True
    envs = shown_envs(call.state, member["tenant_id"], member["user_id"])
    envs = [env for env in envs if query.get("env_id", env["id"]) == env["id"]]
    roles = [role["role_name"] for env in envs for role in env["roles"]]
    return query["role_name"] in roles if "role_name" in query else bool(envs)


def _counts(call: SandboxCall) -> Record:
    counts: list[Record] = []
    for tenant in call.state.rows("tenants"):
        count = {"count": len(call.state.rows("members", tenant["id"])), "updated_at": call.now}
        counts.append({"tenant_id": tenant["id"], **(call.state.find("user_counts", tenant["id"]) or count)})
    return {"tenant_user_counts": counts}


def _save_counts(call: SandboxCall) -> None:
    counts = call.body["tenant_user_counts"]
    if len(counts) > LARGEST:
        raise invalid(f"tenant_user_counts: at most {LARGEST} tenants.")
    for count in counts:
        if call.state.find("tenants", count["tenant_id"]) is None:
            raise invalid(f"tenant_user_counts: the tenant {count['tenant_id']} does not exist.")
    for count in counts:
        call.state.put("user_counts", (count["tenant_id"],), {"count": count["count"], "updated_at": call.now})


def _grant(call: SandboxCall) -> None:
    tenant_id, user_id, env_id = (call.path[name] for name in ("tenant_id", "user_id", "env_id"))
    call.state.get("members", tenant_id, user_id, noun="tenant user")
    grant(call.state, tenant_id, user_id, env_id, call.body["role_names"])


def _revoke(call: SandboxCall) -> None:
    key = tuple(call.path[name] for name in ("tenant_id", "user_id", "env_id", "role_name"))
    call.state.get("grants", *key, noun="grant of this role")
    call.state.drop("grants", *key)


ROWS = (MEMBERS,)


SPECIAL: dict[str, Behaviour] = {
    "auth.CreateTenantUser": _add,
    "auth.GetAllTenantUsers": lambda call: _views(call, call.state.rows("members")),
    "auth.GetAllTenantUser": lambda call: _views(call, memberships(call.state, call.path["user_id"])),
    "auth.SearchTenantUsers": _search,
    "auth.GetAllTenantUsersCount": _counts,
    "auth.SaveTenantUsersCounts": _save_counts,
    "auth.CreateTenantUserRoles": _grant,
    "auth.DeleteTenantUserRole": _revoke,
}
