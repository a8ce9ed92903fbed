"""`job_offboard_user`: a person out of their tenants, and the account, step by step with the gate that each step has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs import checklist
from saasus_mcp.jobs.checklist import Checklist, counted, listed
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.work import Reader, Unreadable, Work, together
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.saasus.words import quoted

NAMES = ("user_id", "email", "sign_in_id")
Record = Mapping[str, Any]


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Look at all that the person has, then: out of the tenants, and last the account."""
    user = await _user(reader, args)
    login = user.get("email") or user.get("sign_in_id") or user["id"]
    mine = await _memberships(reader, user["id"])
    leaves = _chosen(mine, args.get("tenant_ids"))
    account = not args.get("keep_account") and not args.get("tenant_ids")
    invitations = await _invitations(reader, user.get("email") or "", args.get("tenant_ids"))
    listing = Checklist()
    _say_memberships(listing, leaves, [each for each in mine if each not in leaves])
    await _say_rest(reader, listing, user, invitations, account=account)
    for number, (tenant, invitation) in enumerate(invitations, 1):
        asked = {"tenant_id": tenant, "invitation_id": invitation}
        listing.step(0, f"invitation/{number}", "auth.DeleteTenantInvitation", asked, f"invitation {number}")
    for number, each in enumerate(leaves, 1):
        asked = {"tenant_id": each["tenant_id"], "user_id": user["id"]}
        listing.step(0, f"leave/{number}", "auth.DeleteTenantUser", asked, f"leave {each['tenant_name']} ({number})")
    if account:
        listing.step(1, "account", "auth.DeleteSaasUser", {"user_id": user["id"]}, "delete the account")
    counts = {
        "memberships": len(leaves),
        "grants": sum(len(_roles(each)) for each in leaves),
        "invitations": len(invitations),
        "delete_account": int(account),
    }
    return listing.plan(login, counts, only=bool(args.get("only_plan")))


async def run(work: Work, plan: Plan) -> Outcome:
    """Do it."""
    return await checklist.run(work, plan)


async def _user(reader: Reader, args: Mapping[str, Any]) -> Record:
    given = [name for name in NAMES if name in args]
    if len(given) != 1:
        raise InvalidArguments(("user_id",), f"exactly one of {', '.join(NAMES)} must be given.")
    [name] = given
    if name == "user_id":
        return await reader.read("auth.GetSaasUser", {"user_id": args[name]}, dict)
    found: list[Record] = []
    async for page in reader.pages("auth.SearchSaasUsers", {name: args[name]}, lambda answer: answer.get("users", [])):
        found += [user for user in page if str(user.get(name, "")).casefold() == args[name].casefold()]
    if len(found) != 1:
        raise InvalidArguments((name,), f"{len(found) or 'no'} users are called {quoted(args[name])}.", "Give user_id.")
    return found[0]


async def _memberships(reader: Reader, user: str) -> list[Record]:
    found: list[Record] = []
    async for page in reader.pages("auth.SearchTenantUsers", {"id": user}, lambda answer: answer.get("users", [])):
        found += [each for each in page if each.get("id") == user]
    return sorted(found, key=lambda each: str(each["tenant_id"]))


def _chosen(mine: Sequence[Record], wanted: Sequence[str] | None) -> list[Record]:
    for tenant in wanted or ():
        if tenant not in {each["tenant_id"] for each in mine}:
            raise InvalidArguments(("tenant_ids",), f"the user is not in the tenant {quoted(tenant)}.")
    return [each for each in mine if not wanted or each["tenant_id"] in wanted]


async def _invitations(reader: Reader, email: str, tenants: Sequence[str] | None) -> list[tuple[str, str]]:
    """Tenant and id of each open invitation to the address: by one of them the person could come back."""
    found: list[tuple[str, str]] = []
    if not email:
        return found
    known = list(tenants or ()) or await reader.read("auth.GetTenants", take=_ids)

    async def look(tenant: str) -> None:
        answer: Record = await reader.read("auth.GetTenantInvitations", {"tenant_id": tenant})
        open_ones = (each for each in answer.get("invitations", []) if each.get("status") == "pending")
        found.extend(
            (tenant, each["id"]) for each in open_ones if str(each.get("email", "")).casefold() == email.casefold()
        )

    await together([partial(look, tenant) for tenant in known])
    return sorted(found)


def _ids(answer: Record) -> list[str]:
    return [each["id"] for each in answer.get("tenants", [])]


def _say_memberships(listing: Checklist, leaves: Sequence[Record], stays: Sequence[Record]) -> None:
    for each in leaves:
        roles = listed(_roles(each))
        name = each.get("tenant_name") or each["tenant_id"]
        listing.say(
            f"Leaves {quoted(name)}, with the roles {roles.en or 'none'}",
            f"{quoted(name, 'ja')}から外れます(ロール: {roles.ja or 'なし'})",
        )
    if stays:
        names = listed([str(each.get("tenant_name") or each["tenant_id"]) for each in stays])
        listing.say(f"Stays in {names.en}", f"引き続き所属: {names.ja}")


async def _say_rest(
    reader: Reader, listing: Checklist, user: Record, invitations: Sequence[Any], *, account: bool
) -> None:
    """What else there is, and what of it no operation takes away."""
    open_ones = counted(len(invitations))
    listing.say(f"Open invitations to the address: {open_ones.en}", f"このアドレス宛の未承諾の招待: {open_ones.ja}")
    await listing.look(
        reader,
        "auth.GetUserMfaPreference",
        {"user_id": user["id"]},
        Text("Second factor", "多要素認証"),
        lambda answer: Text("on", "有効") if answer.get("enabled") else Text("off", "無効"),
    )
    await _say_keys(reader, listing, user["id"])
    if not account:
        listing.say(
            "The account stays, with its password and second factor.",
            "アカウントはパスワード・多要素認証とともに残ります。",
        )
    listing.say(
        "What the person wrote (feedback, comments) and the logs of what they did stay.",
        "本人が書いたフィードバックやコメント、操作の記録は残ります。",
    )


async def _say_keys(reader: Reader, listing: Checklist, user: str) -> None:
    try:
        count = await reader.read(
            "apigateway.GetApiKeys", {"user_id": user}, lambda answer: len(answer.get("api_keys", []))
        )
    except Unreadable:
        listing.say(
            "API gateway keys: not known, they cannot be read.", "APIゲートウェイのキー: 確認できませんでした。"
        )
        return
    told = counted(count)
    more = Text(
        "; no operation revokes a key: close them at the gateway",
        "。失効させる操作はないため、ゲートウェイ側で対処してください",
    )
    listing.say(
        f"API gateway keys of the person: {told.en}{more.en if count else ''}",
        f"本人のAPIゲートウェイのキー: {told.ja}{more.ja if count else ''}",
    )


def _roles(member: Record) -> list[str]:
    return [
        f"{env.get('name') or env.get('id')}: {role.get('role_name')}"
        for env in member.get("envs") or ()
        for role in env.get("roles") or ()
    ]
