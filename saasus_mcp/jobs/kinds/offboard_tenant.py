"""`job_offboard_tenant`: the contract ended first and the tenant deleted after it, each with an approval of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.common.text import quote_name
from saasus_mcp.jobs import checklist
from saasus_mcp.jobs.checklist import (
    KEYS,
    PEOPLE,
    Checklist,
    Summary,
    add_particle,
    count_noun,
    count_value,
    name_text,
    steps_fact,
    value_list,
)
from saasus_mcp.jobs.job_context import JobContext, JobReader, run_concurrently
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.known import names_by_id, resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.permissions.question.content import (
    Fact,
    FixedText,
    LabelledValue,
    NamedItem,
    NoValue,
    Quantity,
    QuestionWarning,
    Timestamp,
    UnreadableValue,
    Value,
)
from saasus_mcp.permissions.question.formatting import Reader as Readership
from saasus_mcp.permissions.question.formatting import format_value
from saasus_mcp.permissions.question.values import format_decimal

UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
HOUR_SECONDS = 3600
MIN_NOTICE_SECONDS = HOUR_SECONDS + HOUR_SECONDS // 4
"""Seconds that the end of a contract lies ahead at least: so long a step waits for its approval, and then five minutes more."""
MAX_SINGLE_LOOKUPS = 50
"""Members whose other tenants we look up one by one; of more, the whole list is read."""
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a tenant has agreed to.

    Attributes:
        plan: id of the plan that it is on; empty for none.
        ends: when it ends, where that is reserved.
        next: the plan that is reserved in its place.
    """

    plan_id: str
    ends_at: int | None
    next_plan_id: str

    @classmethod
    def from_tenant(cls, tenant: Record) -> Contract:
        """The contract of a tenant."""
        reserved, following = tenant.get("using_next_plan_from"), tenant.get("next_plan_id") or ""
        return cls(tenant.get("plan_id") or "", reserved if reserved and not following else None, following)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Look at all that hangs on the tenant, then: invitations, the contract, and the tenant when that is over."""
    tenant_id = await _id(reader, args["tenant_id"])
    tenant: Record = await reader.read("auth.GetTenant", {"tenant_id": tenant_id})
    contract = Contract.from_tenant(tenant)
    listing = Checklist()
    ends = _end(reader, tenant, contract, soon=args.get("contract_ends") == "soon")
    invitations = await _open_invitations(reader, tenant_id)
    for at, each in enumerate(invitations, 1):
        asked = {"tenant_id": tenant_id, "invitation_id": each}
        listing.add_step(0, f"invitation/{at}", "auth.DeleteTenantInvitation", asked, f"invitation {at}")
    cancels = bool(contract.plan_id) and contract.ends_at is None
    if cancels:
        ending = {"tenant_id": tenant_id, "next_plan_id": "", "using_next_plan_from": ends}
        listing.add_step(1, "contract", "auth.UpdateTenantPlan", ending, "end the contract")
    deletes = args.get("delete") == "at_once" or not contract.plan_id
    if deletes:
        listing.add_step(2, "tenant", "auth.DeleteTenant", {"tenant_id": tenant_id}, "delete the tenant")
    await _say_contract(reader, listing, tenant, contract, ends)
    members, alone = await _members(reader, listing, tenant_id)
    counts = {
        "memberships": members,
        "invitations": len(invitations),
        "end_contract": int(cancels),
        "delete_tenant": int(deletes),
    }
    listing.facts.append(_steps(counts))
    links = await _links(reader, listing, tenant_id)
    losing = Fact("members", Text("People who lose access", "利用できなくなる人"), count_value(members, PEOPLE))
    listing.report_facts += links
    if deletes:
        listing.facts += [alone, _outside(links)]
    else:
        listing.report_facts.append(alone)
        listing.add_fact("members", Text("Members", "所属する人"), losing.value)
    reach, then = ((losing,), ()) if deletes else ((), (_later(ends),))
    name = tenant.get("name") or tenant_id
    about = Summary(name, _headline(name, counts), tuple(_warnings(counts, contract)), reach)
    return listing.build_plan(about, counts, only=bool(args.get("only_plan")), then=then)


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Do it."""
    return await checklist.run_checklist(work, plan)


def _end(reader: JobReader, tenant: Record, contract: Contract, *, soon: bool) -> int:
    """When the contract ends or is to end: with the period that is paid for, or as soon as an approval can be in time for."""
    if contract.ends_at is not None:
        return contract.ends_at
    earliest = reader.now() + MIN_NOTICE_SECONDS
    period = int(tenant.get("current_plan_period_end") or 0)
    if period >= earliest and not soon:
        return period
    return (
        -(-earliest // HOUR_SECONDS) * HOUR_SECONDS
    )  # a full hour, so that the plan is the same while a person thinks


async def _id(reader: JobReader, given: str) -> str:
    """The id of the tenant, which may be given by its name."""
    if UUID_PATTERN.fullmatch(given):
        return given
    there: dict[str, list[str]] = await reader.read(
        "auth.GetTenants", take=lambda answer: names_by_id(answer, "tenants", "id")
    )
    return resolve_names("tenant_id", [given], "tenant", there)[0]


def _headline(name: str, counts: Mapping[str, int]) -> Text:
    """What is done to which tenant."""
    en, owner = quote_name(name), add_particle(name, "の")
    if counts["end_contract"] and counts["delete_tenant"]:
        return Text(f"End the contract of {en} and delete the tenant", f"{owner}契約を終了し、テナントを削除します")
    if counts["delete_tenant"]:
        return Text(f"Delete the tenant {en}", f"テナント{add_particle(name, 'を')}削除します")
    if counts["end_contract"]:
        return Text(f"End the contract of {en}", f"{owner}契約を終了します")
    return Text(f"Withdraw the open invitations of {en}", f"{owner}招待を取り消します")


def _warnings(counts: Mapping[str, int], contract: Contract) -> Iterator[QuestionWarning]:
    """What of it cannot be undone, and what else follows."""
    if counts["delete_tenant"]:
        yield QuestionWarning(
            "irreversible",
            Text(
                "Deleting the tenant cannot be undone: members, roles, attributes and settings are lost. Accounts stay.",
                "テナントの削除は元に戻せません。所属・ロール・属性・設定は失われ、アカウントだけが残ります。",
            ),
        )
    if counts["end_contract"]:
        dropped = Text("; a reserved change of plan is dropped", "。予約済みのプラン変更は取り消されます")
        more = dropped if contract.next_plan_id else Text("", "")
        yield QuestionWarning(
            "money",
            Text(
                f"Billing ends with the contract; nothing is refunded{more.en}",
                f"請求は契約とともに終わります(返金なし){more.ja}",
            ),
        )
    if counts["invitations"]:
        yield QuestionWarning(
            "recreate",
            Text(
                "Withdrawn invitations can only be sent again.",
                "取り消した招待は元に戻せません(再送が必要です)。",
            ),
        )


def _steps(counts: Mapping[str, int]) -> Fact:
    """What is done in which order."""
    count = counts["invitations"]
    withdraw = Text(f"withdraw {count_noun(count, 'invitation', 'invitations')}", f"招待{count}件の取り消し")
    return steps_fact(
        [withdraw] if count else [],
        [Text("end the contract, after an approval of its own", "契約の終了(個別の承認が必要)")]
        if counts["end_contract"]
        else [],
        [Text("delete the tenant, after an approval of its own", "テナントの削除(個別の承認が必要)")]
        if counts["delete_tenant"]
        else [],
    )


def _later(ends: int) -> Text:
    """What is left to do when the contract is over."""
    en, ja = (format_value(Timestamp(ends), Readership.of(language)) for language in ("en", "ja"))
    return Text(
        f"The contract ends {en}. Call again after that: then the tenant is deleted.",
        f"契約は{ja}に終了します。その後もう一度呼び出すと、テナントを削除します。",
    )


async def _say_contract(reader: JobReader, listing: Checklist, tenant: Record, contract: Contract, ends: int) -> None:
    label = Text("Contract", "契約")
    if not contract.plan_id:
        listing.add_fact("contract", label, FixedText(Text("none, or over", "なし、または終了済み")))
    else:
        found = await listing.read_fact(
            reader,
            "pricing.GetPricingPlan",
            {"plan_id": contract.plan_id},
            label,
            lambda answer: NamedItem(str(answer.get("display_name") or contract.plan_id), contract.plan_id),
        )
        when = Text("ends", "終了") if contract.ends_at is None else Text("ends, as reserved,", "予約済みの終了")
        both = value_list(
            [
                *([found.value] if not isinstance(found.value, UnreadableValue) else []),
                LabelledValue(when, Timestamp(ends)),
            ]
        )
        listing.add_fact("contract", label, both, lead=True)
    month = datetime.fromtimestamp(reader.now(), UTC).strftime("%Y-%m")
    usage = await listing.read_fact(
        reader,
        "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth",
        {"tenant_id": tenant["id"], "month": month},
        Text("Usage of this month (UTC), perhaps not billed yet", "今月(UTC)の利用量(未請求の可能性)"),
        _usage,
    )
    listing.volatile_facts.append(usage)  # it grows while a person thinks


def _usage(answer: Record) -> Value:
    used = [each for each in answer.get("counts", []) if each.get("count")]
    return value_list(
        LabelledValue(name_text(str(each["metering_unit_name"])), Quantity(format_decimal(each["count"])))
        for each in used
    )


async def _members(reader: JobReader, listing: Checklist, tenant_id: str) -> tuple[int, Fact]:
    """How many there are, and who is left in no tenant at all."""
    members: dict[str, str] = {}
    async for page in reader.read_pages("auth.SearchTenantUsers", {"tenant_id": tenant_id}, _logins):
        members |= page
    elsewhere = await _elsewhere(reader, tenant_id, members)
    left = sorted((login, user) for user, login in members.items() if user not in elsewhere)
    listing.records = [{"left_in_no_tenant": login, "user_id": user} for login, user in left]
    label = Text("Left in no tenant; accounts stay", "どのテナントにも属さなくなる人(アカウントは残ります)")
    return len(members), Fact("alone", label, value_list(NamedItem(login, user) for login, user in left))


def _logins(answer: Record) -> dict[str, str]:
    return {user["id"]: user.get("email") or user.get("sign_in_id") or user["id"] for user in answer.get("users", [])}


async def _elsewhere(reader: JobReader, tenant_id: str, members: Mapping[str, str]) -> set[str]:
    """Those of the members who are in another tenant, too."""
    found: set[str] = set()

    def take(answer: Record) -> list[str]:
        return [user["id"] for user in answer.get("users", []) if user.get("tenant_id") != tenant_id]

    async def look(query: Record) -> None:
        async for page in reader.read_pages("auth.SearchTenantUsers", query, take):
            found.update(page)

    queries: Sequence[Record] = [{"id": user} for user in members] if len(members) <= MAX_SINGLE_LOOKUPS else [{}]
    await run_concurrently([partial(look, query) for query in queries])
    return found & members.keys()


async def _open_invitations(reader: JobReader, tenant_id: str) -> list[str]:
    answer: Record = await reader.read("auth.GetTenantInvitations", {"tenant_id": tenant_id})
    return sorted(each["id"] for each in answer.get("invitations", []) if each.get("status") == "pending")


async def _links(reader: JobReader, listing: Checklist, tenant_id: str) -> list[Fact]:
    """What else knows the tenant, and what of it stays behind."""
    found: list[Fact] = []
    own = {"tenant_id": tenant_id}
    gateway, infrastructure = (
        Text("API gateway", "APIゲートウェイ"),
        Text("Infrastructure of its own", "テナント専用のインフラ"),
    )
    for key, args, label, value in (
        ("auth.GetStripeCustomer", own, Text("Stripe", "Stripe"), _stripe),
        (
            "awsmarketplace.GetCustomers",
            {"tenant_ids": [tenant_id]},
            Text("AWS Marketplace", "AWS Marketplace"),
            _buyers,
        ),
        ("auth.GetSingleTenantSettings", {}, infrastructure, _infrastructure),
        ("auth.GetTenantIdentityProviders", own, Text("SAML", "SAML"), _saml),
        ("apigateway.GetApiKeys", own, Text("API gateway keys", "APIゲートウェイのキー"), _keys),
        ("apigateway.GetTenant", own, gateway, _gateway),
    ):
        found.append(await listing.read_fact(reader, key, args, label, value))
    return found


def _outside(links: Sequence[Fact]) -> Fact:
    """Of what else knows the tenant, what is there."""
    there = [
        LabelledValue(Text(f"{fact.label.en}:", fact.label.ja), fact.value)
        for fact in links
        if not isinstance(fact.value, NoValue)
    ]
    return Fact("outside", Text("Stays elsewhere", "ほかに残るもの"), value_list(there))


def _stripe(answer: Record) -> Value:
    return _if(
        answer.get("customer_id"),
        Text("the customer and open invoices stay there", "顧客と未払いの請求書はStripeに残ります"),
    )


def _buyers(answer: Record) -> Value:
    return _if(answer.get("customers"), Text("the buyer must end the contract there", "購入者側での解約が必要です"))


def _saml(answer: Record) -> Value:
    return _if(answer.get("saml"), Text("the entry at the identity provider stays", "IdP側の登録は残ります"))


def _gateway(answer: Record) -> Value:
    own = any(answer.get(name) for name in ("allowed_ips", "routing"))
    return _if(own, Text("routing or allowed addresses of its own", "個別のルーティングまたは許可アドレスあり"))


def _keys(answer: Record) -> Value:
    return count_value(len(answer.get("api_keys", [])), KEYS)


def _infrastructure(answer: Record) -> Value:
    return _if(
        answer.get("enabled"),
        Text(
            "what was built for the tenant keeps incurring costs: remove it in AWS",
            "構築済みのものは残り、費用がかかり続けます。AWSで削除してください",
        ),
    )


def _if(there: Any, said: Text) -> Value:
    return FixedText(said) if there else NoValue()
