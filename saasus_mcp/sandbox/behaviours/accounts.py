"""SaaS users: login accounts, which exist apart from any tenant, and the operations of a user on their own account."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours import logins
from saasus_mcp.sandbox.behaviours.attributes import check_attributes
from saasus_mcp.sandbox.behaviours.logins import new_user, user_by_login, user_by_token
from saasus_mcp.sandbox.behaviours.members import forget, memberships, shown_envs
from saasus_mcp.sandbox.call import DAY, Behaviour, SandboxCall, day_of, page_of, require_text
from saasus_mcp.sandbox.engine import CollectionResource, DocumentResource
from saasus_mcp.sandbox.state import Record, State, invalid, missing, not_now

PAGE = 50


def _created(call: SandboxCall) -> Record:
    """Return the new account. A password is generated if no mail can carry one, and is shown only here."""
    user = new_user(call, call.body.get("email", ""), call.body.get("sign_in_id", ""))
    silent = user["email"] or "password" in call.body
    return user if silent else {**user, "password": call.state.new_secret("password")}


USERS = CollectionResource("/v1/auth/users", "users", "user", unique=logins.NAMES, new=_created, check=logins.check)


def info(state: State, user: Record) -> Record:
    """Return the account with its tenants, in the form of GetUserInfo."""
    tenants: list[Record] = []
    for member in memberships(state, user["id"]):
        tenant = state.get("tenants", member["tenant_id"])
        tenants.append(
            {
                "id": tenant["id"],
                "name": tenant["name"],
                "completed_sign_up": True,
                "envs": shown_envs(state, tenant["id"], user["id"]),
                "user_attribute": member["attributes"],
                "back_office_staff_email": tenant["back_office_staff_email"],
                "plan_id": tenant["plan_id"],
                "is_paid": bool(tenant["plan_id"]),
            }
        )
    return {**user, "user_attribute": user["attributes"], "tenants": tenants}


def _info_by_token(call: SandboxCall) -> Record:
    user = user_by_token(call.state, call.query["token"])
    for member in memberships(call.state, user["id"]):
        key = (day_of(call.now), member["tenant_id"])
        before = call.state.find("userinfo_calls", *key) or {"date": key[0], "tenant_id": key[1], "count": 0}
        call.state.put("userinfo_calls", key, {**before, "count": before["count"] + 1})
    return info(call.state, user)


def _info_by_login(call: SandboxCall) -> Record:
    (name, value), *_ = call.query.items()
    found = user_by_login(call.state, name, value)
    if found is None:
        raise missing("user")
    return info(call.state, found)


def _search(call: SandboxCall) -> Record:
    found = [user for user in call.state.rows("users") if logins.matches(user, call.query)]
    return page_of(call, found, "users", PAGE)


def _delete(call: SandboxCall) -> Record:
    user = call.state.get("users", *call.scope)
    before = info(call.state, user)
    forget(call.state, user["id"])
    call.state.drop("users", user["id"])
    return before


def _change_login(call: SandboxCall, name: str, value: str) -> None:
    user = call.state.get("users", *call.scope)
    if not user[name]:
        raise not_now(f"The user does not sign in by {name}.")
    changed = {**user, name: value}
    logins.check(call, changed)
    if (user_by_login(call.state, name, value) or user)["id"] != user["id"]:
        raise invalid(f"{name}: another user has it already.")
    call.state.put("users", call.scope, changed)


def _request_email(call: SandboxCall) -> None:
    user = call.state.get("users", *call.scope)
    if not user["email"]:
        raise not_now("The user does not sign in by email.")
    user_by_token(call.state, call.body["access_token"])
    request = {"email": call.body["email"], "until": call.now + DAY}
    call.state.put("email_requests", call.scope, request)


def _confirm_email(call: SandboxCall) -> None:
    request = call.state.find("email_requests", *call.scope)
    if request is None or request["until"] < call.now:
        raise not_now("No change of the address was requested in the last 24 hours.")
    require_text(call, "code")
    _change_login(call, "email", request["email"])
    call.state.drop("email_requests", *call.scope)


def _set_attributes(call: SandboxCall) -> None:
    check_attributes(call.state, "saas_user_attributes", call.body["attributes"])
    call.state.change("users", call.scope, attributes=call.body["attributes"])


def _issue_authenticator(call: SandboxCall) -> Record:
    user_by_token(call.state, call.body["access_token"])
    call.state.put("authenticators", call.scope, {"registered": False})
    return {"secret_code": "SANDBOX" + call.state.new_id("authenticator")[:8].upper()}


def _register_authenticator(call: SandboxCall) -> None:
    if call.state.find("authenticators", *call.scope) is None:
        raise not_now("No secret code was issued for this user before.")
    call.state.put("authenticators", call.scope, {"registered": True})


def _check_mfa(call: SandboxCall, preference: Record) -> None:
    if not preference["enabled"]:
        return
    method = call.body.get("method")
    if method is None:
        raise invalid("method: it is required when enabled is true.")
    authenticator = call.state.find("authenticators", *call.scope) or {"registered": False}
    if method == "softwareToken" and not authenticator["registered"]:
        raise not_now("The user has registered no authenticator.")
    domain = call.state.get("documents", "/v1/auth/basic-info")
    if method == "email" and not domain["is_dns_validated"]:
        raise not_now("The domain and its DKIM records are not validated.")


def _sign_up(call: SandboxCall) -> Record:
    settings = call.state.get("documents", "/v1/auth/sign-in-settings")
    if call.operation.operation_id == "SignUp" and not settings["self_regist"]["enable"]:
        raise not_now("Self sign-up is switched off.")
    return USERS.create(call)


ROWS = (
    USERS,
    DocumentResource(
        "/v1/auth/users/{user_id}/mfa/preference", default=lambda _call: {"enabled": False}, check=_check_mfa
    ),
)

SPECIAL: dict[str, Behaviour] = {
    "auth.GetUserInfo": _info_by_token,
    "auth.GetUserInfoByEmail": _info_by_login,
    "auth.GetUserInfoBySignInId": _info_by_login,
    "auth.SearchSaasUsers": _search,
    "auth.DeleteSaasUser": _delete,
    "auth.UpdateSaasUserPassword": lambda call: require_text(call, "password"),
    "auth.ResetSaasUserPassword": lambda call: {"password": call.state.new_secret("password")},
    "auth.UpdateSaasUserEmail": lambda call: _change_login(call, "email", call.body["email"]),
    "auth.UpdateSaasUserSignInId": lambda call: _change_login(call, "sign_in_id", call.body["sign_in_id"]),
    "auth.RequestEmailUpdate": _request_email,
    "auth.ConfirmEmailUpdate": _confirm_email,
    "auth.UpdateSaasUserAttributes": _set_attributes,
    "auth.CreateSecretCode": _issue_authenticator,
    "auth.UpdateSoftwareToken": _register_authenticator,
    "auth.SignUp": _sign_up,
    "auth.SignUpWithAwsMarketplace": _sign_up,
}
