"""Read and select in one call: the full answer is selected from, and only a read can be called."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.compact_surface import BY_ERA, list_names
from tests.support.gate import reply_text
from tests.support.pipeline import Era, StubApi, build_pipeline, connect_client
from tests.support.policies import build_policy, build_rule, replace_policy

USERS = {"users": [{"id": f"user-{n}", "email": f"user{n}@example.com"} for n in range(3_000)]}
SURFACES = pytest.mark.parametrize(("kind", "tool"), [("full", "read_and_select"), ("compact", "call_read")])


def behind(catalogue: Catalogue, store: Store, **given: Any) -> tuple[StubApi, Any]:
    api = StubApi(catalogue)
    api.answers["auth.GetSaasUsers"] = USERS
    return api, build_pipeline(api, store, **given)


@BY_ERA
@SURFACES
async def test_the_whole_answer_is_picked_from_before_it_is_cut(
    catalogue: Catalogue, store: Store, era: Era, kind: Any, tool: str
) -> None:
    _, one = behind(catalogue, store)
    async with connect_client(one, era, kind=kind) as client:
        assert tool in await list_names(client)
        given = {"name": "auth_get_saas_users", "select": "users[?id=='user-2999'].email"}
        result = await client.call_tool(tool, given)
        assert result.structured_content == {"result": ["user2999@example.com"]}
        assert json.loads(reply_text(result).splitlines()[0]) == result.structured_content
        counted = await client.call_tool(tool, {**given, "select": "length(users)", "arguments": {}})
        assert counted.structured_content == {"result": 3_000}
    assert one.results.list_results("local:tester") == []


@BY_ERA
@SURFACES
async def test_a_selection_is_truncated_and_kept_like_any_answer(
    catalogue: Catalogue, store: Store, era: Era, kind: Any, tool: str
) -> None:
    _, one = behind(catalogue, store)
    async with connect_client(one, era, kind=kind) as client:
        result = await client.call_tool(tool, {"name": "auth_get_saas_users", "select": "users[].email"})
        assert "Truncated." in reply_text(result)
        (kept,) = one.results.list_results("local:tester")
        assert kept.operation == "auth.GetSaasUsers"
        again = await client.call_tool("select_from_result", {"id": kept.id, "expression": "length(result)"})
        assert again.structured_content == {"result": 3_000}


@SURFACES
async def test_a_selection_that_outgrows_its_answer_is_kept_with_the_arguments(
    catalogue: Catalogue, store: Store, kind: Any, tool: str
) -> None:
    api = StubApi(catalogue)
    api.answers["auth.GetTenantUsers"] = {"users": [{"id": f"user-{n}", "email": "x" * 20} for n in range(300)]}
    one = build_pipeline(api, store)
    arguments = {"tenant_id": "t-1"}
    async with connect_client(one, "2026-07-28", kind=kind) as client:
        whole = await client.call_tool(tool, {"name": "auth_get_tenant_users", "arguments": arguments, "select": "@"})
        assert "Truncated." not in reply_text(whole)
        given = {"name": "auth_get_tenant_users", "arguments": arguments, "select": "[users, users, users]"}
        assert "Truncated." in reply_text(await client.call_tool(tool, given))
        (kept,) = one.results.list_results("local:tester")
        query = {"id": kept.id, "expression": "length(result)"}
        read = await client.call_tool("select_from_result", query)
        assert read.structured_content == {"result": 3}
        denied = build_rule("one", "deny", when='args.tenant_id == "t-1"')
        replace_policy(one, build_policy(build_rule("look"), denied))
        refused = await client.call_tool("select_from_result", query)
        assert refused.is_error
        replace_policy(one, build_policy(build_rule("look"), replace(denied, when='args.tenant_id == "t-2"')))
        assert not (await client.call_tool("select_from_result", query)).is_error


WRONG = {
    "no JMESPath": "users[?",
    "a function that does not exist": "lenght(users)",
    "a function deep inside that does not exist": "users[?a.b[*].c == nope(@)] | [0]",
    "too many arguments": "length(users, users)",
    "too few arguments": "contains(users)",
    "too long": "users" + "[]" * 500,
    "a number that JSON cannot carry": "`1e999`",
}


@BY_ERA
@SURFACES
@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_expression_is_reported_before_the_api_is_called(
    catalogue: Catalogue, store: Store, era: Era, kind: Any, tool: str, case: str
) -> None:
    api, one = behind(catalogue, store)
    async with connect_client(one, era, kind=kind) as client:
        result = await client.call_tool(tool, {"name": "auth_get_saas_users", "select": WRONG[case]})
    assert result.is_error
    assert reply_text(result).startswith("select: "), reply_text(result)
    assert api.sent == []
    (refused,) = [record for record in store.audit_log.list_records() if record["event"] == "refused"]
    assert refused["field"] == "select"


@SURFACES
@pytest.mark.parametrize(
    "expression",
    [
        "users[0:2]",
        "users[::-1] | [0]",
        "sort_by(users, &id)[0].{a: id, b: not_null(x, email)}",
        "merge(users[0], `{}`)",
    ],
)
async def test_a_right_expression_of_any_kind_is_evaluated(
    catalogue: Catalogue, store: Store, kind: Any, tool: str, expression: str
) -> None:
    _, one = behind(catalogue, store)
    async with connect_client(one, "2026-07-28", kind=kind) as client:
        result = await client.call_tool(tool, {"name": "auth_get_saas_users", "select": expression})
    assert not result.is_error, reply_text(result)


@SURFACES
async def test_an_expression_that_does_not_fit_or_costs_too_much_names_its_argument(
    catalogue: Catalogue, store: Store, kind: Any, tool: str
) -> None:
    _, one = behind(catalogue, store)
    doubling = "users" + " | [@, @][]" * 20
    async with connect_client(one, "2026-07-28", kind=kind) as client:
        for expression in ("abs(users)", doubling):
            result = await client.call_tool(tool, {"name": "auth_get_saas_users", "select": expression})
            assert result.is_error
            assert reply_text(result).startswith("select: "), reply_text(result)


@BY_ERA
@SURFACES
async def test_only_reads_are_made_so(catalogue: Catalogue, store: Store, era: Era, kind: Any, tool: str) -> None:
    api, one = behind(catalogue, store)
    async with connect_client(one, era, kind=kind) as client:
        for operation in catalogue:
            if not operation.reads:
                given = {"name": operation.tool, "arguments": complete_arguments(operation), "select": "@"}
                result = await client.call_tool(tool, given)
                assert result.is_error, operation.key
                assert f"is {operation.level}" in reply_text(result)
        for name in ("read_and_select", "call_read", "select_from_result", "no_such_tool"):
            assert (await client.call_tool(tool, {"name": name, "select": "@"})).is_error
    assert api.sent == []


async def test_a_failure_and_a_secret_are_what_they_are_without_a_selection(catalogue: Catalogue, store: Store) -> None:
    _, one = behind(catalogue, store)
    operation = next(each for each in catalogue if each.level == "read_sensitive" and each.secret_outputs)
    async with connect_client(one, "2026-07-28") as client:
        picked = await client.call_tool(
            "read_and_select", {"name": operation.tool, "arguments": complete_arguments(operation), "select": "@"}
        )
        assert "secret://r/" in reply_text(picked)
        missing = await client.call_tool("read_and_select", {"name": "auth_get_tenant", "select": "id"})
        assert reply_text(missing).startswith("tenant_id: required, but missing.")


async def test_a_read_that_the_policy_denies_is_denied_with_a_selection(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    policy = PRESETS["read-only"]
    denied = next(each for each in catalogue if not each.reads)
    async with connect_client(build_pipeline(api, store, policy), "2026-07-28") as client:
        assert "read_and_select" in await list_names(client)
        result = await client.call_tool(
            "read_and_select", {"name": denied.tool, "arguments": complete_arguments(denied), "select": "@"}
        )
        assert result.is_error
    assert api.sent == []


@SURFACES
async def test_the_selection_is_named_where_operations_are_searched_and_described(
    catalogue: Catalogue, store: Store, kind: Any, tool: str
) -> None:
    _, one = behind(catalogue, store)
    async with connect_client(one, "legacy", kind=kind) as client:
        found = await client.call_tool("search_operations", {"query": "list tenants"})
        described = await client.call_tool("describe_operation", {"name": "auth_get_tenants"})
        writing = await client.call_tool("describe_operation", {"name": "auth_create_tenant"})
        assert found.structured_content is not None
        assert "select" in found.structured_content["hint"]
        assert described.structured_content is not None
        assert tool in described.structured_content["select"]
        assert writing.structured_content is not None
        assert "select" not in writing.structured_content
        assert "JMESPath" in (client.instructions or "") or "select" in (client.instructions or "")
