"""The people of the demonstration SaaS, all invented, with their logins and roles."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import starmap
from typing import NamedTuple

from saasus_mcp.sandbox.call import DAY, PRODUCTION
from saasus_mcp.sandbox.state import State, uid

ELSEWHERE = (1, 2)
"""Environments in which administrators and editors hold their roles, too."""


class SeedUser(NamedTuple):
    """One user: `login` with an @ is an address, else a sign-in id; `grants` has the form `tenant=role+role`, separated by blanks."""

    name: str
    login: str
    grants: str
    department: str = ""


def plant(state: State, now: int, rows: Iterable[Iterable[str]]) -> None:
    """Add users, their memberships and their grants. `rows`: the fields of each `SeedUser`."""
    for number, person in enumerate(starmap(SeedUser, rows)):
        joined = now - (400 - 9 * number) * DAY - number * 977
        identifier = uid("user", person.login)
        by_email = "@" in person.login
        language = "en" if person.name.isascii() else "ja"
        user = {
            "id": identifier,
            "email": person.login if by_email else "",
            "sign_in_id": "" if by_email else person.login,
            "attributes": {"locale": language, "newsletter": number % 3 == 0, "login_count": 7 * number},
            "last_login_at": now - number * 5_417 if person.grants else None,
            "created_at": joined,
        }
        state.put("users", (identifier,), user)
        for grants in person.grants.split():
            _plant_member(state, person, number, grants, joined)


def _plant_member(state: State, person: SeedUser, number: int, grants: str, joined: int) -> None:
    tenant, _, names = grants.partition("=")
    tenant_id, identifier = uid("tenant", tenant), uid("user", person.login)
    attributes = {
        "full_name": person.name,
        "department": person.department,
        "employee_number": 1000 + number,
        "is_manager": "admin" in names,
        "joined_on": f"20{20 + number % 5}-{1 + number % 12:02}-01",
    }
    since = max(joined, state.get("tenants", tenant_id)["created_at"]) + DAY
    member = {"tenant_id": tenant_id, "user_id": identifier, "attributes": attributes, "created_at": since}
    state.put("members", (tenant_id, identifier), member)
    for role in filter(None, names.split("+")):
        for env in (PRODUCTION, *(ELSEWHERE if role in ("admin", "editor") else ())):
            grant = {"tenant_id": tenant_id, "user_id": identifier, "env_id": env, "role_name": role}
            state.put("grants", (tenant_id, identifier, env, role), grant)
