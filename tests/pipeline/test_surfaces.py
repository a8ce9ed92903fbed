"""The compact surface and the toolsets through the SDK's own client: less is listed, and nothing is decided otherwise."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from mcp import Client as McpClient
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.search import Index
from saasus_mcp.permissions.policy import PRESETS, Principal
from saasus_mcp.saasus.arguments import check
from saasus_mcp.saasus.request import build
from saasus_mcp.server.compact import CALLS, caller
from saasus_mcp.server.toolsets import TOOLSETS
from saasus_mcp.store import Store
from tests.calls import complete
from tests.pipeline.attacks import CODE, Person, Scene, expected_name, over, question, scene, text, typing, wanted_name
from tests.policies import policy as of_rules
from tests.policies import rule
from tests.support import ERAS, Era, StubApi, connected, of_operations, pipeline, saying_yes

BY_ERA = pytest.mark.parametrize("era", ERAS)
COMPACT = ["search_operations", "describe_operation", *CALLS]
ALWAYS = ["time_now", "time_convert", "select_from_result"]
PERSON = "local:person-in-a-terminal"


def through(operation: Operation, arguments: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The call of an operation as a client of the compact surface makes it."""
    given = complete(operation) if arguments is None else arguments
    return caller(operation), {"name": operation.tool, "arguments": given}


async def names(client: McpClient) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def found(client: McpClient, query: str, **given: Any) -> list[str]:
    result = await client.call_tool("search_operations", {"query": query, **given})
    assert result.structured_content is not None, text(result)
    return [each["operation"] for each in result.structured_content["operations"]]


# -- what is listed --------------------------------------------------------------------------------------------------


@BY_ERA
async def test_the_compact_surface_lists_its_five_tools_and_those_of_every_surface_and_a_toolset_beside_them_in_full(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    behind = pipeline(StubApi(catalogue), store)
    async with connected(behind, era, kind="compact") as client:
        assert await names(client) == COMPACT + ALWAYS
    async with connected(behind, era, kind="compact", toolsets=frozenset({"tenants", "logs"})) as client:
        listed = await names(client)
    own = [operation.tool for operation in catalogue if operation.toolset in ("tenants", "logs")]
    assert listed == COMPACT + ALWAYS + own
    assert len(own) == 7


@BY_ERA
async def test_toolsets_alone_list_their_operations_and_the_tools_of_every_surface(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    behind = pipeline(StubApi(catalogue), store)
    seen: list[str] = []
    for name in TOOLSETS.keys() - {"jobs"}:
        async with connected(behind, era, toolsets=frozenset({name})) as client:
            tools = (await client.list_tools()).tools
        operations = of_operations(tools)
        assert {catalogue.find(tool.name).toolset for tool in operations} == {name}
        assert [tool.name for tool in tools if tool not in operations] == ALWAYS
        assert len(tools) < 40
        seen += [tool.name for tool in operations]
    assert sorted(seen) == sorted(operation.tool for operation in catalogue)
    assert len(TOOLSETS) == 16


@BY_ERA
async def test_a_toolset_lists_only_what_the_policy_could_allow(catalogue: Catalogue, store: Store, era: Era) -> None:
    behind = pipeline(StubApi(catalogue), store, PRESETS["read-only"])
    async with connected(behind, era, toolsets=frozenset({"tenants"})) as client:
        assert await names(client) == [*ALWAYS, "auth_get_tenants", "auth_get_tenant"]


@BY_ERA
async def test_a_calling_tool_is_listed_where_it_could_run_something(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    behind = pipeline(StubApi(catalogue), store, PRESETS["read-only"])
    async with connected(behind, era, kind="compact") as client:
        assert await names(client) == [*COMPACT[:3], *ALWAYS]
        assert "is not allowed" in text(await client.call_tool(*through(catalogue.find("auth_create_role"))))


@BY_ERA
async def test_our_own_tools_say_truly_what_they_may_do(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connected(pipeline(StubApi(catalogue), store), era, language="ja", kind="compact") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    hints = {name: tool.annotations.model_dump(by_alias=True) for name, tool in tools.items() if tool.annotations}
    for name in (*COMPACT[:2], *ALWAYS, "call_read"):
        assert (hints[name]["readOnlyHint"], hints[name]["destructiveHint"]) == (True, False), name
    for name in ("call_write", "call_destructive"):
        assert (hints[name]["readOnlyHint"], hints[name]["destructiveHint"]) == (False, True), name
        assert hints[name]["idempotentHint"] is False
    assert all(tool.title and not tool.title.isascii() for tool in tools.values())
    assert all(tool.output_schema is None for name, tool in tools.items() if name in CALLS)


@BY_ERA
async def test_a_tool_that_is_not_listed_is_decided_like_one_that_is(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue)
    async with connected(pipeline(api, store), era, kind="compact") as client:
        assert not (await client.call_tool("auth_get_tenants", {})).is_error
        assert "saasus-mcp approve" in text(await client.call_tool("auth_delete_tenant", {"tenant_id": "t"}))
    async with connected(pipeline(api, store, PRESETS["read-only"]), era, toolsets=frozenset({"logs"})) as client:
        assert "is not allowed" in text(await client.call_tool("auth_delete_tenant", {"tenant_id": "t"}))
        assert (await client.call_tool("search_operations", {"query": "tenant"})).structured_content
    assert api.writes == []


# -- finding and describing ------------------------------------------------------------------------------------------


@BY_ERA
async def test_search_answers_in_both_languages_best_first_with_what_a_call_takes(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connected(pipeline(StubApi(catalogue), store), era, language="ja", kind="compact") as client:
        schema = {tool.name: tool for tool in (await client.list_tools()).tools}["search_operations"].output_schema
        for query in ("delete a tenant", "テナントを削除したい"):
            result = await client.call_tool("search_operations", {"query": query, "limit": 3})
            jsonschema.validate(result.structured_content, schema or {})
            assert json.loads(text(result).split("\n")[0]) == result.structured_content
            first, *rest = (result.structured_content or {})["operations"]
            assert len(rest) == 2
            assert first == {
                "name": "auth_delete_tenant",
                "operation": "auth.DeleteTenant",
                "title": "テナントの削除",
                "level": "critical",
                "line": catalogue.find("auth_delete_tenant").terse,
                "required": ["tenant_id"],
            }
        assert len(await found(client, "user")) == 8
        result = await client.call_tool("search_operations", {"query": "qqqq zzzz"})
        assert (result.structured_content or {})["operations"] == []
        assert "other words" in text(result)


@BY_ERA
async def test_what_the_caller_is_never_allowed_is_neither_found_nor_described_and_refused_alike(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue)
    async with connected(pipeline(api, store, PRESETS["read-only"]), era, kind="compact") as client:
        for query in ("delete a tenant", "auth_delete_tenant", "auth.DeleteTenant", "プランを変更"):
            keys = await found(client, query, limit=50)
            assert keys
            assert all(catalogue.find(key).reads for key in keys), query
        hidden = text(await client.call_tool("describe_operation", {"name": "auth_delete_tenant"}))
        missing = text(await client.call_tool("describe_operation", {"name": "auth_delete_tenantt"}))
        assert hidden.startswith("name: there is no operation 'auth_delete_tenant'.")
        assert missing.startswith("name: there is no operation 'auth_delete_tenantt'.")
        assert "delete" not in hidden.removeprefix("name: there is no operation 'auth_delete_tenant'")
        name, given = through(catalogue.find("auth_delete_tenant"))
        assert text(await client.call_tool(name, given)) == text(
            await client.call_tool("auth_delete_tenant", given["arguments"])
        )
    assert api.sent == []


@BY_ERA
async def test_a_description_holds_the_decision_the_caller_would_get(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    rules = of_rules(
        rule("all-reads", levels=("read",), tools=()),
        rule("off-board", "approve", tools=("auth_delete_tenant",), who=("local:boss",), reason="a second look"),
        rule("small-ones", "confirm", tools=("auth_update_tenant",), when="args.name != 'x'"),
    )
    speaker = [Principal("local:boss")]
    behind = pipeline(StubApi(catalogue), store, rules)
    async with connected(behind, era, who=lambda _: speaker[0], kind="compact") as client:

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
        assert "auth.DeleteTenant" not in await found(client, "delete tenant", limit=50)


async def test_every_example_in_a_description_is_a_call_that_goes(catalogue: Catalogue) -> None:
    async with scene(catalogue, "2026-07-28", saying_yes, kind="compact") as stage:

        async def attempt(operation: Operation) -> None:
            described = await stage.client.call_tool("describe_operation", {"name": operation.key})
            whole = described.structured_content or {}
            assert whole["inputSchema"] == operation.input_schema
            assert whole.get("fields", {}) == operation.input_texts
            result = await stage.client.call_tool(whole["call"], whole["example"])
            if operation.level != "critical":
                assert not result.is_error, text(result)
                assert len(stage.api.to(operation)) >= 1
            else:
                assert CODE.search(text(result)), text(result)

        assert await over(stage, catalogue, attempt) == {}


# -- calling ---------------------------------------------------------------------------------------------------------


@BY_ERA
async def test_every_operation_goes_through_its_calling_tool_as_through_its_own(catalogue: Catalogue, era: Era) -> None:
    async with scene(catalogue, era, saying_yes, kind="compact") as stage:

        async def attempt(operation: Operation) -> None:
            await approved(stage, operation) if operation.level == "critical" else None
            result = await stage.client.call_tool(*through(operation))
            assert not result.is_error, text(result)
            wanted = build(operation, check(operation, complete(operation)))
            sent = stage.api.to(operation)[-1]
            assert (sent.method, sent.url.raw_path.decode()) == (wanted.method, wanted.target)
            assert sent.content == (wanted.body or b"")
            assert len(stage.api.writes) == (not operation.reads)
            assert result.structured_content is not None
            jsonschema.validate(result.structured_content, operation.output_schema)

        assert await over(stage, catalogue, attempt) == {}
        begun = [record for record in stage.store.audited() if record["event"] == "begun" and "parent" not in record]
    assert [record["operation"] for record in begun] == [operation.key for operation in catalogue]
    proofs = {record["operation"] for record in begun if "proof" in record}
    assert proofs == {one.key for one in catalogue if one.level not in ("read", "read_sensitive", "write")}


async def approved(stage: Scene, operation: Operation) -> None:
    """Ask for the call, and have it approved by typing the name."""
    result = await stage.client.call_tool(*through(operation))
    assert result.is_error
    approval = stage.pending(result)
    assert approval.name == expected_name(stage.api.catalogue, operation)
    stage.approvals.approve(approval, approval.name, PERSON, stage.clock())


@BY_ERA
async def test_each_calling_tool_refuses_the_other_classes_and_names_the_right_one(
    catalogue: Catalogue, era: Era
) -> None:
    person = Person(saying_yes)
    async with scene(catalogue, era, person, kind="compact") as stage:

        async def attack(operation: Operation) -> None:
            right, given = through(operation)
            for wrong in CALLS.keys() - {right}:
                result = await stage.client.call_tool(wrong, given)
                assert result.is_error
                assert f"is {operation.level}. Outcome: not_applied" in text(result)
                assert f"Use {right}." in text(result)
            assert stage.api.sent == []

        assert await over(stage, catalogue, attack) == {}
        refused = [record for record in stage.store.audited() if record["event"] == "refused"]
    assert [record["tool"] for record in refused] == [one.tool for one in catalogue for _ in range(2)]
    assert {record["field"] for record in refused} == {"name"}
    assert person.seen == []


async def test_a_question_and_its_answer_travel_through_the_calling_tool(catalogue: Catalogue) -> None:
    async with scene(catalogue, "2026-07-28", saying_yes, kind="compact") as stage:
        operation = catalogue.find("auth_delete_tenant_user")
        stage.speak_as("asker")
        name, given = through(operation)

        async def once(answer: types.ElicitResult | None = None, state: str | None = None, **other: Any) -> Any:
            return await stage.client.session.call_tool(
                name,
                given | other,
                input_responses=None if answer is None else {"confirm": answer},
                request_state=state,
                allow_input_required=True,
            )

        asked = await once()
        assert isinstance(asked, types.InputRequiredResult)
        yes, state = typing(wanted_name(question(asked))), asked.request_state
        assert (await once(yes)).is_error, "an answer that was never asked for"
        elsewhere = await once(yes, state, arguments={"tenant_id": "t-2", "user_id": "u-2"})
        assert not isinstance(elsewhere, types.CallToolResult) or elsewhere.is_error
        assert stage.api.writes == []
        assert not (await once(yes, state)).is_error
        assert len(stage.api.writes) == 1
        again = await once(yes, state)
        assert again.is_error
        assert len(stage.api.writes) == 1


@BY_ERA
@pytest.mark.parametrize("tool", CALLS)
async def test_an_unknown_operation_is_answered_with_the_nearest(
    catalogue: Catalogue, store: Store, era: Era, tool: str
) -> None:
    async with connected(pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        near = text(await client.call_tool(tool, {"name": "auth_delete_tennant"}))
        assert "Nearest: " in near
        assert "auth_delete_tenant" in near
        for own in ("", "qqqq-zzzz", "\u202e", "x" * 100_000):
            said = text(await client.call_tool(tool, {"name": own}))
            assert said.startswith("name: there is no operation ")
            assert len(said) < 1000
        assert "search_operations" in text(await client.call_tool(tool, {"name": "qqqq-zzzz"}))


@BY_ERA
async def test_a_mistaken_name_of_our_own_tools_is_answered_with_the_right_one(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connected(pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        for name, meant in {"search_operation": "search_operations", "time_converts": "time_convert"}.items():
            assert f"Nearest: {meant}" in text(await client.call_tool(name, {}))


HOSTILE: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown argument": ("search_operations", {"query": "x", "q": 1}, "q: search_operations has no such argument."),
    "no query": ("search_operations", {}, "query: it is required and missing."),
    "a query that is no text": ("search_operations", {"query": ["x"]}, "query: expected string, got a list."),
    "too small a limit": ("search_operations", {"query": "x", "limit": 0}, "limit: expected at least 1"),
    "too large a limit": ("search_operations", {"query": "x", "limit": 51}, "limit: expected at most 50"),
    "a query with NUL": ("search_operations", {"query": "a\0"}, "query: the text holds a NUL"),
    "arguments as text": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": "{}"},
        "arguments: expected object, got text of 2 characters.",
    ),
    "arguments beside the object": (
        "call_read",
        {"name": "auth_get_tenant", "tenant_id": "t"},
        "tenant_id: call_read has no such argument. Outcome: not_applied, nothing was changed. Accepted: name, arguments.",
    ),
    "an undeclared argument inside": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": {"tenant_id": "t", "x": 1}},
        "x: auth_get_tenant has no such argument.",
    ),
    "a missing argument inside": ("call_read", {"name": "auth_get_tenant"}, "tenant_id: it is required and missing."),
    "a value beyond 64 bits inside": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": {"tenant_id": 2**80}},
        "arguments.tenant_id: the number does not fit",
    ),
    "a handle where none belongs": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": {"tenant_id": "secret://r/abc"}},
        "tenant_id: a secret handle is not accepted here.",
    ),
    "a path that reaches elsewhere": (
        "call_destructive",
        {"name": "auth_delete_tenant_user", "arguments": {"tenant_id": "t", "user_id": ".."}},
        "user_id: ",
    ),
    "a calling tool in a calling tool": (
        "call_read",
        {"name": "call_read"},
        "name: there is no operation 'call_read'.",
    ),
    "something to the time": ("time_now", {"zone": "UTC"}, "zone: time_now has no such argument."),
}


@BY_ERA
@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_arguments_are_refused_by_field(catalogue: Catalogue, store: Store, era: Era, case: str) -> None:
    tool, given, said = HOSTILE[case]
    api = StubApi(catalogue)
    async with connected(pipeline(api, store), era, saying_yes, kind="compact") as client:
        result = await client.call_tool(tool, given)
    assert result.is_error
    assert text(result).startswith(said), text(result)
    assert api.sent == []


@BY_ERA
async def test_a_deep_or_long_query_is_searched_or_refused_and_soon_done(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"a": deep}
    async with connected(pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        for query in ("テナント" * 50_000, "tenant " * 50_000, "\ud7ff\u202e\u0301" * 10_000, " "):
            assert not (await client.call_tool("search_operations", {"query": query})).is_error
        result = await client.call_tool("call_read", {"name": "auth_get_tenants", "arguments": deep})
        assert "nested too deeply" in text(result)


@BY_ERA
async def test_a_defect_in_a_tool_of_our_own_tells_the_client_nothing(
    catalogue: Catalogue, store: Store, era: Era, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("an-inner-secret")

    monkeypatch.setattr(Index, "search", broken)
    async with connected(pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("search_operations", {"query": "tenant"})
    assert "an-inner-secret" not in caught.value.error.model_dump_json()
    assert "failed inside the server" in caplog.text


async def test_the_instructions_tell_of_the_compact_tools_only_where_they_are_listed(
    catalogue: Catalogue, store: Store
) -> None:
    behind = pipeline(StubApi(catalogue), store)
    async with connected(behind, "legacy", kind="compact") as client:
        assert all(name in (client.instructions or "") for name in COMPACT)
    async with connected(behind, "legacy") as client:
        assert "search_operations" not in (client.instructions or "")
