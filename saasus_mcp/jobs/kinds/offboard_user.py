"""`job_offboard_user`: remove a user from tenants, withdraw invitations, and delete the account with its own approval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.calls.recipe import list_rows, plan_rows
from saasus_mcp.jobs.calls.target_names import IdResolver
from saasus_mcp.jobs.checklist import (
    Checklist,
    key_count,
    read_fact,
    read_open_invitations,
    run_offboarding,
    steps_fact,
)
from saasus_mcp.jobs.job_question import fixed_text, in_brackets, leading_name, name_text, optional_list
from saasus_mcp.jobs.job_reader import ApiRecord, JobReader, require_one_of, run_concurrently
from saasus_mcp.jobs.name_index import UUID_PATTERN, resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.price_list import read_tenants
from saasus_mcp.jobs.tables.table_reader import TableRow
from saasus_mcp.jobs.users.existing_users import find_account, read_memberships
from saasus_mcp.jobs.users.user_line import DisplayName
from saasus_mcp.permissions.question.content import Fact, LabelledValue, NamedItem, Quantity, QuestionWarning

LOGIN_ARGUMENTS = ("user_id", "email", "sign_in_id")


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Collect everything that the user has, and plan the steps: leave the tenants, and last delete the account."""
    given = require_one_of(args, *LOGIN_ARGUMENTS, "users")
    if given == "users":
        return await _plan_users(reader, args)
    if given == "user_id":
        user: ApiRecord = await reader.read("auth.GetSaasUser", {"user_id": args[given]}, dict)
    else:
        user = await find_account(reader, given, args[given], given)
    login = user.get("email") or user.get("sign_in_id") or user["id"]
    memberships = await read_memberships(reader, user["id"])
    leaves = _select_memberships(memberships, args.get("tenant_ids"))
    deletes_account = not args.get("keep_account") and not args.get("tenant_ids")
    tenants = [each["tenant_id"] for each in leaves] if args.get("tenant_ids") else None
    invitations = await _read_open_invitations(reader, user.get("email") or "", tenants)
    checklist = Checklist()
    checklist.add_invitations(invitations)
    for number, each in enumerate(leaves, 1):
        call = {"tenant_id": each["tenant_id"], "user_id": user["id"]}
        name = f"leave {_tenant_name(each)} ({number})"
        checklist.add_step(f"leave/{number}", "auth.DeleteTenantUser", call, phase=0, name=name)
    if deletes_account:
        checklist.add_step(
            "account", "auth.DeleteSaasUser", {"user_id": user["id"]}, phase=1, name="delete the account"
        )
    counts = {
        "memberships": len(leaves),
        "grants": sum(len(_roles(each)) for each in leaves),
        "invitations": len(invitations),
        "delete_account": int(deletes_account),
    }
    keys_label = message("jobs_offboarding.api_keys")
    keys = await read_fact(reader, "apigateway.GetApiKeys", {"user_id": user["id"]}, label=keys_label, value=key_count)
    _add_memberships(checklist, leaves, [each for each in memberships if each not in leaves])
    _add_steps(checklist, counts)
    await _add_remains(reader, checklist, user, keys, deletes_account=deletes_account)
    only_plan, warnings = bool(args.get("only_plan")), _warnings(counts, keys)
    return checklist.build_plan(login, _headline(login, counts), counts, warnings=warnings, only_plan=only_plan)


run = run_offboarding


async def _plan_users(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan to remove the users from all of their tenants, and to delete their accounts unless these are kept."""
    names = IdResolver(reader)
    keeps = bool(args.get("keep_account"))

    async def make(row: TableRow) -> Sequence[ApiRecord]:
        text = str(row.cells["users"])
        user_id = text if UUID_PATTERN.fullmatch(text) else await names.find_user(text)
        leaves = [
            {"tool": "auth_delete_tenant_user", "arguments": {"tenant_id": str(each["tenant_id"]), "user_id": user_id}}
            for each in await read_memberships(reader, user_id)
        ]
        account = {"tool": "auth_delete_saas_user", "arguments": {"user_id": user_id}}
        return leaves if keeps else [*leaves, account]

    return await plan_rows(reader, list_rows(args, "users"), make)


def _select_memberships(memberships: Sequence[ApiRecord], wanted: Sequence[str] | None) -> list[ApiRecord]:
    """Return the memberships in the tenants with these ids or names, or all memberships."""
    if not wanted:
        return [*memberships]
    names = {str(each["tenant_id"]): [str(each.get("tenant_name") or "")] for each in memberships}
    selected = resolve_names("tenant_ids", wanted, "tenant_of_user", names)
    return [each for each in memberships if each["tenant_id"] in selected]


async def _read_open_invitations(reader: JobReader, email: str, tenants: Sequence[str] | None) -> list[tuple[str, str]]:
    """Return tenant and id of each open invitation of the address, with which the user could come back."""
    found: list[tuple[str, str]] = []
    if not email:
        return found
    known = list(tenants or ()) or [each["id"] for each in await read_tenants(reader, ["id"])]

    async def read(tenant: str) -> None:
        found.extend(
            (tenant, each["id"])
            for each in await read_open_invitations(reader, tenant)
            if str(each.get("email", "")).casefold() == email.casefold()
        )

    await run_concurrently([partial(read, tenant) for tenant in known])
    return sorted(found)


def _headline(login: str, counts: Mapping[str, int]) -> Message:
    leaves, account = counts["memberships"], counts["delete_account"]
    if leaves and account:
        return message("jobs_offboarding.remove_and_delete_user", name=leading_name(login), count=leaves)
    if account:
        return message("jobs_offboarding.delete_the_account", name=leading_name(login))
    if leaves:
        return message("jobs_offboarding.remove_user", name=leading_name(login), count=leaves)
    return message("jobs_offboarding.withdraw_of_user", name=leading_name(login))


def _warnings(counts: Mapping[str, int], keys: Fact) -> Iterator[QuestionWarning]:
    """Yield what cannot be undone, and what remains open."""
    if counts["delete_account"]:
        yield QuestionWarning("irreversible", message("jobs_offboarding.account_irreversible").both())
    if counts["memberships"] or counts["invitations"]:
        yield QuestionWarning("recreate", message("jobs_offboarding.memberships_recreate").both())
    if isinstance(keys.value, Quantity):
        yield QuestionWarning("consequence", message("jobs_offboarding.keys_stay").both())


def _add_memberships(checklist: Checklist, leaves: Sequence[ApiRecord], stays: Sequence[ApiRecord]) -> None:
    no_role = fixed_text(message("jobs_offboarding.no_role"))
    left = [
        LabelledValue(name_text(_tenant_name(each)), in_brackets(map(name_text, roles)) if roles else no_role)
        for each in leaves
        for roles in [_roles(each)]
    ]
    checklist.add_fact("leaves", message("jobs_offboarding.leaves"), optional_list(left), lead=bool(left))
    kept = optional_list(NamedItem(_tenant_name(each)) for each in stays)
    checklist.add_fact("stays", message("jobs_offboarding.stays"), kept)


def _add_steps(checklist: Checklist, counts: Mapping[str, int]) -> None:
    """Add the order of the steps if there are several kinds of step."""
    first = []
    if counts["invitations"]:
        first.append(message("jobs_offboarding.withdraw_invitations", count=counts["invitations"]))
    if counts["memberships"]:
        first.append(message("jobs_offboarding.leave_tenants", count=counts["memberships"]))
    last = [message("jobs_offboarding.delete_account")] if counts["delete_account"] else []
    if len(first) + len(last) > 1:
        checklist.facts.append(steps_fact(first, last))


async def _add_remains(
    reader: JobReader, checklist: Checklist, user: ApiRecord, keys: Fact, *, deletes_account: bool
) -> None:
    """Add what else the user has, and what no operation removes."""
    mfa = await read_fact(
        reader,
        "auth.GetUserMfaPreference",
        {"user_id": user["id"]},
        label=message("jobs_offboarding.mfa"),
        value=lambda answer: fixed_text(
            message("jobs_offboarding.mfa_enabled" if answer.get("enabled") else "jobs_offboarding.mfa_disabled")
        ),
    )
    (checklist.facts if deletes_account else checklist.report_facts).append(mfa)
    checklist.facts.append(keys)
    if not deletes_account:
        stays = fixed_text(message("jobs_offboarding.account_stays"))
        checklist.add_fact("account", message("jobs_offboarding.account"), stays)
    kept = fixed_text(message("jobs_offboarding.kept_records"))
    checklist.add_fact("kept", message("jobs_offboarding.kept"), kept)


def _tenant_name(member: ApiRecord) -> str:
    return str(member.get("tenant_name") or member["tenant_id"])


def _roles(member: ApiRecord) -> list[str]:
    """Return environment and role of each grant, by the names that people use."""
    return [
        f"{env.get('display_name') or env.get('name') or env.get('id')}: {DisplayName(str(role.get('role_name')), str(role.get('display_name') or '')).label}"
        for env in member.get("envs") or ()
        for role in env.get("roles") or ()
    ]
