"""The accounts of the SaaS with their last logins, the filters on them, and the names that people use for their roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import fold_name
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import ENVIRONMENT, ROLE, TENANT, NameKind, read_names, resolve_names
from saasus_mcp.jobs.reports.period import Period

ACCOUNTS_OPERATION = "auth.SearchSaasUsers"
NEVER = 0
"""The time of the last login of an account that has none."""
NAME_FILTERS: Mapping[str, NameKind] = {"tenant_ids": TENANT, "env_ids": ENVIRONMENT, "role_names": ROLE}
"""By argument: what it names."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `last_login`: epoch seconds; `NEVER`, or None if the API did not say."""

    id: str
    email: str
    sign_in_id: str
    last_login: int | None

    @property
    def login(self) -> str:
        return self.email or self.sign_in_id


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """The accounts to report.

    Attributes:
        login_part: a part of the e-mail address or the sign-in id, folded; empty for all.
        before: accounts without a login since this time, in epoch seconds; None for all.
    """

    login_part: str
    before: int | None

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> AccountFilter:
        """Return the filter of the arguments `login_contains`, `last_login_before` (a day) and `zone`.

        Raises:
            InvalidArguments: there is no such day.
        """
        before = None
        if "last_login_before" in args:
            text = args["last_login_before"]
            fault, hint = message("jobs_reports.no_such_day"), message("jobs_users.day_hint")
            no_such_day = InvalidArguments(("last_login_before",), fault, hint)
            if len(text) != len("YYYY-MM-DD"):
                raise no_such_day
            try:
                before = Period.from_arguments({"from": text, "zone": args.get("zone", "UTC")}).start
            except InvalidArguments as error:
                if error.field == "zone":
                    raise
                raise no_such_day from None
        return cls(fold_name(args.get("login_contains", "")), before)

    def accepts_login(self, user: Mapping[str, Any]) -> bool:
        """Return whether the address or the sign-in id of a user contains the wanted part."""
        if not self.login_part:
            return True
        return any(self.login_part in fold_name(user.get(name) or "") for name in ("email", "sign_in_id"))

    def accepts(self, account: Account) -> bool:
        """Return whether the account is wanted. One whose last login the API does not say is never left out."""
        logins = {"email": account.email, "sign_in_id": account.sign_in_id}
        return self.is_dormant(account) and self.accepts_login(logins)

    def is_dormant(self, account: Account) -> bool:
        return self.before is None or account.last_login is None or account.last_login < self.before


def grants_of(user: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """Return environment and role of each grant of a tenant user."""
    envs = user.get("envs") or ()
    return [(env.get("id"), role.get("role_name", "")) for env in envs for role in env.get("roles") or ()]


async def resolve_filters(
    reader: JobReader, args: Mapping[str, Any], filters: Mapping[str, NameKind] = NAME_FILTERS
) -> dict[str, Any]:
    """Return the arguments with ids in place of the names in the filters.

    Args:
        filters: see `NAME_FILTERS`.

    Raises:
        InvalidArguments: no record, or several, have a name.
    """
    resolved = dict(args)
    for argument, kind in filters.items():
        if args.get(argument):
            resolved[argument] = resolve_names(argument, args[argument], kind.kind, await read_names(reader, kind))
    return resolved


@dataclass(frozen=True, slots=True)
class DisplayNames:
    """The names that people use for environments, by id, and roles, by name."""

    envs: Mapping[int, str]
    roles: Mapping[str, str]


async def read_display_names(reader: JobReader) -> DisplayNames:
    """Return the display names of all environments and roles; the technical name where there is no other."""
    envs = await reader.read("auth.GetEnvs", take=lambda answer: _pairs(answer, "envs", "id", "name"))
    roles = await reader.read("auth.GetRoles", take=lambda answer: _pairs(answer, "roles", "role_name", "role_name"))
    return DisplayNames(dict(envs), dict(roles))


def _pairs(answer: Mapping[str, Any], items: str, key: str, name: str) -> list[tuple[Any, str]]:
    return [(each[key], each.get("display_name") or each.get(name, "")) for each in answer.get(items, [])]


async def read_accounts(reader: JobReader) -> dict[str, Account]:
    found: dict[str, Account] = {}
    async for page in reader.read_pages(ACCOUNTS_OPERATION, {}, _extract_accounts):
        found |= {fields[0]: Account(*fields) for fields in page}
    return found


async def read_members(reader: JobReader, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tenant users that a query finds, as the API shows them."""
    pages = reader.read_pages("auth.SearchTenantUsers", query, lambda answer: answer.get("users", []))
    return [user async for page in pages for user in page]


def _extract_accounts(answer: Mapping[str, Any]) -> list[list[Any]]:
    return [
        [
            user["id"],
            user.get("email") or "",
            user.get("sign_in_id") or "",
            (user["last_login_at"] or NEVER) if "last_login_at" in user else None,
        ]
        for user in answer.get("users", [])
    ]
