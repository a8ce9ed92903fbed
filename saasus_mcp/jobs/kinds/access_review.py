"""`job_access_review`: who has which role where, with second factor, last login and grant, for a periodic review of access."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.timezones import local_time
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.period import parse_zone
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.users.accounts import (
    NAME_FILTERS,
    NEVER,
    Account,
    AccountFilter,
    DisplayNames,
    grants_of,
    read_accounts,
    read_display_names,
    resolve_filters,
)
from saasus_mcp.permissions.question.values import is_privileged_name

MEMBERS_OPERATION = "auth.SearchTenantUsers"
MFA_OPERATION = "auth.GetUserMfaPreference"
GRANT_OPERATION = "auth.CreateTenantUserRoles"
GrantKey = tuple[str, str, int, str]
"""Tenant, user, environment and role."""
MFA_BATCH = 100
"""Accounts between two checkpoints."""
COLUMNS = (
    *("user_id", "email", "sign_in_id", "tenant_id", "tenant_name", "env_id", "env_name", "role_name", "role_label"),
    *("privileged", "mfa", "last_login", "granted_at", "granted_by", "approved_by"),
)


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """One grant. `approved_by`: who consented; empty if the policy asked nobody."""

    at: int
    granted_by: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class Access:
    """One role of one person, or a membership without a role (`env` is None), or an account without a tenant."""

    account: Account
    tenant: str = ""
    tenant_name: str = ""
    env: int | None = None
    role: str = ""
    privileged: bool = False

    @property
    def grant_key(self) -> GrantKey:
        return (self.tenant, self.account.id, self.env or 0, self.role)

    @property
    def order(self) -> tuple[Any, ...]:
        """Privileged roles first, then by tenant and person; accounts without a tenant last."""
        return (not self.privileged, not self.tenant, self.tenant_name, self.tenant, self.account.login, self.env or 0)


@dataclass(frozen=True, slots=True)
class ReviewTable:
    """Makes the rows.

    Attributes:
        mfa: `off` or the method, by user id; `unread` if it could not be read.
        grants: the grants that the audit log knows.
    """

    zone: tzinfo
    names: DisplayNames
    mfa: Mapping[str, str]
    grants: Mapping[GrantKey, GrantRecord]

    def row(self, access: Access) -> list[Any]:
        account, grant = access.account, self.grants.get(access.grant_key)
        return [
            account.id,
            account.email,
            account.sign_in_id,
            access.tenant,
            access.tenant_name,
            "" if access.env is None else access.env,
            "" if access.env is None else self.names.envs.get(access.env, ""),
            access.role,
            self.names.roles.get(access.role, ""),
            one_of("jobs_access.privileged", "yes" if access.privileged else "no"),
            one_of("jobs_access.mfa", self.mfa.get(account.id, "not_asked")),
            self._last_login(account.last_login),
            "" if grant is None else self._time(grant.at),
            "" if grant is None else grant.granted_by,
            "" if grant is None else grant.approved_by,
        ]

    def _last_login(self, at: int | None) -> Message | str:
        if not at:
            return one_of("jobs_access.last_login", "never" if at == NEVER else "not_provided")
        return self._time(at)

    def _time(self, at: int) -> str:
        return f"{local_time(at, self.zone):%Y-%m-%d %H:%M}"


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Resolve the names in the filters."""
    parse_zone(args)
    AccountFilter.from_arguments(args)
    return Plan(data=await resolve_filters(reader, args))


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Read the accounts and memberships page by page, then the second factor of each account in the report."""
    args = plan.data
    wanted = AccountFilter.from_arguments(args)
    names = await read_display_names(work)
    accounts = await read_accounts(work)
    found = await _read_access(work, args, accounts, names.roles)
    found = sorted((each for each in found if wanted.accepts(each.account)), key=lambda each: each.order)
    people = list(dict.fromkeys(each.account.id for each in found))
    mfa = await _read_mfa(work, people) if args.get("mfa", True) else {}
    grants = await _read_grants(work)
    table = Table([one_of("jobs_access.column", name) for name in COLUMNS], args.get("format", "csv"), work.language)
    table.add_rows(map(ReviewTable(parse_zone(args), names, mfa, grants).row, found))
    return JobResult(
        _counts(found, people, mfa, grants),
        rows=[{"user_id": id_, "outcome": "unread"} for id_, state in mfa.items() if state == "unread"],
        product=table.content(),
        notes=tuple(_notes(args, found, mfa)),
    )


async def _read_access(
    work: JobContext, args: Mapping[str, Any], accounts: Mapping[str, Account], role_names: Mapping[str, str]
) -> list[Access]:
    """Return what everybody may do where. Accounts without a tenant are part of an unfiltered review."""
    is_filtered = any(args.get(name) for name in NAME_FILTERS) or args.get("only_privileged")
    found, members = list[Access](), set[str]()
    queries = [{"tenant_id": tenant} for tenant in args.get("tenant_ids", ())] or [{}]
    for query in queries:
        async for page in work.read_pages(MEMBERS_OPERATION, query, _extract_members):
            for member in page:
                members.add(member["id"])
                found += _access_of(member, args, accounts, role_names)
            await work.report_progress(len(members))
    if not is_filtered:
        found += [Access(account) for account in accounts.values() if account.id not in members]
    return found


def _access_of(
    member: Mapping[str, Any],
    args: Mapping[str, Any],
    accounts: Mapping[str, Account],
    role_names: Mapping[str, str],
) -> Iterator[Access]:
    account = accounts.get(member["id"]) or Account(member["id"], member["email"], member["sign_in_id"], None)
    tenant = member["tenant_id"], member["tenant_name"]
    envs, roles = args.get("env_ids"), args.get("role_names")
    if not member["grants"] and not envs and not roles and not args.get("only_privileged"):
        yield Access(account, *tenant)
    for env, role in member["grants"]:
        privileged = is_privileged_name(role) or is_privileged_name(role_names.get(role, ""))
        if (
            (not envs or env in envs)
            and (not roles or role in roles)
            and (privileged or not args.get("only_privileged"))
        ):
            yield Access(account, *tenant, env, role, privileged)


def _extract_members(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            **{name: user.get(name) or "" for name in ("id", "email", "sign_in_id", "tenant_id", "tenant_name")},
            "grants": grants_of(user),
        }
        for user in answer.get("users", [])
    ]


async def _read_grants(reader: JobReader) -> dict[GrantKey, GrantRecord]:
    """Return the latest grant of each role that was made through this server, as far as its audit log knows."""
    found: dict[GrantKey, GrantRecord] = {}
    for tenant, user, env, roles, *record in await reader.read_applied_calls(GRANT_OPERATION, _extract_grant):
        for role in roles:
            found.setdefault((tenant, user, env, role), GrantRecord(*record))
    return found


def _extract_grant(record: Mapping[str, Any]) -> list[Any]:
    args = record.get("arguments")
    args = args if isinstance(args, dict) else {}
    roles = args.get("role_names")
    return [
        args.get("tenant_id", ""),
        args.get("user_id", ""),
        args.get("env_id", 0),
        roles if isinstance(roles, list) else [],
        int(record["at"]),
        record.get("principal", ""),
        record.get("by") or "",
    ]


async def _read_mfa(work: JobContext, people: Sequence[str]) -> dict[str, str]:
    """Return the second factor of each account."""
    found: dict[str, str] = {}
    for start in range(0, len(people), MFA_BATCH):
        batch = people[start : start + MFA_BATCH]
        answers = await work.read_many(MFA_OPERATION, [{"user_id": id_} for id_ in batch], _extract_mfa)
        found |= {id_: state or "unread" for id_, (state, _) in zip(batch, answers, strict=True)}
        await work.report_progress(len(found), len(people))
    return found


def _extract_mfa(answer: Mapping[str, Any]) -> str:
    if not answer.get("enabled"):
        return "off"
    method = answer.get("method")
    return method if method in ("softwareToken", "email") else "on"


def _counts(
    found: Sequence[Access], people: Sequence[str], mfa: Mapping[str, str], grants: Mapping[GrantKey, GrantRecord]
) -> dict[str, int]:
    privileged = {each.account.id for each in found if each.privileged}
    accounts = {each.account.id: each.account for each in found}
    counts = {
        "rows": len(found),
        "people": len(people),
        "privileged": len(privileged),
        "without_tenant": sum(not each.tenant for each in found),
        "never_logged_in": sum(account.last_login == NEVER for account in accounts.values()),
        "grants_known": sum(each.grant_key in grants for each in found if each.role),
    }
    if mfa:
        counts |= {
            "mfa_off": sum(state == "off" for state in mfa.values()),
            "privileged_mfa_off": sum(mfa.get(id_) == "off" for id_ in privileged),
            "mfa_unread": sum(state == "unread" for state in mfa.values()),
        }
    return counts


def _notes(args: Mapping[str, Any], found: Iterable[Access], mfa: Mapping[str, str]) -> Iterator[Message]:
    yield message("jobs_access.privileged_rule")
    yield message("jobs_access.grants_rule")
    yield message("jobs_access.times", zone=args.get("zone", "UTC"))
    if any(each.account.last_login is None for each in found):
        yield message("jobs_access.last_login_not_provided")
    if "unread" in mfa.values():
        yield message("jobs_access.mfa_unread")
