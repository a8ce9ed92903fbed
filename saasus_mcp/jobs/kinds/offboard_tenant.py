"""`job_offboard_tenant`: the contract ended first and the tenant deleted after it, each with an approval of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs import checklist
from saasus_mcp.jobs.checklist import Checklist, counted, listed
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.work import Reader, Work, together

HOUR = 3600
AHEAD = HOUR + HOUR // 4
"""Seconds that the end of a contract lies ahead at least: so long a step waits for its approval, and then five minutes more."""
ONE_BY_ONE = 50
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

    plan: str
    ends: int | None
    next: str

    @classmethod
    def of(cls, tenant: Record) -> Contract:
        """The contract of a tenant."""
        reserved, following = tenant.get("using_next_plan_from"), tenant.get("next_plan_id") or ""
        return cls(tenant.get("plan_id") or "", reserved if reserved and not following else None, following)


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Look at all that hangs on the tenant, then: invitations, the contract, and the tenant when that is over."""
    tenant_id = args["tenant_id"]
    tenant: Record = await reader.read("auth.GetTenant", {"tenant_id": tenant_id})
    contract = Contract.of(tenant)
    at_once = args.get("delete") == "at_once"
    listing = Checklist()
    ends = _end(reader, tenant, contract, soon=args.get("contract_ends") == "soon")
    await _say_contract(reader, listing, tenant, contract, ends)
    members = await _say_members(reader, listing, tenant_id)
    invitations = await _open_invitations(reader, tenant_id)
    open_ones = counted(len(invitations))
    listing.say(f"Open invitations: {open_ones.en}", f"未承諾の招待: {open_ones.ja}")
    await _say_links(reader, listing, tenant_id)
    for number, each in enumerate(invitations, 1):
        asked = {"tenant_id": tenant_id, "invitation_id": each}
        listing.step(0, f"invitation/{number}", "auth.DeleteTenantInvitation", asked, f"invitation {number}")
    cancels = bool(contract.plan) and contract.ends is None
    if cancels:
        asked = {"tenant_id": tenant_id, "next_plan_id": "", "using_next_plan_from": ends}
        listing.step(1, "contract", "auth.UpdateTenantPlan", asked, "end the contract")
    deletes = at_once or not contract.plan
    if deletes:
        listing.step(2, "tenant", "auth.DeleteTenant", {"tenant_id": tenant_id}, "delete the tenant")
    counts = {
        "memberships": members,
        "invitations": len(invitations),
        "end_contract": int(cancels),
        "delete_tenant": int(deletes),
    }
    then = [] if deletes else [f"The contract ends {_shown(ends)}. Call again after that: then the tenant is deleted."]
    return listing.plan(tenant.get("name") or tenant_id, counts, only=bool(args.get("only_plan")), then=then)


async def run(work: Work, plan: Plan) -> Outcome:
    """Do it."""
    return await checklist.run(work, plan)


def _end(reader: Reader, tenant: Record, contract: Contract, *, soon: bool) -> int:
    """When the contract ends or is to end: with the period that is paid for, or as soon as an approval can be in time for."""
    if contract.ends is not None:
        return contract.ends
    earliest = reader.now() + AHEAD
    period = int(tenant.get("current_plan_period_end") or 0)
    if period >= earliest and not soon:
        return period
    return -(-earliest // HOUR) * HOUR  # a full hour, so that the plan is the same while a person thinks


async def _say_contract(reader: Reader, listing: Checklist, tenant: Record, contract: Contract, ends: int) -> None:
    if not contract.plan:
        listing.say("Contract: none, or over", "契約: なし、または終了済み")
    else:
        shown = Text(f"ends {_shown(ends)}", f"{_shown(ends)}に終了")
        if contract.ends is None:
            shown = Text(f"is to end {_shown(ends)}, without a refund", f"{_shown(ends)}に終了させます(返金なし)")
        await listing.look(
            reader,
            "pricing.GetPricingPlan",
            {"plan_id": contract.plan},
            Text("Contract", "契約"),
            lambda answer: Text(
                f"{listed([answer.get('display_name') or contract.plan]).en}, {shown.en}",
                f"{listed([answer.get('display_name') or contract.plan]).ja}、{shown.ja}",
            ),
        )
    if contract.next:
        listing.say("A reserved change of plan is dropped with it", "予約済みのプラン変更は取り消されます")
    await _say_usage(reader, listing, tenant["id"])


async def _say_usage(reader: Reader, listing: Checklist, tenant_id: str) -> None:
    """Usage grows while a person thinks: it is shown, and is no part of what they agree to."""
    month = datetime.fromtimestamp(reader.now(), UTC).strftime("%Y-%m")
    seen = Checklist()
    await seen.look(
        reader,
        "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth",
        {"tenant_id": tenant_id, "month": month},
        Text(f"Usage of {month}, which may not be billed yet", f"{month}の利用量(未請求の可能性)"),
        _usage,
    )
    listing.passing += seen.found


def _usage(answer: Record) -> Text:
    used = [f"{each['metering_unit_name']}: {each['count']}" for each in answer.get("counts", []) if each.get("count")]
    told = listed(used)
    return told if used else Text("none", "なし")


async def _say_members(reader: Reader, listing: Checklist, tenant_id: str) -> int:
    """How many there are, and who is left in no tenant at all."""
    members: dict[str, str] = {}
    async for page in reader.pages("auth.SearchTenantUsers", {"tenant_id": tenant_id}, _logins):
        members |= page
    elsewhere = await _elsewhere(reader, tenant_id, members)
    left = sorted((login, user) for user, login in members.items() if user not in elsewhere)
    listing.records = [{"left_in_no_tenant": login, "user_id": user} for login, user in left]
    alone = listed([login for login, _ in left])
    total = counted(len(members))
    listing.say(f"Users who lose it: {total.en}", f"所属を失うユーザー: {total.ja}")
    listing.say(
        f"Users left in no tenant, whose accounts stay (job_offboard_user): {alone.en or 'none'}",
        f"どのテナントにも属さなくなり、アカウントだけが残るユーザー: {alone.ja or 'なし'}",
    )
    return len(members)


def _logins(answer: Record) -> dict[str, str]:
    return {user["id"]: user.get("email") or user.get("sign_in_id") or user["id"] for user in answer.get("users", [])}


async def _elsewhere(reader: Reader, tenant_id: str, members: Mapping[str, str]) -> set[str]:
    """Those of the members who are in another tenant, too."""
    found: set[str] = set()

    def take(answer: Record) -> list[str]:
        return [user["id"] for user in answer.get("users", []) if user.get("tenant_id") != tenant_id]

    async def look(query: Record) -> None:
        async for page in reader.pages("auth.SearchTenantUsers", query, take):
            found.update(page)

    queries: Sequence[Record] = [{"id": user} for user in members] if len(members) <= ONE_BY_ONE else [{}]
    await together([partial(look, query) for query in queries])
    return found & members.keys()


async def _open_invitations(reader: Reader, tenant_id: str) -> list[str]:
    answer: Record = await reader.read("auth.GetTenantInvitations", {"tenant_id": tenant_id})
    return sorted(each["id"] for each in answer.get("invitations", []) if each.get("status") == "pending")


async def _say_links(reader: Reader, listing: Checklist, tenant_id: str) -> None:
    """What else knows the tenant, and what of it stays behind."""
    own = {"tenant_id": tenant_id}
    for key, args, what, say in (
        ("auth.GetStripeCustomer", own, Text("Stripe customer", "Stripeの顧客"), _stripe),
        (
            "awsmarketplace.GetCustomers",
            {"tenant_ids": [tenant_id]},
            Text("AWS Marketplace", "AWS Marketplace"),
            _buyers,
        ),
        ("auth.GetTenantIdentityProviders", own, Text("SAML", "SAML"), _saml),
        ("apigateway.GetTenant", own, Text("API gateway", "APIゲートウェイ"), _gateway),
        ("apigateway.GetApiKeys", own, Text("API gateway keys", "APIゲートウェイのキー"), _keys),
        (
            "auth.GetSingleTenantSettings",
            {},
            Text("Infrastructure of its own", "テナント専用のインフラ"),
            _infrastructure,
        ),
    ):
        await listing.look(reader, key, args, what, say)


def _stripe(answer: Record) -> Text:
    if not answer.get("customer_id"):
        return Text("none", "なし")
    return Text(
        "connected; the customer and open invoices stay at Stripe", "連携済み。顧客と未払いの請求書はStripeに残ります"
    )


def _buyers(answer: Record) -> Text:
    if not answer.get("customers"):
        return Text("no contract", "契約なし")
    return Text("a contract there must be ended by the buyer", "契約あり。購入者側での解約が必要です")


def _saml(answer: Record) -> Text:
    if not answer.get("saml"):
        return Text("none", "なし")
    return Text("set up; it ends with the tenant, the entry at the provider stays", "設定あり。IdP側の登録は残ります")


def _gateway(answer: Record) -> Text:
    if not any(answer.get(name) for name in ("allowed_ips", "routing")):
        return Text("nothing of its own", "個別の設定なし")
    return Text("routing or allowed addresses of its own", "個別のルーティングまたは許可アドレスあり")


def _keys(answer: Record) -> Text:
    told = counted(len(answer.get("api_keys", [])))
    return Text(f"{told.en} of the tenant and its users", told.ja)


def _infrastructure(answer: Record) -> Text:
    if not answer.get("enabled"):
        return Text("none is built here", "構築していません")
    return Text(
        "what was built for the tenant stays and goes on costing: remove it in AWS",
        "構築済みのものは残り、費用がかかり続けます。AWSで削除してください",
    )


def _shown(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
