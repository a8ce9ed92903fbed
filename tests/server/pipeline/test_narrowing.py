"""A narrowed caller: questions are not narrowed, and stored results are read under the narrowing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.undo import Undoer, plan_undo
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.pipeline import PLACE, PRINCIPAL, StubApi, build_pipeline


def narrowed(**given: Any) -> Principal:
    return replace(PRINCIPAL, narrowing=Narrowing(**given))


@pytest.mark.parametrize("tool", ["auth_delete_tenant_user", "auth_delete_saas_user"])
async def test_a_narrowing_hides_nothing_from_the_person_who_is_asked(
    catalogue: Catalogue, store: Store, tool: str
) -> None:
    api = StubApi(catalogue)
    behind, arguments = build_pipeline(api, store), complete_arguments(catalogue.find(tool))
    told, reads = list[str](), list[int]()
    for who in (PRINCIPAL, narrowed(tools=frozenset({tool})), narrowed(exclude=frozenset({"auth_get_saas_user"}))):
        before = len(api.sent)
        refused = await behind.run(Call(tool, arguments, who))
        assert isinstance(refused, ToolAnswer)
        assert refused.why == "approval"
        told.append(refused.text)
        reads.append(len(api.sent) - before)
    assert len({*told}) == 1
    assert min(reads) == max(reads) > 0


async def test_a_kept_answer_is_read_only_where_its_call_is_left(catalogue: Catalogue, store: Store) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    operation = catalogue.find("auth_get_tenants")
    kept = behind.results.store_result({"tenants": []}, PRINCIPAL.id, ResultOrigin.of_operation(operation, {}))
    surface, asking = ToolSurface(behind, "en"), {"id": kept, "expression": "@"}
    answers = [
        await surface.run(Call("select_from_result", asking, who))
        for who in (
            PRINCIPAL,
            narrowed(exclude=frozenset({"auth_get_tenants"})),
            narrowed(toolsets=frozenset({"roles"})),
        )
    ]
    assert [isinstance(each, ToolAnswer) and each.ok for each in answers] == [True, False, False]
    told = [record["refused"] for record in store.audit_log.list_records() if record["event"] == "refused"]
    assert told == ["narrowed"] * 2


async def test_no_policy_lifts_a_narrowing(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy())
    call = Call("auth_create_role", {"role_name": "r", "display_name": "R"}, narrowed(read_only=True))
    refused = await behind.run(call)
    assert isinstance(refused, ToolAnswer)
    assert (refused.why, api.sent) == ("narrowed", [])


@pytest.mark.parametrize("through", ["its own name", "call_read", "call_write", "call_destructive"])
async def test_an_excluded_tool_is_refused_as_excluded_before_other_faults(
    catalogue: Catalogue, store: Store, through: str
) -> None:
    surface, left_out = ToolSurface(build_pipeline(StubApi(catalogue), store), "en"), "auth_delete_tenant"
    who, wrong = narrowed(exclude=frozenset({left_out})), {"no_such_argument": 1}
    call = Call(left_out, wrong, who)
    if through != "its own name":
        call = Call(through, {"name": "auth.DeleteTenant", "arguments": wrong}, who)
    refused = await surface.run(call)
    assert isinstance(refused, ToolAnswer)
    assert "auth_delete_tenant is not allowed: this connection excludes it." in refused.text
    assert [record["refused"] for record in store.audit_log.list_records()] == ["narrowed"]


async def test_a_call_is_not_undone_where_it_is_left_out_itself(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store)
    made = await behind.run(Call("auth_create_role", {"role_name": "r", "display_name": "R"}, PRINCIPAL))
    assert not isinstance(made, PendingElicitation)
    assert made.ok, made.text
    [entry] = store.undo_log.list_entries()
    undoing = plan_undo(catalogue, entry, Undoer(PRINCIPAL), PLACE)
    sent = len(api.sent)
    for left_out in ("auth_create_role", undoing.steps[0].operation.tool):
        who = narrowed(exclude=frozenset({left_out}))
        refused = await behind.run(undoing.call_for(undoing.steps[0], {}, who))
        assert isinstance(refused, ToolAnswer)
        assert refused.why == "narrowed"
    assert len(api.sent) == sent


@pytest.mark.parametrize("kind", ["full", "compact"])
async def test_own_tools_are_as_many_as_the_names_that_can_be_excluded(
    catalogue: Catalogue, store: Store, kind: Any
) -> None:
    from saasus_mcp.server.surface.narrowing import HELPER_TOOLS  # noqa: PLC0415

    surface = ToolSurface(build_pipeline(StubApi(catalogue), store), "en", kind)
    own = set(surface._builtin)
    assert own == HELPER_TOOLS - {"job_run", "job_status", "job_control"}
