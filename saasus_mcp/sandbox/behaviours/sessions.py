"""Sign-in and tokens. A token names its user and gives no access; any text is accepted as one."""

from __future__ import annotations

from saasus_mcp.sandbox.behaviours.logins import user_by_token
from saasus_mcp.sandbox.call import Behaviour, SandboxCall, require_text
from saasus_mcp.sandbox.state import Record, missing, not_now, unauthorized

CODE_LIFE = 10
"""Seconds for which a code that the sandbox gave out can be redeemed."""
TOKENS = ("id_token", "access_token", "refresh_token")
LAST_CHALLENGES = ("PASSWORD_VERIFIER", "NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP")


def _tokens(call: SandboxCall, source: str) -> Record:
    user = user_by_token(call.state, source)
    return {name: f"sandbox-{name.replace('_', '-')}-{user['id']}" for name in TOKENS}


def _redeem(call: SandboxCall) -> Record:
    """Return tokens for a code or a refresh token. A code from here is valid once and briefly; other text is accepted."""
    name = "refresh-token" if call.query.get("auth-flow") == "refreshTokenAuth" else "code"
    secret = call.query.get(name, "")
    if not secret:
        raise missing(f"{name} in the query")
    stored = call.state.find("codes", secret)
    if stored is None:
        return _tokens(call, secret)
    call.state.drop("codes", secret)
    if stored["until"] < call.now:
        raise missing("code any more")
    return {**stored["tokens"]}


def _keep(call: SandboxCall) -> Record:
    if not all(call.body.get(name, "unset") for name in TOKENS):
        raise unauthorized("A token is empty.")
    code = call.state.new_id("codes")
    call.state.put("codes", (code,), {"tokens": dict(call.body), "until": call.now + CODE_LIFE})
    return {"code": code}


def _begin(call: SandboxCall) -> Record:
    """Return a challenge for any user. SRP is not computed."""
    name = call.body.get("sign_in_parameters", {}).get("USERNAME", "")
    parameters = {"USER_ID_FOR_SRP": name or "sandbox-user", "SALT": "00", "SRP_B": "00", "SECRET_BLOCK": "sandbox"}
    session = call.state.new_secret("session")
    return {"challenge_name": "PASSWORD_VERIFIER", "challenge_parameters": parameters, "session": session}


def _respond(call: SandboxCall) -> Record:
    """Return tokens for a final challenge, and the password challenge otherwise."""
    if call.body.get("session") == "":
        raise unauthorized("The session is empty.")
    if call.body["challenge_name"] not in LAST_CHALLENGES:
        return _begin(call)
    user = call.body.get("challenge_responses", {}).get("USERNAME", "") or "sandbox-user"
    device = {"device_key": call.state.new_secret("device"), "device_group_key": call.state.new_secret("device-group")}
    return {"credentials": _tokens(call, user), "new_device_metadata": device}


def _check_token(call: SandboxCall) -> None:
    user_by_token(call.state, call.body["access_token"])


def _confirm_device(call: SandboxCall) -> Record:
    _check_token(call)
    return {"user_confirmation_necessary": True}


def _request_link(call: SandboxCall) -> None:
    user = user_by_token(call.state, call.body["access_token"])
    call.state.put("link_requests", (user["id"],), {"requested_at": call.now})


def _confirm_link(call: SandboxCall) -> None:
    user = user_by_token(call.state, call.body["access_token"])
    require_text(call, "code")
    if call.state.find("link_requests", user["id"]) is None:
        raise not_now("No link was requested: RequestExternalUserLink comes first.")
    call.state.drop("link_requests", user["id"])
    call.state.put("provider_links", (user["id"], "Google"), {"user_id": user["id"], "provider_name": "Google"})


def _resend(call: SandboxCall) -> None:
    if not any(user["email"] == call.body["email"] for user in call.state.rows("users")):
        raise not_now("No account has this address.")


SPECIAL: dict[str, Behaviour] = {
    "auth.GetAuthCredentials": _redeem,
    "auth.CreateAuthCredentials": _keep,
    "auth.SignIn": _begin,
    "auth.RespondToSignInChallenge": _respond,
    "auth.ConfirmDevice": _confirm_device,
    "auth.UpdateDeviceStatus": _check_token,
    "auth.RequestExternalUserLink": _request_link,
    "auth.ConfirmExternalUserLink": _confirm_link,
    "auth.UnlinkProvider": lambda call: call.state.drop("provider_links", *call.scope),  # succeeds also without a link
    "auth.ResendSignUpConfirmationEmail": _resend,
}
