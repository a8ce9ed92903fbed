"""Roles and environments."""

from __future__ import annotations

from saasus_mcp.sandbox.call import SandboxCall
from saasus_mcp.sandbox.engine import CollectionResource, sent_body
from saasus_mcp.sandbox.refusals import invalid, not_now
from saasus_mcp.sandbox.state import Record

PRODUCTION = 3


def _unused(call: SandboxCall, role: Record) -> None:
    """Refuse a role that is in use. The documents declare the refusal without its condition; this is the likely one."""
    name = role["role_name"]
    granted = any(grant["role_name"] == name for grant in call.state.rows("grants"))
    waiting = [invitation for invitation in call.state.rows("invitations") if invitation["status"] == "pending"]
    offered = any(name in env["role_names"] for invitation in waiting for env in invitation["envs"])
    if granted or offered:
        raise not_now(f"The role {name} is in use.")


def _named(_call: SandboxCall, role: Record) -> None:
    if not role["role_name"].strip():
        raise invalid("role_name: it is empty.")


def _not_production(_call: SandboxCall, env: Record) -> None:
    if env["id"] == PRODUCTION:
        raise not_now("Environment 3 (prod) cannot be deleted.")


def _grants_go_too(call: SandboxCall, env: Record) -> None:
    for table in ("active_users", "api_keys", "grants"):
        call.state.sweep(table, lambda record: record["env_id"] == env["id"])


ROWS = (
    CollectionResource("/v1/auth/roles", "roles", "role", key="role_name", new=sent_body, check=_named, guard=_unused),
    CollectionResource(
        "/v1/auth/envs",
        "envs",
        "environment",
        new=sent_body,
        unique=("name",),
        guard=_not_production,
        cascade=_grants_go_too,
    ),
)
