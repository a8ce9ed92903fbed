"""`job_export_users`: every user x tenant x environment x role, from the paged lists of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import USER_ATTRIBUTE
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.users.accounts import (
    NAME_FILTERS,
    AccountFilter,
    DisplayNames,
    grants_of,
    read_accounts,
    read_display_names,
    resolve_filters,
)
from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX
from saasus_mcp.jobs.users.user_list import COLUMNS, DISPLAY_COLUMNS


@dataclass(frozen=True, slots=True)
class UserFilter:
    """The rows to export. An empty filter exports all.

    Attributes:
        names: the display names of environments and roles, for columns that people read; None without these columns.
        dormant: the ids of the accounts that have not logged in since the wanted day; None for all accounts.
    """

    envs: frozenset[int]
    roles: frozenset[str]
    attributes: tuple[str, ...]
    logins: AccountFilter
    names: DisplayNames | None
    dormant: frozenset[str] | None

    def member_rows(self, answer: Mapping[str, Any]) -> list[list[Any]]:
        """Return the rows of a page of tenant users."""
        return [row for user in answer.get("users", []) if self._is_wanted(user) for row in self._rows(user)]

    def account_rows(self, answer: Mapping[str, Any], skip: Callable[[str], bool]) -> list[list[Any]]:
        """Return the rows of a page of accounts, except those to skip."""
        users = (user for user in answer.get("users", []) if not skip(user.get("id", "")))
        return [self._row(user, "", "") for user in users if self._is_wanted(user)]

    def _is_wanted(self, user: Mapping[str, Any]) -> bool:
        return self.logins.accepts_login(user) and (self.dormant is None or user.get("id") in self.dormant)

    def _rows(self, user: Mapping[str, Any]) -> Iterator[list[Any]]:
        grants = grants_of(user)
        if not grants and not self.envs and not self.roles:
            yield self._row(user, "", "")
        for env, role in grants:
            if (not self.envs or env in self.envs) and (not self.roles or role in self.roles):
                yield self._row(user, env, role)

    def _row(self, user: Mapping[str, Any], env: Any, role: str) -> list[Any]:
        attributes = user.get("attributes") or {}
        own = [user.get(name) or "" for name in COLUMNS[:4]]
        shown = [self.names.envs.get(env, ""), self.names.roles.get(role, "")] if self.names is not None else []
        return [*own, env, role, *shown, *(attributes.get(name) for name in self.attributes)]


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Check that the filters can be combined, and resolve the names in them."""
    filters = [name for name in ("tenant_ids", "env_ids", "role_names") if args.get(name)]
    if args.get("without_tenant") and filters:
        raise InvalidArguments(
            ("without_tenant",),
            message("jobs_users.filters_conflict", other=filters[0]),
            message("jobs.leave_out_hint"),
        )
    AccountFilter.from_arguments(args)
    return Plan(data=await resolve_filters(reader, args, {**NAME_FILTERS, "attributes": USER_ATTRIBUTE}))


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Read the lists page by page. Only the table is held in memory."""
    data = plan.data
    users = await _read_filter(work, data)
    names = [*COLUMNS, *(DISPLAY_COLUMNS if users.names is not None else ())]
    columns = [one_of("jobs_users.column", name) for name in names]
    attributes = [ATTRIBUTE_PREFIX + name for name in users.attributes]
    table = Table([*columns, *attributes], data.get("format", "csv"), work.language)
    ids, people = set[str](), set[tuple[str, str]]()

    async def add(key: str, query: Mapping[str, Any], rows: Callable[[Mapping[str, Any]], list[list[Any]]]) -> None:
        def take(answer: Mapping[str, Any]) -> dict[str, Any]:
            page = {"rows": rows(answer), "ids": [user["id"] for user in answer.get("users", []) if "id" in user]}
            ids.update(page["ids"])
            return page

        async for page in work.read_pages(key, query, take):
            ids.update(page["ids"])  # a remembered page was not taken
            people.update((email, sign_in_id) for email, sign_in_id, *_ in page["rows"])
            table.add_rows(page["rows"])
            await work.report_progress(table.row_count)

    tenants = dict.fromkeys(data.get("tenant_ids", []))
    for query in [{"tenant_id": tenant} for tenant in tenants] or [{}]:
        await add("auth.SearchTenantUsers", query, users.member_rows)
    if data.get("without_tenant"):
        await add("auth.SearchSaasUsers", {}, lambda answer: users.account_rows(answer, ids.__contains__))
    return JobResult({"rows": table.row_count, "users": len(people)}, product=table.content())


async def _read_filter(work: JobContext, data: Mapping[str, Any]) -> UserFilter:
    logins, dormant, names = AccountFilter.from_arguments(data), None, None
    if logins.before is not None:
        accounts = await read_accounts(work)
        dormant = frozenset(account.id for account in accounts.values() if logins.is_dormant(account))
    if data.get("display_names"):
        names = await read_display_names(work)
    return UserFilter(
        frozenset(data.get("env_ids", ())),
        frozenset(data.get("role_names", ())),
        tuple(data.get("attributes", ())),
        logins,
        names,
        dormant,
    )
