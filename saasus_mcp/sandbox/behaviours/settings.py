"""Roles, environments and settings of the whole SaaS: documents that are read and written, and the parts that cannot be."""

from __future__ import annotations

from saasus_mcp.sandbox.call import PRODUCTION, SandboxCall
from saasus_mcp.sandbox.engine import CollectionResource, DocumentResource, sent_body
from saasus_mcp.sandbox.state import Record, invalid, not_now

FIXED_SIGN_IN_PARTS = ("mfa_configuration", "recaptcha_props", "account_verification")
"""Accepted, and documented as not changing anything."""


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


def _domain(call: SandboxCall, before: Record) -> Record:
    """Require a new validation of a new domain, which never completes here."""
    same = call.body["domain_name"] == before["domain_name"]
    return {**before, **call.body, "is_dns_validated": before["is_dns_validated"] and same}


def _sign_in(call: SandboxCall, before: Record) -> Record:
    return {**before, **{name: part for name, part in call.body.items() if name not in FIXED_SIGN_IN_PARTS}}


def _pages(call: SandboxCall, before: Record) -> Record:
    """Change the consent boxes. The HTML stays, as documented."""
    pages = {name: {**page, "html_contents": before[name]["html_contents"]} for name, page in call.body.items()}
    return {**before, **pages}


def _look(call: SandboxCall, before: Record) -> Record:
    """Store images, which are written as data URLs, and return their addresses."""
    images = {}
    for name in ("icon", "favicon"):
        if not call.body[name].startswith("data:image/"):
            raise invalid(f"{name}: expected a base64 data URL.")
        images[name] = f"https://assets.example.com/{call.state.new_id(name)}/{name}.png"
    return {**before, **call.body, **images}


def _templates(call: SandboxCall, before: Record) -> Record:
    """Store new templates, and return URLs that expire."""
    kept = {name: value for name, value in call.body.items() if not name.endswith("_template")}
    urls = {
        f"{name}_url": f"https://assets.example.com/{call.state.new_id(name)}/{name}?X-Amz-Signature=sandbox"
        for name in call.body
        if name.endswith("_template")
    }
    return {**before, **kept, **urls}


def _google(call: SandboxCall, _before: Record) -> Record:
    """Switch Google off if no properties are given. The rest is read as empty."""
    off = {"application_id": "", "application_secret": "", "approval_scope": "", "is_button_hidden": True}
    return {"google": call.body.get("identity_provider_props") or off}


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
    DocumentResource("/v1/auth/basic-info", change=_domain),
    DocumentResource("/v1/auth/auth-info"),
    DocumentResource("/v1/auth/notification-messages"),
    DocumentResource("/v1/auth/identity-providers", change=_google),
    DocumentResource("/v1/auth/sign-in-settings", change=_sign_in),
    DocumentResource("/v1/auth/customize-pages", change=_pages),
    DocumentResource("/v1/auth/customize-page-settings", change=_look),
    DocumentResource("/v1/auth/single-tenant/settings", change=_templates),
    DocumentResource(
        "/v1/auth/users/count",
        default=lambda call: {"count": len(call.state.rows("users")), "updated_at": call.now},
        change=lambda call, _before: {"count": call.body["count"], "updated_at": call.now},
    ),
)
