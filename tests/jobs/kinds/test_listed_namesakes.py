"""The question of a list of calls states the ids of tenants and plans whose names others have, in the list or not."""

from __future__ import annotations

from typing import Any

from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.stored_question import load_question
from saasus_mcp.sandbox.state import uid
from tests.support.job_data import add_tenants, sandbox_state
from tests.support.job_server import JobServer


def rename(on: JobServer, tenant: str, name: str) -> None:
    state = sandbox_state(on.sandbox)
    state.put("tenants", (tenant,), {**state.rows("tenants")[0], "id": tenant, "name": name})


async def asked(on: JobServer, tenants: list[str]) -> dict[str, str]:
    """Return the question about a change of plans, in both languages."""
    calls: list[dict[str, Any]] = [
        {
            "tool": "auth_update_tenant_plan",
            "arguments": {"tenant_id": each, "next_plan_id": "starter"},
        }
        for each in tenants
    ]
    answer = await on.call("job_run_plan", {"calls": calls})
    assert "saasus-mcp approve" in answer.text, answer.text
    question = load_question(on.pipeline.store.list_approvals(on.pipeline.clock())[0])
    assert question is not None
    return {"en": render_dialog(question, Reader.of("en")), "ja": render_dialog(question, Reader.of("ja"))}


async def test_each_row_states_the_id_of_a_tenant_whose_name_one_outside_of_the_list_has(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 4)
    rename(on, tenants[3], "ＴＥＳＴ 2")
    listed = tenants[:3]
    shown = await asked(on, listed)
    said = [f"This one has the id {each}" in shown["en"] for each in listed]
    assert said == [False, True, False]
    assert f"対象のIDは{listed[1]}です" in shown["ja"]
    assert "1 call names an item whose name others have too." in shown["en"]
    assert "同じ名前のものがほかにも存在します" in shown["ja"]


async def test_a_list_reads_the_tenants_once_for_all_rows(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 12)
    shown = await asked(on, tenants)
    assert "whose name others have" not in shown["en"]
    assert on.count_requests("auth.GetTenants") <= 2, "for the names of plans and tenants, and for those of others"


async def test_a_plan_whose_name_another_one_has_is_stated_once_for_all_rows(on: JobServer) -> None:
    state = sandbox_state(on.sandbox)
    starter = state.get("pricing_plans", uid("plan", "starter"))
    state.put("pricing_plans", ("another",), {**starter, "id": "another", "name": "other"})
    shown = await asked(on, add_tenants(on.sandbox, 3))
    assert shown["en"].count(f"This one has the id {starter['id']}") == 1
    assert "3 calls name items whose names others have too." in shown["en"]
