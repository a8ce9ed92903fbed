"""`job_export_users`: every user x tenant x environment x role, from the paged lists of the API and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.known import called, resolved
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.table import Table
from saasus_mcp.jobs.users import ATTRIBUTE, COLUMNS
from saasus_mcp.jobs.work import Reader, Work
from saasus_mcp.saasus.places import InvalidArguments

KNOWN: Mapping[str, tuple[str, str, str, str]] = {
    "tenant_ids": ("auth.GetTenants", "tenants", "id", "tenant"),
    "env_ids": ("auth.GetEnvs", "envs", "id", "environment"),
    "role_names": ("auth.GetRoles", "roles", "role_name", "role"),
    "attributes": ("auth.GetUserAttributes", "user_attributes", "attribute_name", "attribute"),
}
"""Where what an argument names is listed: the read, the list in its answer, the field of its id, and what it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are wanted; an empty filter lets all through."""

    envs: frozenset[int]
    roles: frozenset[str]
    attributes: tuple[str, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Wanted:
        return cls(
            frozenset(data.get("env_ids", ())), frozenset(data.get("role_names", ())), tuple(data.get("attributes", ()))
        )

    def members(self, answer: Mapping[str, Any]) -> list[list[Any]]:
        """The rows of a page of tenant users."""
        return [row for user in answer.get("users", []) for row in self._rows(user)]

    def accounts(self, answer: Mapping[str, Any], skip: Callable[[str], bool]) -> list[list[Any]]:
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


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Nothing changes, so little is looked at: that the filters go together, and that what they name exists."""
    filters = [name for name in ("tenant_ids", "env_ids", "role_names") if args.get(name)]
    if args.get("without_tenant") and filters:
        raise InvalidArguments(("without_tenant",), f"it does not go with {filters[0]}.", "Leave one of the two out.")
    data = dict(args)
    for argument, (key, items, field, what) in KNOWN.items():
        if args.get(argument):
            there = await reader.read(key, take=partial(called, items=items, key=field))
            data[argument] = resolved(argument, args[argument], what, there)
    return Plan(data=data)


async def run(work: Work, plan: Plan) -> Outcome:
    """Page after page; what is held is the table alone."""
    data = plan.data
    wanted = Wanted.of(data)
    table = Table([*COLUMNS, *(ATTRIBUTE + name for name in wanted.attributes)], data.get("format", "csv"))
    members: set[str] = set()
    for query in _queries(data.get("tenant_ids", [])):
        async for page in work.pages(
            "auth.SearchTenantUsers", query, lambda answer: _page(answer, wanted.members(answer))
        ):
            members.update(page["ids"])
            table.add(page["rows"])
            await work.tell(table.count)
    if data.get("without_tenant"):
        async for page in work.pages(
            "auth.SearchSaasUsers", {}, lambda answer: _page(answer, wanted.accounts(answer, members.__contains__))
        ):
            members.update(page["ids"])
            table.add(page["rows"])
            await work.tell(table.count)
    return Outcome({"rows": table.count, "users": len(members)}, table=table.whole())


def _queries(tenants: Sequence[str]) -> list[dict[str, Any]]:
    """One list of all, or one of each tenant that is wanted."""
    return [{"tenant_id": tenant} for tenant in dict.fromkeys(tenants)] or [{}]


def _page(answer: Mapping[str, Any], rows: list[list[Any]]) -> dict[str, Any]:
    return {"ids": [user["id"] for user in answer.get("users", []) if "id" in user], "rows": rows}
