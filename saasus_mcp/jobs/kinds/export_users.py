"""`job_export_users`: every user x tenant x environment x role, from the paged lists of the API and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.job_context import JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.known import names_by_id, resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.users.user_list import ATTRIBUTE_PREFIX, COLUMNS

FILTER_SOURCES: Mapping[str, tuple[str, str, str, str]] = {
    "tenant_ids": ("auth.GetTenants", "tenants", "id", "tenant"),
    "env_ids": ("auth.GetEnvs", "envs", "id", "environment"),
    "role_names": ("auth.GetRoles", "roles", "role_name", "role"),
    "attributes": ("auth.GetUserAttributes", "user_attributes", "attribute_name", "attribute"),
}
"""Where what an argument names is listed: the read, the list in its answer, the field of its id, and what it is."""


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which rows are wanted; an empty filter lets all through."""

    envs: frozenset[int]
    roles: frozenset[str]
    attributes: tuple[str, ...]

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> UserFilter:
        return cls(
            frozenset(data.get("env_ids", ())), frozenset(data.get("role_names", ())), tuple(data.get("attributes", ()))
        )

    def member_rows(self, answer: Mapping[str, Any]) -> list[list[Any]]:
        """The rows of a page of tenant users."""
        return [row for user in answer.get("users", []) for row in self._rows(user)]

    def account_rows(self, answer: Mapping[str, Any], skip: Callable[[str], bool]) -> list[list[Any]]:
        """The rows of a page of accounts, without those that are in some tenant."""
        return [self._row(user, "", "") for user in answer.get("users", []) if not skip(user.get("id", ""))]

    def _rows(self, user: Mapping[str, Any]) -> Iterator[list[Any]]:
        grants = [
            (env.get("id", ""), role.get("role_name", ""))
            for env in user.get("envs") or ()
            for role in env.get("roles") or ()
        ]
        if not grants and not self.envs and not self.roles:
            yield self._row(user, "", "")
        for env, role in grants:
            if (not self.envs or env in self.envs) and (not self.roles or role in self.roles):
                yield self._row(user, env, role)

    def _row(self, user: Mapping[str, Any], env: Any, role: str) -> list[Any]:
        given = user.get("attributes") or {}
        own = [user.get(name) or "" for name in COLUMNS[:4]]
        return [*own, env, role, *(given.get(name) for name in self.attributes)]


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Nothing changes, so little is looked at: that the filters go together, and that what they name exists."""
    filters = [name for name in ("tenant_ids", "env_ids", "role_names") if args.get(name)]
    if args.get("without_tenant") and filters:
        raise InvalidArguments(("without_tenant",), f"it does not go with {filters[0]}.", "Leave one of the two out.")
    data = dict(args)
    for argument, (key, items, field, what) in FILTER_SOURCES.items():
        if args.get(argument):
            there = await reader.read(key, take=partial(names_by_id, items=items, key=field))
            data[argument] = resolve_names(argument, args[argument], what, there)
    return Plan(data=data)


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Page after page; what is held is the table alone."""
    data = plan.data
    wanted = UserFilter.from_data(data)
    table = Table([*COLUMNS, *(ATTRIBUTE_PREFIX + name for name in wanted.attributes)], data.get("format", "csv"))
    members: set[str] = set()
    for query in _queries(data.get("tenant_ids", [])):
        async for page in work.read_pages(
            "auth.SearchTenantUsers", query, lambda answer: _page(answer, wanted.member_rows(answer))
        ):
            members.update(page["ids"])
            table.add_rows(page["rows"])
            await work.report_progress(table.row_count)
    if data.get("without_tenant"):
        async for page in work.read_pages(
            "auth.SearchSaasUsers", {}, lambda answer: _page(answer, wanted.account_rows(answer, members.__contains__))
        ):
            members.update(page["ids"])
            table.add_rows(page["rows"])
            await work.report_progress(table.row_count)
    return JobResult({"rows": table.row_count, "users": len(members)}, product=table.content())


def _queries(tenants: Sequence[str]) -> list[dict[str, Any]]:
    """One list of all, or one of each tenant that is wanted."""
    return [{"tenant_id": tenant} for tenant in dict.fromkeys(tenants)] or [{}]


def _page(answer: Mapping[str, Any], rows: list[list[Any]]) -> dict[str, Any]:
    return {"ids": [user["id"] for user in answer.get("users", []) if "id" in user], "rows": rows}
