"""The question about a tenant whose name others have states the id."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.policies import build_policy, build_rule

NAME = "Acme"


def tenants(**names: str) -> dict[str, Any]:
    return {"tenants": [{"id": identifier, "name": name} for identifier, name in names.items()]}


async def question(catalogue: Catalogue, store: Store, listed: Any, policy: Policy = PRESETS["guarded"]) -> str:
    api = StubApi(catalogue, answers={"auth.GetTenant": {"id": "t1", "name": NAME}, "auth.GetTenants": listed})
    answer = await build_pipeline(api, store, policy).run(Call("auth_delete_tenant", {"tenant_id": "t1"}, PRINCIPAL))
    assert isinstance(answer, ToolAnswer)
    assert "saasus-mcp approve" in answer.text
    return answer.text


def warning(count: int) -> str:
    return message("question.namesakes", name=Quoted(NAME), count=count, id="t1").text("en")


@pytest.mark.parametrize(
    ("listed", "count"),
    [
        (tenants(t1=NAME, t2=NAME), 1),
        (tenants(t1=NAME, t2="ＡＣＭＥ", t3=" acme\u200b", t4="Acme Ltd"), 2),
    ],
    ids=["the same", "in other forms"],
)
async def test_a_question_says_which_of_several_tenants_with_one_name_is_meant(
    catalogue: Catalogue, store: Store, listed: Any, count: int
) -> None:
    assert warning(count) in await question(catalogue, store, listed)


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
