"""Logins: an e-mail address or a sign-in id, never both."""

from __future__ import annotations

import re
from collections.abc import Mapping

from saasus_mcp.sandbox.call import SandboxCall
from saasus_mcp.sandbox.state import Record, State, invalid, unauthorized

NAMES = ("email", "sign_in_id")
SIGN_IN_ID = re.compile(r"[A-Za-z0-9_-]{1,50}")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")


def new_user(call: SandboxCall, email: str = "", sign_in_id: str = "") -> Record:
    login = {"email": email, "sign_in_id": sign_in_id}
    return {"id": call.state.new_id("users"), **login, "attributes": {}, "last_login_at": None, "created_at": call.now}


def check(_call: SandboxCall, user: Record) -> None:
    if sum(bool(user[name]) for name in NAMES) != 1:
        raise invalid("email: exactly one of email and sign_in_id must be given.")
    if user["email"] and not EMAIL.fullmatch(user["email"]):
        raise invalid("email: it is not an e-mail address.")
    if user["sign_in_id"] and not SIGN_IN_ID.fullmatch(user["sign_in_id"]):
        raise invalid("sign_in_id: expected 1 to 50 letters, digits, hyphens or underscores.")


def matches(user: Record, query: Mapping[str, str]) -> bool:
    """Return whether an account has the id and the login prefixes of a query."""
    prefixed = all(user[name].startswith(query.get(name, "")) for name in NAMES)
    return prefixed and query.get("id", user["id"]) == user["id"]


def user_by_login(state: State, name: str, value: str) -> Record | None:
    return next((user for user in state.rows("users") if user[name] == value), None)


def user_by_token(state: State, token: str) -> Record:
    """Return the user whose id the token contains, or the first user. Any text is accepted as a token.

    Raises:
        Refusal: no user exists (401).
    """
    if not token:
        raise unauthorized("The token is empty.")
    users = state.rows("users")
    if not users:
        raise unauthorized("The token belongs to nobody.")
    return next((user for user in users if user["id"] in token), users[0])
