"""The compact surface and the toolsets through the SDK's own client: they change the list and no decision."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS, TOOLSETS
from saasus_mcp.store.store import Store
from tests.support.compact_surface import (
    BUILT_IN_TOOLS,
    BY_ERA,
    COMPACT_TOOLS,
    FULL_SURFACE_TOOLS,
    compact_call,
    list_names,
    search_names,
)
from tests.support.gate import APPROVAL_CODE, reply_text, run_over_operations, start_session
from tests.support.pipeline import Era, StubApi, accept_question, build_pipeline, connect_client, operation_tools
from tests.support.policies import build_policy as of_rules
from tests.support.policies import build_rule

# -- what is listed --------------------------------------------------------------------------------------------------


@BY_ERA
async def test_the_compact_surface_lists_its_five_tools_and_those_of_every_surface_and_a_toolset_beside_them_in_full(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    async with connect_client(behind, era, kind="compact") as client:
        assert await list_names(client) == COMPACT_TOOLS + BUILT_IN_TOOLS
    async with connect_client(behind, era, kind="compact", toolsets=frozenset({"tenants", "logs"})) as client:
        listed = await list_names(client)
    own = [operation.tool for operation in catalogue if operation.toolset in ("tenants", "logs")]
    assert listed == COMPACT_TOOLS + BUILT_IN_TOOLS + own
    assert len(own) == 7


@BY_ERA
async def test_toolsets_alone_list_their_operations_and_the_tools_of_every_surface(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    seen: list[str] = []
    for name in TOOLSETS.keys() - {"jobs"}:
        async with connect_client(behind, era, toolsets=frozenset({name})) as client:
            tools = (await client.list_tools()).tools
        operations = operation_tools(tools)
        assert {catalogue.find(tool.name).toolset for tool in operations} == {name}
        assert [tool.name for tool in tools if tool not in operations] == FULL_SURFACE_TOOLS
        assert len(tools) < 40
        seen += [tool.name for tool in operations]
    assert sorted(seen) == sorted(operation.tool for operation in catalogue)
    assert len(TOOLSETS) == 16


@BY_ERA
async def test_a_toolset_lists_only_what_the_policy_could_allow(catalogue: Catalogue, store: Store, era: Era) -> None:
    behind = build_pipeline(StubApi(catalogue), store, PRESETS["read-only"])
    async with connect_client(behind, era, toolsets=frozenset({"tenants"})) as client:
        assert await list_names(client) == [*FULL_SURFACE_TOOLS, "auth_get_tenants", "auth_get_tenant"]


@BY_ERA
async def test_a_calling_tool_is_listed_where_it_could_run_something(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    behind = build_pipeline(StubApi(catalogue), store, PRESETS["read-only"])
    async with connect_client(behind, era, kind="compact") as client:
        assert await list_names(client) == [*COMPACT_TOOLS[:3], *BUILT_IN_TOOLS]
        assert "is not allowed" in reply_text(await client.call_tool(*compact_call(catalogue.find("auth_create_role"))))


@BY_ERA
async def test_our_own_tools_say_truly_what_they_may_do(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, language="ja", kind="compact") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    hints = {name: tool.annotations.model_dump(by_alias=True) for name, tool in tools.items() if tool.annotations}
    for name in (*COMPACT_TOOLS[:2], *BUILT_IN_TOOLS, "call_read"):
        assert (hints[name]["readOnlyHint"], hints[name]["destructiveHint"]) == (True, False), name
    for name in ("call_write", "call_destructive"):
        assert (hints[name]["readOnlyHint"], hints[name]["destructiveHint"]) == (False, True), name
        assert hints[name]["idempotentHint"] is False
    assert all(tool.title and not tool.title.isascii() for tool in tools.values())
    assert all(tool.output_schema is None for name, tool in tools.items() if name in CALL_TOOL_LEVELS)


@BY_ERA
async def test_a_tool_that_is_not_listed_is_decided_like_one_that_is(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store), era, kind="compact") as client:
        assert not (await client.call_tool("auth_get_tenants", {})).is_error
        assert "saasus-mcp approve" in reply_text(await client.call_tool("auth_delete_tenant", {"tenant_id": "t"}))
    async with connect_client(
        build_pipeline(api, store, PRESETS["read-only"]), era, toolsets=frozenset({"logs"})
    ) as client:
        assert "is not allowed" in reply_text(await client.call_tool("auth_delete_tenant", {"tenant_id": "t"}))
        assert (await client.call_tool("search_operations", {"query": "tenant"})).structured_content
    assert api.writes == []


# -- finding and describing ------------------------------------------------------------------------------------------


@BY_ERA
async def test_search_answers_in_both_languages_best_first_with_what_a_call_takes(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, language="ja", kind="compact") as client:
        schema = {tool.name: tool for tool in (await client.list_tools()).tools}["search_operations"].output_schema
        for query in ("delete a tenant", "テナントを削除したい"):
            result = await client.call_tool("search_operations", {"query": query, "limit": 3})
            jsonschema.validate(result.structured_content, schema or {})
            assert json.loads(reply_text(result).split("\n")[0]) == result.structured_content
            first, *rest = (result.structured_content or {})["operations"]
            assert len(rest) == 2
            assert first == {
                "name": "auth_delete_tenant",
                "title": "テナントの削除",
                "level": "critical",
                "line": catalogue.find("auth_delete_tenant").terse,
                "required": ["tenant_id"],
            }
        assert len(await search_names(client, "user")) == 8
        result = await client.call_tool("search_operations", {"query": "qqqq zzzz"})
        assert (result.structured_content or {})["operations"] == []
        assert "Try other English or Japanese words" in reply_text(result)


@BY_ERA
async def test_a_forbidden_tool_is_neither_found_nor_described_and_refused_alike(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store, PRESETS["read-only"]), era, kind="compact") as client:
        for query in ("delete a tenant", "auth_delete_tenant", "auth.DeleteTenant", "プランを変更"):
            keys = await search_names(client, query, limit=50)
            assert keys
            assert all(catalogue.find(key).reads for key in keys), query
        hidden = reply_text(await client.call_tool("describe_operation", {"name": "auth_delete_tenant"}))
        missing = reply_text(await client.call_tool("describe_operation", {"name": "auth_delete_tenantt"}))
        assert hidden.startswith("name: there is no operation 'auth_delete_tenant'.")
        assert missing.startswith("name: there is no operation 'auth_delete_tenantt'.")
        assert "delete" not in hidden.removeprefix("name: there is no operation 'auth_delete_tenant'")
        name, given = compact_call(catalogue.find("auth_delete_tenant"))
        assert reply_text(await client.call_tool(name, given)) == reply_text(
            await client.call_tool("auth_delete_tenant", given["arguments"])
        )
    assert api.sent == []


@BY_ERA
async def test_a_description_holds_the_decision_the_caller_would_get(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    rules = of_rules(
        build_rule("all-reads", levels=("read",), tools=()),
        build_rule("off-board", "approve", tools=("auth_delete_tenant",), who=("local:boss",), reason="a second look"),
        build_rule("small-ones", "confirm", tools=("auth_update_tenant",), when="args.name != 'x'"),
    )
    speaker = [Principal("local:boss")]
    behind = build_pipeline(StubApi(catalogue), store, rules)
    async with connect_client(behind, era, who=lambda _: speaker[0], kind="compact") as client:

        async def described(name: str) -> dict[str, Any]:
            result = await client.call_tool("describe_operation", {"name": name})
            return result.structured_content or {"is_error": result.is_error}

        boss = await described("auth.DeleteTenant")
        assert (boss["decision"], boss["rule"], boss["reason"]) == ("approve", "off-board", "a second look")
        assert boss["call"] == "call_destructive"
        assert boss["preview"]["typed"] == "the target's name"
        assert "Users of the tenant" in boss["preview"]["shows"]
        assert boss["effects"]["reversibility"] == "irreversible"
        depends = await described("auth_update_tenant")
        assert (depends["decision"], depends["rules"]) == ("depends on the call", ["small-ones"])
        reads = await described("auth_get_tenant")
        assert (reads["decision"], "preview" in reads) == ("allow", False)
        speaker[0] = Principal("local:clerk")
        assert await described("auth.DeleteTenant") == {"is_error": True}
        assert "auth.DeleteTenant" not in await search_names(client, "delete tenant", limit=50)


@pytest.mark.slow
async def test_every_example_in_a_description_is_a_call_that_goes(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question, kind="compact") as stage:

        async def attempt(operation: Operation) -> None:
            described = await stage.client.call_tool("describe_operation", {"name": operation.key})
            whole = described.structured_content or {}
            assert whole["inputSchema"] == operation.input_schema
            assert whole.get("fields", {}) == operation.input_texts
            result = await stage.client.call_tool(whole["call"], whole["example"])
            if operation.level != "critical" and not stage.fully_shown(result):
                result = await stage.client.call_tool(whole["call"], whole["example"])
            if re.search(
                r"There is no .* lists them|There is no plan with this id|Not found: |does not hold", reply_text(result)
            ):
                assert "<" in json.dumps(whole["example"]), (
                    "only what stands for an id of the caller's may not be there"
                )
            elif operation.level != "critical":
                assert not result.is_error, reply_text(result)
                assert len(stage.api.to(operation)) >= 1 or "Nothing would change" in reply_text(result)
            else:
                assert APPROVAL_CODE.search(reply_text(result)), reply_text(result)

        assert await run_over_operations(stage, catalogue, attempt) == {}
