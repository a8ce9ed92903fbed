"""`job_offboard_user`: a person out of their tenants, and the account, step by step with the gate that each step has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Text
from saasus_mcp.common.text import quote_name, quote_text
from saasus_mcp.jobs import checklist
from saasus_mcp.jobs.checklist import (
    KEYS,
    NO_ANSWER,
    Checklist,
    Summary,
    add_particle,
    count_noun,
    count_value,
    name_text,
    steps_fact,
    value_list,
)
from saasus_mcp.jobs.job_context import JobContext, JobReader, ReadFailed, run_concurrently
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.known import resolve_names
from saasus_mcp.jobs.name_index import DisplayName
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.users.existing_users import find_accounts
from saasus_mcp.permissions.question.content import (
    FixedText,
    LabelledValue,
    NamedItem,
    Quantity,
    QuestionWarning,
    UnreadableValue,
    Value,
)

LOGIN_ARGUMENTS = ("user_id", "email", "sign_in_id")
OWN_APPROVAL = Text("delete the account, after an approval of its own", "アカウントの削除(個別の承認が必要)")
Record = Mapping[str, Any]


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Look at all that the person has, then: out of the tenants, and last the account."""
    user = await _user(reader, args)
    login = user.get("email") or user.get("sign_in_id") or user["id"]
    mine = await _memberships(reader, user["id"])
    leaves = _chosen(mine, args.get("tenant_ids"))
    account = not args.get("keep_account") and not args.get("tenant_ids")
    within = [each["tenant_id"] for each in leaves] if args.get("tenant_ids") else None
    invitations = await _invitations(reader, user.get("email") or "", within)
    listing = Checklist()
    for at, (tenant, invitation) in enumerate(invitations, 1):
        asked = {"tenant_id": tenant, "invitation_id": invitation}
        listing.add_step(0, f"invitation/{at}", "auth.DeleteTenantInvitation", asked, f"invitation {at}")
    for at, each in enumerate(leaves, 1):
        asked = {"tenant_id": each["tenant_id"], "user_id": user["id"]}
        listing.add_step(0, f"leave/{at}", "auth.DeleteTenantUser", asked, f"leave {_tenant(each)} ({at})")
    if account:
        listing.add_step(1, "account", "auth.DeleteSaasUser", {"user_id": user["id"]}, "delete the account")
    counts = {
        "memberships": len(leaves),
        "grants": sum(len(_roles(each)) for each in leaves),
        "invitations": len(invitations),
        "delete_account": int(account),
    }
    keys = await _keys(reader, user["id"])
    _say_memberships(listing, leaves, [each for each in mine if each not in leaves])
    await _say_rest(reader, listing, user, counts, keys)
    warnings = tuple(_warnings(counts, keys))
    about = Summary(login, _headline(login, counts), warnings)
    return listing.build_plan(about, counts, only=bool(args.get("only_plan")))


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Do it."""
    return await checklist.run_checklist(work, plan)


async def _user(reader: JobReader, args: Mapping[str, Any]) -> Record:
    given = [name for name in LOGIN_ARGUMENTS if name in args]
    if len(given) != 1:
        raise InvalidArguments(("user_id",), f"exactly one of {', '.join(LOGIN_ARGUMENTS)} must be given.")
    [name] = given
    if name == "user_id":
        return await reader.read("auth.GetSaasUser", {"user_id": args[name]}, dict)
    found = await find_accounts(reader, name, args[name])
    if len(found) != 1:
        raise InvalidArguments(
            (name,), f"{len(found) or 'no'} users are called {quote_text(args[name])}.", "Give user_id."
        )
    return found[0]


async def _memberships(reader: JobReader, user: str) -> list[Record]:
    found: list[Record] = []
    async for page in reader.read_pages("auth.SearchTenantUsers", {"id": user}, lambda answer: answer.get("users", [])):
        found += [each for each in page if each.get("id") == user]
    return sorted(found, key=lambda each: str(each["tenant_id"]))


def _chosen(mine: Sequence[Record], wanted: Sequence[str] | None) -> list[Record]:
    """The memberships that are to end: those in the tenants of these ids or names, or all."""
    if not wanted:
        return [*mine]
    names = {str(each["tenant_id"]): [str(each.get("tenant_name") or "")] for each in mine}
    chosen = resolve_names("tenant_ids", wanted, "tenant of the user's", names)
    return [each for each in mine if each["tenant_id"] in chosen]


async def _invitations(reader: JobReader, email: str, tenants: Sequence[str] | None) -> list[tuple[str, str]]:
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

    await run_concurrently([partial(look, tenant) for tenant in known])
    return sorted(found)


def _ids(answer: Record) -> list[str]:
    return [each["id"] for each in answer.get("tenants", [])]


def _headline(login: str, counts: Mapping[str, int]) -> Text:
    """What is done to whom."""
    leaves, account = counts["memberships"], counts["delete_account"]
    tenants = count_noun(leaves, "tenant", "tenants")
    en, who, owner = quote_name(login), add_particle(login, "を"), add_particle(login, "の")
    if leaves and account:
        return Text(
            f"Remove {en} from {tenants} and delete the account",
            f"{who}{leaves}テナントから外し、アカウントを削除します",
        )
    if account:
        return Text(f"Delete the account {en}", f"{owner}アカウントを削除します")
    if leaves:
        return Text(f"Remove {en} from {tenants}", f"{who}{leaves}テナントから外します")
    return Text(f"Withdraw the invitations to {en}", f"{add_particle(login, 'への')}招待を取り消します")


def _warnings(counts: Mapping[str, int], keys: Value) -> Iterator[QuestionWarning]:
    """What of it cannot be undone, and what stays open."""
    if counts["delete_account"]:
        yield QuestionWarning(
            "irreversible",
            Text(
                "Deleting the account cannot be undone: registered again, the person gets a new id and no earlier access.",
                "アカウントの削除は元に戻せません。再登録しても別のIDになり、以前の権限は戻りません。",
            ),
        )
    if counts["memberships"] or counts["invitations"]:
        yield QuestionWarning(
            "recreate",
            Text(
                "The rest can only be created again: memberships with each role, invitations by a new e-mail.",
                "所属はロールの付与からやり直し、招待はメールの再送が必要です(元には戻せません)。",
            ),
        )
    if isinstance(keys, Quantity):
        yield QuestionWarning(
            "consequence",
            Text(
                "API gateway keys of the person stay valid: no operation revokes one. Close them at the gateway.",
                "本人のAPIゲートウェイのキーは有効なままです。失効させる操作がないため、ゲートウェイ側で対処してください。",
            ),
        )


def _say_memberships(listing: Checklist, leaves: Sequence[Record], stays: Sequence[Record]) -> None:
    held = [LabelledValue(name_text(_tenant(each)), _said(_roles(each))) for each in leaves]
    listing.add_fact("leaves", Text("Leaves", "外れるテナント"), value_list(held), lead=bool(held))
    listing.add_fact("stays", Text("Stays in", "引き続き所属"), value_list(NamedItem(_tenant(each)) for each in stays))


def _said(roles: Sequence[str]) -> Value:
    if not roles:
        return FixedText(Text("(no role)", "(ロールなし)"))
    return FixedText(
        Text(f"({', '.join(map(quote_name, roles))})", f"({'・'.join(quote_name(role, 'ja') for role in roles)})")
    )


async def _say_rest(
    reader: JobReader, listing: Checklist, user: Record, counts: Mapping[str, int], keys: Value
) -> None:
    """The steps, what else there is, and what of it no operation takes away."""
    invitations, leaves = counts["invitations"], counts["memberships"]
    withdraw = Text(
        f"withdraw {count_noun(invitations, 'invitation', 'invitations')}", f"招待{invitations}件の取り消し"
    )
    leave = Text(f"leave {count_noun(leaves, 'tenant', 'tenants')}", f"{leaves}テナントからの除外")
    first = [*([withdraw] if invitations else []), *([leave] if leaves else [])]
    account = counts["delete_account"]
    if len(first) + account > 1:
        listing.facts.append(steps_fact(first, [OWN_APPROVAL] if account else []))
    mfa = await listing.read_fact(
        reader,
        "auth.GetUserMfaPreference",
        {"user_id": user["id"]},
        Text("Two-factor sign-in", "多要素認証"),
        lambda answer: FixedText(Text("on", "有効") if answer.get("enabled") else Text("off", "無効")),
    )
    (listing.facts if account else listing.report_facts).append(mfa)
    listing.add_fact("api_keys", Text("API gateway keys of the person", "本人のAPIゲートウェイのキー"), keys)
    if not account:
        listing.add_fact(
            "account",
            Text("Account", "アカウント"),
            FixedText(Text("stays, with its password", "残ります(パスワードも有効)")),
        )
    what = Text("feedback, comments and logs of the person", "本人のフィードバック・コメント・操作の記録")
    listing.add_fact("kept", Text("Stays in SaaSus", "SaaSusに残るもの"), FixedText(what))


async def _keys(reader: JobReader, user: str) -> Value:
    """How many keys the person has."""
    try:
        count = await reader.read(
            "apigateway.GetApiKeys", {"user_id": user}, lambda answer: len(answer.get("api_keys", []))
        )
    except ReadFailed:
        return UnreadableValue(NO_ANSWER)
    return count_value(count, KEYS)


def _tenant(member: Record) -> str:
    return str(member.get("tenant_name") or member["tenant_id"])


def _roles(member: Record) -> list[str]:
    """Environment and role, in people's terms."""
    return [
        f"{_env(env)}: {DisplayName(str(role.get('role_name')), str(role.get('display_name') or '')).label}"
        for env in member.get("envs") or ()
        for role in env.get("roles") or ()
    ]


def _env(env: Record) -> str:
    return str(env.get("display_name") or env.get("name") or env.get("id"))
