"""The question about a tenant whose name others have states the id."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import Quoted
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.policies import build_policy, build_rule

NAME = "Acme"


def tenants(**names: str) -> dict[str, Any]:
    return {"tenants": [{"id": identifier, "name": name} for identifier, name in names.items()]}


async def question(
    catalogue: Catalogue, store: Store, listed: Any, policy: Policy = PRESETS["guarded"], name: str = NAME
) -> str:
    api = StubApi(catalogue, answers={"auth.GetTenant": {"id": "t1", "name": name}, "auth.GetTenants": listed})
    answer = await build_pipeline(api, store, policy).run(Call("auth_delete_tenant", {"tenant_id": "t1"}, PRINCIPAL))
    assert isinstance(answer, ToolAnswer)
    assert "saasus-mcp approve" in answer.text
    return answer.text


def warning(count: int, name: str = NAME) -> str:
    return message("question.namesakes.tenant", name=Quoted(name), count=count, id="t1").text("en")


@pytest.mark.parametrize(
    ("listed", "count"),
    [
        (tenants(t1=NAME, t2=NAME), 1),
        (tenants(t1=NAME, t2="ＡＣＭＥ", t3=" acme\u200b", t4="Acme Ltd"), 2),
        (tenants(t1=NAME, t2="\u0410cme", t3="\u0430\u0441me", t4="Acne"), 2),
    ],
    ids=["the same", "in other forms", "in Cyrillic letters"],
)
async def test_a_question_says_which_of_several_tenants_with_one_name_is_meant(
    catalogue: Catalogue, store: Store, listed: Any, count: int
) -> None:
    assert warning(count) in await question(catalogue, store, listed)


@pytest.mark.parametrize("other", ["株式會社青空商事", "株式会社靑空商亊"])
async def test_a_name_in_old_forms_of_kanji_counts_as_the_same(catalogue: Catalogue, store: Store, other: str) -> None:
    name, listed = "株式会社青空商事", {"t1": "株式会社青空商事", "t2": other, "t3": "株式会社青空商会"}
    said = await question(catalogue, store, tenants(**listed), name=name)
    assert warning(1, name) in said


@pytest.mark.parametrize("other", ["二コ力ード", "ニコカ─ド", "ニコ\u200bカ ード", "ﾆｺｶｰﾄﾞ"], ids=ascii)
async def test_a_name_in_letters_that_look_alike_counts_as_the_same(
    catalogue: Catalogue, store: Store, other: str
) -> None:
    name = "ニコカード"
    assert warning(1, name) in await question(catalogue, store, tenants(t1=name, t2=other), name=name)


@pytest.mark.parametrize(
    "listed",
    [tenants(t1=NAME, t2="Other"), {"tenants": []}, httpx2.Response(404), httpx2.Response(200, text="<html>")],
    ids=["another name", "none", "refused", "no JSON"],
)
async def test_without_another_tenant_of_that_name_nothing_is_said(
    catalogue: Catalogue, store: Store, listed: Any
) -> None:
    assert "This one has the id" not in await question(catalogue, store, listed)


async def test_a_caller_who_may_not_list_tenants_learns_nothing_of_others(catalogue: Catalogue, store: Store) -> None:
    closed = frozenset({"auth_get_tenants"})
    rules = (build_rule("closed", "deny", tools=closed), build_rule("see", levels=frozenset({"read"})))
    approve = build_rule("delete", "approve", tools=frozenset({"auth_delete_tenant"}))
    policy = build_policy(*rules, approve)
    assert "This one has the id" not in await question(catalogue, store, tenants(t1=NAME, t2=NAME), policy)


ROLES = {"id": "u1", "tenant_id": "t1", "tenant_name": NAME, "email": "a@example.jp", "sign_in_id": "", "envs": []}
PLAN = {"id": "p1", "name": "basic", "display_name": "Basic", "pricing_menus": [], "used": False}
FEEDBACK = {"id": "f1", "feedback_title": "Dark mode", "comments": [], "count": 0, "users": []}
INVITATION = {"id": "i1", "email": "a@example.jp", "envs": [], "status": "pending", "expired_at": 1}


def twice(item: dict[str, Any], field: str = "id") -> list[dict[str, Any]]:
    return [item, {**item, field: "another"}]


@pytest.mark.parametrize(
    ("tool", "args", "answers", "kind", "name", "id_"),
    [
        (
            "auth_delete_tenant_user",
            {"tenant_id": "t1", "user_id": "u1"},
            {"auth.GetTenantUser": ROLES, "auth.GetTenant": {"id": "t1", "name": NAME}}
            | {"auth.GetTenants": tenants(t1=NAME, t2=NAME)},
            "tenant",
            NAME,
            "t1",
        ),
        (
            "pricing_delete_pricing_plan",
            {"plan_id": "p1"},
            {"pricing.GetPricingPlan": PLAN, "pricing.GetPricingPlans": {"pricing_plans": twice(PLAN)}},
            "plan",
            "Basic",
            "p1",
        ),
        (
            "auth_update_tenant_plan",
            {"tenant_id": "t1", "next_plan_id": "p1"},
            {"auth.GetTenant": {"id": "t1", "name": NAME}, "auth.GetTenants": tenants(t1=NAME)}
            | {"pricing.GetPricingPlan": PLAN, "pricing.GetPricingPlans": {"pricing_plans": twice(PLAN)}},
            "plan",
            "Basic",
            "p1",
        ),
        (
            "communication_delete_feedback",
            {"feedback_id": "f1"},
            {"communication.GetFeedback": FEEDBACK, "communication.GetFeedbacks": {"feedbacks": twice(FEEDBACK)}},
            "feedback",
            "Dark mode",
            "f1",
        ),
        (
            "auth_delete_tenant_attribute",
            {"attribute_name": "size"},
            {
                "auth.GetTenantAttributes": {
                    "tenant_attributes": twice(
                        {"attribute_name": "size", "display_name": "Size", "attribute_type": "number"}, "attribute_name"
                    )
                }
            },
            "tenant_attribute",
            "Size",
            "size",
        ),
        (
            "auth_delete_tenant_invitation",
            {"tenant_id": "t1", "invitation_id": "i1"},
            {"auth.GetTenantInvitation": INVITATION, "auth.GetTenantInvitations": {"invitations": twice(INVITATION)}},
            "invitation",
            "a@example.jp",
            "i1",
        ),
    ],
    ids=["the tenant of a member", "a plan", "the plan of a tenant", "feedback", "an attribute", "an invitation"],
)
async def test_a_question_says_which_of_several_items_with_one_name_is_meant(
    catalogue: Catalogue,
    store: Store,
    tool: str,
    args: dict[str, Any],
    answers: dict[str, Any],
    kind: str,
    name: str,
    id_: str,
) -> None:
    api = StubApi(catalogue, answers=answers)
    answer = await build_pipeline(api, store, PRESETS["strict"]).run(Call(tool, args, PRINCIPAL))
    assert isinstance(answer, ToolAnswer)
    said = one_of("question.namesakes", kind, name=Quoted(name), count=1, id=Quoted(id_, bare=True)).text("en")
    assert said in answer.text, answer.text


async def test_a_question_says_how_many_further_items_have_names_of_others(catalogue: Catalogue, store: Store) -> None:
    plans = [{**PLAN, "id": f"p{number}", "display_name": f"Plan {number}"} for number in range(7)]
    plans += [{**plan, "id": f"other {plan['id']}"} for plan in plans]
    menus = [{"id": f"m{number}", "name": f"m{number}", "display_name": "Menu"} for number in range(7)]
    api = StubApi(catalogue, answers={"pricing.GetPricingMenus": {"pricing_menus": menus}})
    args = {"name": "n", "display_name": "New", "description": "d", "menu_ids": [menu["id"] for menu in menus]}
    answer = await build_pipeline(api, store, PRESETS["strict"]).run(
        Call("pricing_create_pricing_plan", args, PRINCIPAL)
    )
    assert isinstance(answer, ToolAnswer)
    shown = [f"This one has the id m{number}" in answer.text for number in range(7)]
    assert shown == [True, True, True, False, False, False, False]
    assert message("question.more_namesakes", count=4).text("en") in answer.text
    assert "4 more items here" in answer.text
