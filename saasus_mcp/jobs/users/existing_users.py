"""Existing accounts and memberships. Logins are found however they are spelt, with as few reads as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_reader import ApiRecord, JobReader, run_concurrently
from saasus_mcp.jobs.users.accounts import grants_of, read_members
from saasus_mcp.jobs.users.user_line import UserLine, login_key

MAX_QUERIES = 40
"""Searches of one list. If more are needed, the whole list is read in pages of a hundred."""
PREFIX_LENGTH = 2
"""Characters of an address that are searched for in each spelling. The API matches prefixes and does not document whether case
counts, so its results are compared here."""


@dataclass(slots=True)
class ExistingUsers:
    """Existing accounts and memberships.

    Attributes:
        accounts: ids, by login key.
        grants: environments and roles, by account and tenant; empty for a member without a role.
        attributes: of members, by account and tenant.
        domains: of the members' addresses, by tenant.
    """

    accounts: dict[str, str] = field(default_factory=dict)
    grants: dict[tuple[str, str], frozenset[tuple[int, str]]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], ApiRecord] = field(default_factory=dict)
    domains: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add_accounts(self, answer: ApiRecord) -> None:
        for user in answer.get("users", []):
            for login_type in ("email", "sign_in_id"):
                if user.get(login_type):
                    self.accounts[login_key(login_type, user[login_type])] = user["id"]

    def add_members(self, answer: ApiRecord) -> None:
        self.add_accounts(answer)
        for user in answer.get("users", []):
            member = user["id"], user["tenant_id"]
            self.grants[member] = frozenset(grants_of(user))
            self.attributes[member] = user.get("attributes") or {}
            self.domains[user["tenant_id"]].add(email_domain(user.get("email") or ""))


async def find_existing_users(reader: JobReader, lines: Sequence[UserLine]) -> ExistingUsers:
    """Return the accounts of the list's logins, and the members of its tenants."""
    existing = ExistingUsers()
    accounts = _limit(query for line in lines for query in search_queries(line.login_type, line.login))
    members = _limit({"tenant_id": line.tenant_id} for line in lines if line.tenant_id)

    async def search(key: str, query: ApiRecord, take: Any) -> None:
        async for _ in reader.read_pages(key, query, take):
            pass

    await run_concurrently(
        [
            *(partial(search, "auth.SearchSaasUsers", query, existing.add_accounts) for query in accounts),
            *(partial(search, "auth.SearchTenantUsers", query, existing.add_members) for query in members),
        ]
    )
    return existing


async def find_account(reader: JobReader, login_type: str, login: str, argument: str) -> ApiRecord:
    """Return the account with exactly this login, or else the only one that differs in case alone.

    Args:
        argument: the argument with the login, for errors.

    Raises:
        InvalidArguments: no account, or several, have it.
    """
    similar: dict[str, ApiRecord] = {}

    def take(answer: ApiRecord) -> None:
        for user in answer.get("users", []):
            if str(user.get(login_type, "")).casefold() == login.casefold():
                similar[user["id"]] = user

    for query in search_queries(login_type, login, any_case=True):
        async for _ in reader.read_pages("auth.SearchSaasUsers", query, take):
            pass
    found = [user for user in similar.values() if user.get(login_type) == login] or list(similar.values())
    if len(found) == 1:
        return found[0]
    shown = Quoted(login)
    if not found:
        absent = message("jobs_offboarding.no_user", login=shown)
        raise InvalidArguments((argument,), absent, message("jobs_offboarding.no_user_hint"))
    several = message("jobs_offboarding.several_users", login=shown, count=len(found))
    raise InvalidArguments((argument,), several, message("jobs_offboarding.user_hint"))


async def read_memberships(reader: JobReader, user: str) -> list[ApiRecord]:
    """Return the memberships of an account, by the id of the tenant."""
    found = await read_members(reader, {"id": user})
    return sorted((each for each in found if each.get("id") == user), key=lambda each: str(each["tenant_id"]))


def search_queries(login_type: str, login: str, *, any_case: bool = False) -> list[dict[str, str]]:
    """Return the searches that find a login. Addresses are searched for in upper and lower case.

    Args:
        any_case: search for a sign-in id in upper and lower case, too.
    """
    if login_type != "email" and not any_case:
        return [{login_type: login}]
    letters = [sorted({letter.lower(), letter.upper()}) for letter in login[:PREFIX_LENGTH]]
    return [{login_type: "".join(each)} for each in product(*letters)]


def email_domain(email: str) -> str:
    """Return the domain of an address; empty for anything else."""
    return email.rpartition("@")[2].casefold()


def _limit(queries: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Return each query once; or, if they are too many, the query for the whole list."""
    unique = list({tuple(query.items()): query for query in queries}.values())
    return unique if len(unique) <= MAX_QUERIES else [{}]
