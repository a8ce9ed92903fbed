"""Who is there already: accounts and memberships, found in the same way however an address is written and however many are sought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from saasus_mcp.jobs.job_context import JobReader, run_concurrently
from saasus_mcp.jobs.users.user_list import UserLine, login_key

MAX_QUERIES = 40
"""Searches of one list; where more would be needed, the whole list is read, a hundred at once."""
PREFIX_LENGTH = 2
"""Characters by which an address is searched for in every way of writing them: the API does not say whether case counts, and
compares beginnings, so that what it finds is compared here."""
Record = Mapping[str, Any]


@dataclass(slots=True)
class ExistingUsers:
    """Who is there.

    Attributes:
        accounts: ids, by person (users.person).
        grants: environments and roles that are held, by account and tenant; a member without any has none.
        attributes: of members, by account and tenant.
        domains: domains of the members' addresses, by tenant.
    """

    accounts: dict[str, str] = field(default_factory=dict)
    grants: dict[tuple[str, str], frozenset[tuple[int, str]]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Record] = field(default_factory=dict)
    domains: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add_accounts(self, answer: Record) -> None:
        """Remember a page of accounts."""
        for user in answer.get("users", []):
            for by in ("email", "sign_in_id"):
                if user.get(by):
                    self.accounts[login_key(by, user[by])] = user["id"]

    def add_members(self, answer: Record) -> None:
        """Remember a page of tenant users."""
        self.add_accounts(answer)
        for user in answer.get("users", []):
            envs = user.get("envs") or ()
            held = frozenset((env["id"], role["role_name"]) for env in envs for role in env.get("roles") or ())
            self.grants[user["id"], user["tenant_id"]] = held
            self.attributes[user["id"], user["tenant_id"]] = user.get("attributes") or {}
            self.domains[user["tenant_id"]].add(email_domain(user.get("email") or ""))


async def find_existing_users(reader: JobReader, listed: Iterable[UserLine]) -> ExistingUsers:
    """Whoever of the list is there, and the members of its tenants."""
    found, sought = ExistingUsers(), list(listed)
    accounts = _queries(query for line in sought for query in search_queries(line.login_type, line.login))
    members = _queries({"tenant_id": line.tenant_id} for line in sought if line.tenant_id)

    async def look(key: str, query: Record, take: Any) -> None:
        async for _ in reader.read_pages(key, query, take):
            pass

    await run_concurrently(
        [
            *(partial(look, "auth.SearchSaasUsers", query, found.add_accounts) for query in accounts),
            *(partial(look, "auth.SearchTenantUsers", query, found.add_members) for query in members),
        ]
    )
    return found


async def find_accounts(reader: JobReader, by: str, login: str) -> list[Record]:
    """The accounts with this login, however it is written; the one that is written like this, where there is one."""
    found: dict[str, Record] = {}

    def take(answer: Record) -> None:
        alike = (user for user in answer.get("users", []) if str(user.get(by, "")).casefold() == login.casefold())
        found.update({user["id"]: user for user in alike})

    for query in search_queries(by, login, either=True):
        async for _ in reader.read_pages("auth.SearchSaasUsers", query, take):
            pass
    exact = [user for user in found.values() if user.get(by) == login]
    return exact or list(found.values())


def search_queries(by: str, login: str, *, either: bool = False) -> list[dict[str, str]]:
    """The searches that find a login. Only an address is the same person in upper and lower case.

    Args:
        either: whether a sign-in id is sought in upper and lower case, too.
    """
    if by != "email" and not either:
        return [{by: login}]
    letters = [sorted({letter.lower(), letter.upper()}) for letter in login[:PREFIX_LENGTH]]
    return [{by: "".join(each)} for each in product(*letters)]


def email_domain(email: str) -> str:
    """The domain of an address; empty where it is none."""
    return email.rpartition("@")[2].casefold()


def _queries(queries: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Each query once; where they are too many, the one for everything."""
    once = list({tuple(query.items()): query for query in queries}.values())
    return once if len(once) <= MAX_QUERIES else [{}]
