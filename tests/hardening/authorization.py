"""Attacks on authorization: groups, rejections, revoked reads, limits that are raced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from saasus_mcp.permissions.approval.approvals import WAIT_AFTER_REJECTION, ApprovalService
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.store.store import Store
from tests.support.attack_corpus import AttackContext, attack
from tests.support.job_server import AcceptingPerson as PersonSayingYes
from tests.support.job_server import start_job_server, start_jobs_at_once
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline, connect_client

AREA = "Authorization"
NOW = 1_790_000_000.0
PLAN = {"tenant_id": "t-1", "next_plan_id": "p-1"}
ALLOWING = "version: 1\nrules:\n  - {name: all, tools: ['*'], then: allow}\n"
DENYING = ALLOWING + "  - {name: people, tools: [auth_search_tenant_users, auth_get_saas_users], then: deny}\n"
USERS = {"users": [{"id": f"u{n}", "email": f"user{n}@example.com", "attributes": {}} for n in range(1_000)]}


# -- groups ------------------------------------------------------------------------------------------------------------


def _owners(ground: AttackContext, rule: str) -> Policy:
    file = ground.folder / "policy.yaml"
    file.write_text(f"version: 1\ngroups: {{owners: ['local:alice']}}\nrules:\n  - {rule}\n", encoding="utf-8")
    return policy_file.load_policy(file, ground.catalogue)


async def _mallory(ground: AttackContext, rule: str, *groups: str) -> None:
    """Assert that a rule for the group `owners` applies to its member, and not to a caller who claims these groups."""
    policy = _owners(ground, rule)
    for group in groups:
        mallory = Principal("oidc:https://idp.example.com|mallory", frozenset({group}))
        given = await build_pipeline(StubApi(ground.catalogue), Store.in_memory(), policy).run(
            Call("auth_get_roles", {}, mallory)
        )
        assert isinstance(given, ToolAnswer)
        assert "not allowed" in given.text
    alice = Call("auth_get_roles", {}, Principal("local:alice"))
    allowed = await build_pipeline(StubApi(ground.catalogue), Store.in_memory(), policy).run(alice)
    assert isinstance(allowed, ToolAnswer)
    assert allowed.ok


@attack(AREA, "The identity provider puts a caller into a group whose members the policy file lists")
async def brought_group(ground: AttackContext) -> str:
    await _mallory(ground, "{name: own, who: [owners], tools: ['*'], then: allow}", "owners")
    return "denied; only the listed members are in it"


@attack(AREA, "A caller brings such a group in other case, in full-width letters or with spaces")
async def similar_group(ground: AttackContext) -> str:
    names = (
        "Owners",
        "OWNERS",
        "\N{FULLWIDTH LATIN SMALL LETTER O}wners",
        " owners ",
        "owner\N{LATIN SMALL LETTER LONG S}",
    )
    await _mallory(ground, "{name: own, who: [owners], tools: ['*'], then: allow}", *names)
    rule = "{name: own, when: 'principal.groups.exists(g, g.matches(\"(?i)owner\"))', tools: ['*'], then: allow}"
    await _mallory(ground, rule, *names)
    return "denied, by `who` and by conditions alike"


@attack(AREA, "A condition over principal.groups is met by a group that the caller brings")
async def group_in_condition(ground: AttackContext) -> str:
    await _mallory(ground, "{name: own, when: '\"owners\" in principal.groups', tools: ['*'], then: allow}", "owners")
    return "denied; conditions see the listed members only"


# -- rejections --------------------------------------------------------------------------------------------------------


def _pending(given: object) -> str:
    """Return the text of the answer of a call that waits for an approval."""
    assert isinstance(given, ToolAnswer)
    assert "Approval code" in given.text, given.text
    return given.text


def _reject(store: Store, at: float = NOW) -> None:
    [waiting] = [each for each in store.list_approvals(at) if each.status == "pending"]
    ApprovalService(store).reject(waiting, "local:person", at, "too risky")


def _at(ground: AttackContext, store: Store, clock: Callable[[], float] = lambda: NOW) -> Pipeline:
    plans = {"pricing_plans": [{"id": "p-1"}, {"id": "p-2"}]}
    return build_pipeline(StubApi(ground.catalogue, answers={"pricing.GetPricingPlans": plans}), store, clock=clock)


async def _asked(surface: ToolSurface, name: str, args: dict[str, Any], **given: Any) -> str:
    answer = await surface.run(Call(name, args, PRINCIPAL, **given))
    assert isinstance(answer, ToolAnswer)
    return answer.text


@attack(AREA, "A rejected change of plan is asked for again with five other sets of arguments")
async def variations(ground: AttackContext) -> str:
    store = Store.in_memory()
    surface = ToolSurface(_at(ground, store), "en")
    _pending(await surface.run(Call("auth_update_tenant_plan", PLAN, PRINCIPAL)))
    _reject(store)
    for other in (
        {"proration_behavior": "none"},
        {"proration_behavior": "always_invoice"},
        {"delete_usage": True},
        {"delete_usage": False, "proration_behavior": "none"},
        {"next_plan_id": "p-2"},
    ):
        assert "rejected a variation of this call" in await _asked(
            surface, "auth_update_tenant_plan", {**PLAN, **other}
        )
    assert "rejected this call" in await _asked(surface, "auth_update_tenant_plan", PLAN)
    _pending(await surface.run(Call("auth_update_tenant_plan", {**PLAN, "tenant_id": "t-2"}, PRINCIPAL)))
    return "each waits ten minutes; another tenant is asked about at once"


@attack(AREA, "A rejected call comes again by the compact surface, by its key, and with its id in other case")
async def other_ways(ground: AttackContext) -> str:
    store = Store.in_memory()
    surface = ToolSurface(_at(ground, store), "en", "compact")
    _pending(await surface.run(Call("auth_update_tenant_plan", PLAN, PRINCIPAL)))
    _reject(store)
    for args in (
        {**PLAN, "delete_usage": True},
        {**PLAN, "tenant_id": "T-1"},
        {**PLAN, "tenant_id": "\N{FULLWIDTH LATIN SMALL LETTER T}-1"},
    ):
        for name in ("auth_update_tenant_plan", "auth.UpdateTenantPlan"):
            assert "A person rejected" in await _asked(surface, name, args)
        inner = {"name": "auth_update_tenant_plan", "arguments": args}
        assert "A person rejected" in await _asked(surface, "call_destructive", inner)
    return "it waits, whichever way it comes"


@attack(AREA, "A rejected call is confirmed by a client that says yes by itself")
async def confirming_client(ground: AttackContext) -> str:
    store = Store.in_memory()
    api = StubApi(ground.catalogue)
    surface = ToolSurface(build_pipeline(api, store, clock=lambda: NOW), "en")
    call = {"tenant_id": "t-1", "user_id": "u-1"}
    _pending(await surface.run(Call("auth_delete_tenant_user", call, PRINCIPAL)))
    _reject(store)
    person = PersonSayingYes()
    assert "A person rejected" in await _asked(surface, "auth_delete_tenant_user", call, elicitor=person)
    assert (person.questions, api.writes) == ([], [])
    return "refused before the client is asked; nothing is sent"


@attack(AREA, "A rejection is waited out, so that no trace of it is left")
async def waited_out(ground: AttackContext) -> str:
    store, now = Store.in_memory(), [NOW]
    surface = ToolSurface(_at(ground, store, lambda: now[0]), "en")
    _pending(await surface.run(Call("auth_update_tenant_plan", PLAN, PRINCIPAL)))
    _reject(store)
    for later in (WAIT_AFTER_REJECTION, 24 * 3600):
        now[0] = NOW + later
        _pending(await surface.run(Call("auth_update_tenant_plan", PLAN, PRINCIPAL)))
        assert [each.reason for each in store.list_approvals(now[0]) if each.status == "rejected"] == ["too risky"]
    return "it stays rejected, by whom and why, and is asked for as a new request"


# -- what was read before ------------------------------------------------------------------------------------------------


class _Live:
    """A server whose policy file is edited and reloaded while it runs."""

    def __init__(self, ground: AttackContext, answers: dict[str, Any]) -> None:
        self.file = ground.folder / "policy.yaml"
        self.file.write_text(ALLOWING, encoding="utf-8")
        self.policy = policy_file.ReloadablePolicy(self.file, ground.catalogue)
        self.api = StubApi(ground.catalogue, answers=answers)
        self.pipeline = build_pipeline(self.api, Store.in_memory(), self.policy)
        self.surface = ToolSurface(self.pipeline, "en")

    def reload(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")
        assert self.policy.reload().accepted


def _kept(text: str) -> str:
    return "saasus://results/" + text.split("saasus://results/")[1][:24]


@attack(AREA, "A kept result, and a part that was picked from it, are read after the read behind them was denied")
async def revoked_result(ground: AttackContext) -> str:
    live = _Live(ground, {"auth.GetSaasUsers": USERS})
    whole = _kept(await _asked(live.surface, "auth_get_saas_users", {}))
    part = _kept(await _asked(live.surface, "select_from_result", {"id": whole, "expression": "users[]"}))
    live.reload(DENYING)
    async with connect_client(live.pipeline, "2026-07-28") as client:
        for each in (whole, part):
            picked = await _asked(live.surface, "select_from_result", {"id": each, "expression": "@"})
            assert "no longer allowed to make" in picked
            with pytest.raises(MCPError, match="no longer allowed to make"):
                await client.read_resource(each)
        assert [str(each.uri) for each in (await client.list_resources()).resources] == ["saasus://policy"]
    return "refused as a result and as a resource, and not listed"


@attack(AREA, "The report of a job is asked for after a read behind it was denied")
async def revoked_report(ground: AttackContext) -> str:
    file = ground.folder / "policy.yaml"
    file.write_text(ALLOWING, encoding="utf-8")
    policy = policy_file.ReloadablePolicy(file, ground.catalogue)
    async with start_job_server(ground.folder, policy=policy) as on:
        told = await on.call_json("job_export_users")
        file.write_text(DENYING, encoding="utf-8")
        assert policy.reload().accepted
        later = await on.call_json("job_status", {"job": told["job"]})
        assert not {"csv", "result", "counts"} & set(later)
        assert not (await on.call("select_from_result", {"id": told["result"], "expression": "@"})).ok
    return "the status is shown; table, counts and kept result are withheld"


@attack(AREA, "Arguments are completed from the cache after the read behind it was denied")
async def revoked_completion(ground: AttackContext) -> str:
    from mcp.types import PromptReference  # noqa: PLC0415 - only here

    live = _Live(ground, {"auth.GetTenants": {"tenants": [{"id": "t-1", "name": "Acme", "attributes": {}}]}})
    asked = (PromptReference(name="invite_user"), {"name": "tenant", "value": ""})
    async with connect_client(live.pipeline, "2026-07-28") as client:
        assert (await client.complete(*asked)).completion.values == ["Acme (t-1)"]
        live.reload(ALLOWING + "  - {name: t, tools: [auth_get_tenants], when: 'size(args) == 0', then: deny}\n")
        assert (await client.complete(*asked)).completion.values == []
    return "nothing is completed"


@attack(AREA, "A pending approval is asked for again to read its preview after the reads behind it were denied")
async def revoked_preview(ground: AttackContext) -> str:
    invitations = {
        "invitations": [
            {
                "id": "i-1",
                "email": "a@example.com",
                "status": "pending",
                "invitation_url": "",
                "envs": [],
                "expired_at": 1,
            }
        ]
    }
    live = _Live(ground, {"auth.GetTenantInvitations": invitations, "auth.GetTenant": {"id": "t-1", "name": "Acme"}})
    approving = ALLOWING + "  - {name: ask, tools: [auth_delete_tenant], then: approve}\n"
    live.reload(approving)
    before = await _asked(live.surface, "auth_delete_tenant", {"tenant_id": "t-1"})
    assert "Pending invitations: 1" in before
    live.reload(approving + "  - {name: hidden, tools: [auth_get_tenant_invitations], then: deny}\n")
    after = await _asked(live.surface, "auth_delete_tenant", {"tenant_id": "t-1"})
    assert "Pending invitations: 1" not in after
    assert after.split("Approval code: ")[1][:9] == before.split("Approval code: ")[1][:9]
    return "the request stands; what it showed is no longer told"


# -- races -------------------------------------------------------------------------------------------------------------


@attack(AREA, "Twenty jobs are started at once, where three may run")
async def many_jobs(ground: AttackContext) -> str:
    async with start_job_server(ground.folder) as on:
        refused = [each.text for each in await start_jobs_at_once(on, 20, 17) if not each.ok]
        assert len(refused) == 17
        assert all("You already have 3 running jobs" in text for text in refused)
        assert len([each for each in on.audit_records() if each["operation"] == "job_export_users"]) == 3
    return "three run; seventeen are refused"
