"""`job_offboard_tenant`: withdraw invitations, end the contract, and then delete the tenant, each with its own approval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message, one_of
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
from saasus_mcp.jobs.job_question import fixed_text, leading_name, name_text, optional_list, people_count
from saasus_mcp.jobs.job_reader import ApiRecord, JobReader, ReadFailed, require_one_of, run_concurrently
from saasus_mcp.jobs.name_index import TENANT
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.price_list import read_plans
from saasus_mcp.jobs.tables.table_reader import TableRow
from saasus_mcp.permissions.question.content import (
    PEOPLE,
    Fact,
    LabelledValue,
    NamedItem,
    NoValue,
    QuestionWarning,
    Timestamp,
    Value,
)
from saasus_mcp.permissions.question.formatting import format_both
from saasus_mcp.permissions.question.values import make_quantity
from saasus_mcp.store.records import HOUR

MIN_NOTICE_SECONDS = HOUR + HOUR // 4
"""Between the plan and the end of a contract: the longest wait of a step for its approval, and 15 minutes."""
MAX_SINGLE_LOOKUPS = 50
"""Members whose other tenants are looked up one by one. If there are more, the whole list is read."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract of a tenant.

    Attributes:
        plan_id: of the current plan; empty without one.
        ends_at: when it ends, if its end is scheduled.
        next_plan_id: of the scheduled plan.
    """

    plan_id: str
    ends_at: int | None
    next_plan_id: str

    @classmethod
    def from_tenant(cls, tenant: ApiRecord) -> Contract:
        change_at, next_plan = tenant.get("using_next_plan_from"), tenant.get("next_plan_id") or ""
        return cls(tenant.get("plan_id") or "", change_at if change_at and not next_plan else None, next_plan)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Collect everything that belongs to the tenant, and plan the steps. For a list of tenants, plan one call for each."""
    if require_one_of(args, "tenant_id", "tenants") == "tenants":
        return await _plan_tenants(reader, args)
    tenant_id = await IdResolver(reader).find("tenant_id", TENANT, args["tenant_id"])
    tenant: ApiRecord = await reader.read("auth.GetTenant", {"tenant_id": tenant_id})
    contract = Contract.from_tenant(tenant)
    ends_at = _contract_end(reader, tenant, contract, soon=args.get("contract_ends") == "soon")
    invitations = sorted((tenant_id, str(each["id"])) for each in await read_open_invitations(reader, tenant_id))
    ends_contract = bool(contract.plan_id) and contract.ends_at is None
    deletes = args.get("delete") == "at_once" or not contract.plan_id
    checklist = Checklist()
    checklist.add_invitations(invitations)
    if ends_contract:
        ending = {"tenant_id": tenant_id, "next_plan_id": "", "using_next_plan_from": ends_at}
        checklist.add_step("contract", "auth.UpdateTenantPlan", ending, phase=1, name="end the contract")
    if deletes:
        checklist.add_step("tenant", "auth.DeleteTenant", {"tenant_id": tenant_id}, phase=2, name="delete the tenant")
    await _add_contract(reader, checklist, tenant, contract, ends_at=ends_at)
    members, without_tenant = await _read_members(reader, checklist, tenant_id)
    counts = {
        "memberships": members,
        "invitations": len(invitations),
        "end_contract": int(ends_contract),
        "delete_tenant": int(deletes),
    }
    checklist.facts.append(_steps(counts))
    integrations = await _read_integrations(reader, tenant_id)
    checklist.report_facts += integrations
    people = people_count(members) if members else NoValue()
    losing_access = Fact("members", message("jobs_offboarding.members_lose_access").both(), people)
    if deletes:
        checklist.facts += [without_tenant, _remaining_elsewhere(integrations)]
    else:
        checklist.report_facts.append(without_tenant)
        checklist.add_fact("members", message("jobs_offboarding.members"), people)
    name = tenant.get("name") or tenant_id
    delete_later = message("jobs_offboarding.delete_later", when=format_both(Timestamp(ends_at)))
    return checklist.build_plan(
        name,
        _headline(name, counts),
        counts,
        warnings=_warnings(counts, contract),
        only_plan=bool(args.get("only_plan")),
        impact=(losing_access,) if deletes else (),
        follow_up=() if deletes else (delete_later,),
    )


run = run_offboarding


async def _plan_tenants(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan to end the contracts of the tenants, or to delete those whose contract costs nothing."""
    names, plans = IdResolver(reader), await read_plans(reader)
    deletes, soon = args.get("delete") == "at_once", args.get("contract_ends") == "soon"

    async def make(row: TableRow) -> Sequence[ApiRecord]:
        tenant_id = await names.find("tenants", TENANT, str(row.cells["tenants"]))
        tenant: ApiRecord = await reader.read("auth.GetTenant", {"tenant_id": tenant_id})
        contract = Contract.from_tenant(tenant)
        plan = plans.get(contract.plan_id)
        if deletes or not contract.plan_id:
            is_free = plan is None or (all(unit.get("type") == "fixed" for unit in plan.units) and not plan.fixed_price)
            if contract.plan_id and not is_free:
                fault = message("jobs_calls.contract_runs")
                raise InvalidArguments(("tenants",), fault, message("jobs_calls.contract_runs_hint"))
            return [{"tool": "auth_delete_tenant", "arguments": {"tenant_id": tenant_id}}]
        if contract.ends_at is not None:
            return []
        ends_at = _contract_end(reader, tenant, contract, soon=soon)
        end = {"tenant_id": tenant_id, "next_plan_id": "", "using_next_plan_from": ends_at}
        return [{"tool": "auth_update_tenant_plan", "arguments": end}]

    return await plan_rows(reader, list_rows(args, "tenants"), make)


def _contract_end(reader: JobReader, tenant: ApiRecord, contract: Contract, *, soon: bool) -> int:
    """Return when the contract ends: as scheduled, with the paid period, or as soon as an approval can be in time."""
    if contract.ends_at is not None:
        return contract.ends_at
    earliest = reader.now() + MIN_NOTICE_SECONDS
    period_end = int(tenant.get("current_plan_period_end") or 0)
    if period_end >= earliest and not soon:
        return period_end
    return -(-earliest // HOUR) * HOUR  # a full hour, so that the plan stays equal while a person decides


def _headline(name: str, counts: Mapping[str, int]) -> Message:
    if counts["end_contract"] and counts["delete_tenant"]:
        return message("jobs_offboarding.end_and_delete_tenant", name=leading_name(name))
    if counts["delete_tenant"]:
        return message("jobs_offboarding.delete_the_tenant", name=leading_name(name))
    if counts["end_contract"]:
        return message("jobs_offboarding.end_the_contract", name=leading_name(name))
    return message("jobs_offboarding.withdraw_of_tenant", name=leading_name(name))


def _warnings(counts: Mapping[str, int], contract: Contract) -> Iterator[QuestionWarning]:
    """Yield what cannot be undone, and other consequences."""
    if counts["delete_tenant"]:
        yield QuestionWarning("irreversible", message("jobs_offboarding.tenant_irreversible").both())
    elif counts["end_contract"]:
        yield QuestionWarning("consequence", message("jobs_offboarding.contract_end_cancellable").both())
    if counts["end_contract"]:
        key = "jobs_offboarding.billing_ends_plan_dropped" if contract.next_plan_id else "jobs_offboarding.billing_ends"
        yield QuestionWarning("money", message(key).both())
    if counts["invitations"]:
        yield QuestionWarning("recreate", message("jobs_offboarding.invitations_recreate").both())


def _steps(counts: Mapping[str, int]) -> Fact:
    withdraw = message("jobs_offboarding.withdraw_invitations", count=counts["invitations"])
    return steps_fact(
        [withdraw] if counts["invitations"] else [],
        [message("jobs_offboarding.end_contract")] if counts["end_contract"] else [],
        [message("jobs_offboarding.delete_tenant")] if counts["delete_tenant"] else [],
    )


async def _add_contract(
    reader: JobReader, checklist: Checklist, tenant: ApiRecord, contract: Contract, *, ends_at: int
) -> None:
    """Add the contract and the usage of this month."""
    label = message("jobs_offboarding.contract")
    if not contract.plan_id:
        checklist.add_fact("contract", label, fixed_text(message("jobs_offboarding.no_contract")))
    else:
        plan = await read_fact(
            reader,
            "pricing.GetPricingPlan",
            {"plan_id": contract.plan_id},
            label=label,
            value=lambda answer: NamedItem(str(answer.get("display_name") or contract.plan_id), contract.plan_id),
        )
        key = "jobs_offboarding.ends" if contract.ends_at is None else "jobs_offboarding.ends_as_scheduled"
        end = LabelledValue(message(key).both(), Timestamp(ends_at))
        known = [plan.value] if isinstance(plan.value, NamedItem) else []
        checklist.add_fact("contract", label, optional_list([*known, end]), lead=True)
    month = datetime.fromtimestamp(reader.now(), UTC).strftime("%Y-%m")
    usage = await read_fact(
        reader,
        "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth",
        {"tenant_id": tenant["id"], "month": month},
        label=message("jobs_offboarding.usage"),
        value=partial(_usage, await _read_meter_names(reader)),
    )
    checklist.volatile_facts.append(usage)


async def _read_meter_names(reader: JobReader) -> Mapping[str, str]:
    """Return the display names of the metering units; none if they cannot be read."""
    try:
        answer: ApiRecord = await reader.read("pricing.GetMeteringUnits")
    except ReadFailed:
        return {}
    return {each["unit_name"]: each.get("display_name") or each["unit_name"] for each in answer.get("units", [])}


def _usage(names: Mapping[str, str], answer: ApiRecord) -> Value:
    used = [(str(each["metering_unit_name"]), each["count"]) for each in answer.get("counts", []) if each.get("count")]
    return optional_list(LabelledValue(name_text(names.get(unit, unit)), make_quantity(count)) for unit, count in used)


async def _read_members(reader: JobReader, checklist: Checklist, tenant_id: str) -> tuple[int, Fact]:
    """Return the number of members, and those who belong to no other tenant."""
    members: dict[str, str] = {}

    def logins(answer: ApiRecord) -> dict[str, str]:
        users = answer.get("users", [])
        return {user["id"]: user.get("email") or user.get("sign_in_id") or user["id"] for user in users}

    async for page in reader.read_pages("auth.SearchTenantUsers", {"tenant_id": tenant_id}, logins):
        members |= page
    elsewhere = await _members_of_other_tenants(reader, tenant_id, members)
    left = sorted((login, user) for user, login in members.items() if user not in elsewhere)
    checklist.records = [{"left_in_no_tenant": login, "user_id": user} for login, user in left]
    label = message("jobs_offboarding.in_no_tenant").both()
    people = optional_list((NamedItem(login, user) for login, user in left), PEOPLE)
    return len(members), Fact("alone", label, people)


async def _members_of_other_tenants(reader: JobReader, tenant_id: str, members: Mapping[str, str]) -> set[str]:
    found: set[str] = set()

    def take(answer: ApiRecord) -> list[str]:
        return [user["id"] for user in answer.get("users", []) if user.get("tenant_id") != tenant_id]

    async def search(query: ApiRecord) -> None:
        async for page in reader.read_pages("auth.SearchTenantUsers", query, take):
            found.update(page)

    one_by_one = len(members) <= MAX_SINGLE_LOOKUPS
    queries: Sequence[ApiRecord] = [{"id": user} for user in members] if one_by_one else [{}]
    await run_concurrently([partial(search, query) for query in queries])
    return found & members.keys()


async def _read_integrations(reader: JobReader, tenant_id: str) -> list[Fact]:
    """Return what remains of the tenant in other systems."""
    own = {"tenant_id": tenant_id}
    buyers = {"tenant_ids": [tenant_id]}
    reads: Sequence[tuple[str, ApiRecord, str, Callable[[ApiRecord], Value]]] = (
        ("auth.GetStripeCustomer", own, "stripe", _remains("stripe", "customer_id")),
        ("awsmarketplace.GetCustomers", buyers, "aws_marketplace", _remains("aws_marketplace", "customers")),
        ("auth.GetSingleTenantSettings", {}, "infrastructure", _remains("infrastructure", "enabled")),
        ("auth.GetTenantIdentityProviders", own, "saml", _remains("saml", "saml")),
        ("apigateway.GetApiKeys", own, "gateway_keys", key_count),
        ("apigateway.GetTenant", own, "gateway", _remains("gateway", "allowed_ips", "routing")),
    )
    return [
        await read_fact(reader, key, args, label=one_of("jobs_offboarding.service", service), value=value)
        for key, args, service, value in reads
    ]


def _remains(service: str, *fields: str) -> Callable[[ApiRecord], Value]:
    """Return a function that says what remains in the service if an answer has one of the fields."""

    def value(answer: ApiRecord) -> Value:
        if not any(answer.get(name) for name in fields):
            return NoValue()
        return fixed_text(one_of("jobs_offboarding.remains", service))

    return value


def _remaining_elsewhere(integrations: Sequence[Fact]) -> Fact:
    remaining = [
        LabelledValue(message("jobs_offboarding.service_label", service=fact.label).both(), fact.value)
        for fact in integrations
        if not isinstance(fact.value, NoValue)
    ]
    return Fact("outside", message("jobs_offboarding.outside").both(), optional_list(remaining))
