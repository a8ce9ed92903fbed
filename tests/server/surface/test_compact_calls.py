"""Calls through the compact surface: decided, confirmed and refused like direct calls."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.search import SearchIndex
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.request import build_request
from saasus_mcp.server.surface.toolsets import CALL_TOOL_LEVELS
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.compact_surface import APPROVER, BY_ERA, COMPACT_TOOLS, compact_call
from tests.support.gate import (
    GateSession,
    Person,
    expected_name,
    question_name,
    question_params,
    reply_text,
    run_over_operations,
    start_session,
    type_name,
)
from tests.support.pipeline import Era, StubApi, accept_question, build_pipeline, connect_client


@pytest.mark.slow
@BY_ERA
async def test_every_operation_goes_through_its_calling_tool_as_through_its_own(catalogue: Catalogue, era: Era) -> None:
    attempted = list[Operation]()
    async with start_session(catalogue, era, accept_question, kind="compact") as stage:

        async def attempt(operation: Operation) -> None:
            attempted.append(operation)
            await approved(stage, operation) if operation.level == "critical" else None
            result = await stage.client.call_tool(*compact_call(operation))
            if not stage.fully_shown(result):
                result = await stage.client.call_tool(*compact_call(operation))
            assert not result.is_error, reply_text(result)
            wanted = build_request(operation, check_arguments(operation, complete_arguments(operation)))
            sent = stage.api.to(operation)[-1]
            assert (sent.method, sent.url.raw_path.decode()) == (wanted.method, wanted.target)
            assert sent.content == (wanted.body or b"")
            assert len(stage.api.writes) == (not operation.reads)
            assert result.structured_content is not None
            jsonschema.validate(result.structured_content, operation.output_schema)

        assert await run_over_operations(stage, catalogue, attempt) == {}
        begun = [
            record
            for record in stage.store.audit_log.list_records()
            if record["event"] == "begun" and "parent" not in record
        ]
    assert sorted(record["operation"] for record in begun) == sorted(operation.key for operation in attempted)
    proofs = {record["operation"] for record in begun if "proof" in record}
    assert proofs == {one.key for one in attempted if one.level not in ("read", "read_sensitive", "write")}


async def approved(stage: GateSession, operation: Operation) -> None:
    """Request the call and approve it by typing the name."""
    result = await stage.client.call_tool(*compact_call(operation))
    assert result.is_error
    approval = stage.pending(result)
    assert approval.name == expected_name(stage.api.catalogue, operation)
    stage.approvals.approve(approval, approval.name, APPROVER, stage.clock())


@BY_ERA
async def test_each_calling_tool_refuses_the_other_classes_and_names_the_right_one(
    catalogue: Catalogue, era: Era
) -> None:
    person, attempted = Person(accept_question), list[Operation]()
    async with start_session(catalogue, era, person, kind="compact") as stage:

        async def attack(operation: Operation) -> None:
            attempted.append(operation)
            right, given = compact_call(operation)
            for wrong in CALL_TOOL_LEVELS.keys() - {right}:
                result = await stage.client.call_tool(wrong, given)
                assert result.is_error
                assert f"is {operation.level}. Outcome: not_applied" in reply_text(result)
                assert f"Use {right}." in reply_text(result)
            assert stage.api.sent == []

        assert await run_over_operations(stage, catalogue, attack) == {}
        refused = [record for record in stage.store.audit_log.list_records() if record["event"] == "refused"]
    assert [record["tool"] for record in refused] == [one.tool for one in attempted for _ in range(2)]
    assert {record["field"] for record in refused} == {"name"}
    assert person.seen == []


async def test_on_the_full_surface_a_call_that_does_not_read_is_named_as_its_own_tool(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "legacy", accept_question) as stage:
        given = {"name": "auth_delete_tenant", "arguments": {"tenant_id": "t"}, "select": "@"}
        result = await stage.client.call_tool("read_and_select", given)
        assert "Use auth_delete_tenant." in reply_text(result)
        assert stage.api.sent == []


async def test_a_question_and_its_answer_travel_through_the_calling_tool(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question, kind="compact") as stage:
        operation = catalogue.find("auth_delete_tenant_user")
        stage.switch_principal("asker")
        name, given = compact_call(operation)

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
        yes, state = type_name(question_name(question_params(asked))), asked.request_state
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
@pytest.mark.parametrize("tool", CALL_TOOL_LEVELS)
async def test_an_unknown_operation_is_answered_with_the_nearest(
    catalogue: Catalogue, store: Store, era: Era, tool: str
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        near = reply_text(await client.call_tool(tool, {"name": "auth_delete_tennant"}))
        assert "Nearest: " in near
        assert "auth_delete_tenant" in near
        for own in ("", "qqqq-zzzz", "\u202e", "x" * 100_000):
            said = reply_text(await client.call_tool(tool, {"name": own}))
            assert said.startswith("name: there is no operation ")
            assert len(said) < 1000
        assert "search_operations" in reply_text(await client.call_tool(tool, {"name": "qqqq-zzzz"}))


@BY_ERA
async def test_a_mistaken_name_of_our_own_tools_is_answered_with_the_right_one(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        for name, meant in {"search_operation": "search_operations", "time_converts": "time_convert"}.items():
            assert f"Nearest: {meant}" in reply_text(await client.call_tool(name, {}))


@pytest.mark.parametrize(
    ("query", "command"),
    [
        ("undo my last change", "undo"),
        ("さっきの変更を取り消して", "undo"),
        ("承認待ちを見る", "approvals"),
        ("Who changed this tenant?", "audit search"),
        ("書き込みを止めたい", "freeze"),
    ],
)
async def test_a_search_for_what_only_a_person_does_names_the_command(
    catalogue: Catalogue, store: Store, query: str, command: str
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), "2026-07-28", kind="compact") as client:
        assert f"saasus-mcp {command}`" in reply_text(await client.call_tool("search_operations", {"query": query}))
        named = reply_text(await client.call_tool("search_operations", {"query": "招待を取り消す"}))
    assert "saasus-mcp" not in named


HOSTILE: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown argument": ("search_operations", {"query": "x", "q": 1}, "q: search_operations has no such argument."),
    "no query": ("search_operations", {}, "query: required, but missing."),
    "a query that is no text": ("search_operations", {"query": ["x"]}, "query: expected string, got a list."),
    "too small a limit": ("search_operations", {"query": "x", "limit": 0}, "limit: expected at least 1"),
    "too large a limit": ("search_operations", {"query": "x", "limit": 51}, "limit: expected at most 50"),
    "a query with NUL": ("search_operations", {"query": "a\0"}, "query: the text contains a NUL"),
    "arguments as text that is no JSON": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": "{tenant_id: t}"},
        "arguments: expected object, got text of 14 characters. Outcome: not_applied, nothing was changed. Send the object",
    ),
    "arguments as text with a field twice": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": '{"tenant_id": "t", "tenant_id": "u"}'},
        "arguments: its JSON text contains a field twice.",
    ),
    "a handle where none belongs, in text": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": '{"tenant_id": "secret://r/abc"}'},
        "tenant_id: a secret handle is not accepted here.",
    ),
    "a selection that is no JMESPath": (
        "call_read",
        {"name": "auth_get_tenants", "select": "tenants[?"},
        "select: ",
    ),
    "a selection from a write": (
        "call_write",
        {"name": "auth_create_role", "select": "id"},
        "select: call_write has no such argument.",
    ),
    "arguments beside the object": (
        "call_read",
        {"name": "auth_get_tenant", "tenant_id": "t"},
        "tenant_id: call_read has no such argument. Outcome: not_applied, nothing was changed. Accepted: name, arguments, select.",
    ),
    "an undeclared argument inside": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": {"tenant_id": "t", "x": 1}},
        "x: auth_get_tenant has no such argument.",
    ),
    "a missing argument inside": ("call_read", {"name": "auth_get_tenant"}, "tenant_id: required, but missing."),
    "a value beyond 64 bits inside": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": {"tenant_id": 2**80}},
        "arguments.tenant_id: the number does not fit",
    ),
    "a number that was no whole one, for text": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": {"tenant_id": 3.0}},
        "tenant_id: expected string, got a number.",
    ),
    "the same in text": (
        "call_read",
        {"name": "auth_get_tenant", "arguments": '{"tenant_id": 3.0}'},
        "tenant_id: expected string, got a number.",
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
    async with connect_client(build_pipeline(api, store), era, accept_question, kind="compact") as client:
        result = await client.call_tool(tool, given)
    assert result.is_error
    assert reply_text(result).startswith(said), reply_text(result)
    assert api.sent == []


@BY_ERA
async def test_a_deep_or_long_query_is_searched_or_refused_and_soon_done(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"a": deep}
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        for query in ("テナント" * 50_000, "tenant " * 50_000, "\ud7ff\u202e\u0301" * 10_000, " "):
            assert not (await client.call_tool("search_operations", {"query": query})).is_error
        result = await client.call_tool("call_read", {"name": "auth_get_tenants", "arguments": deep})
        assert "nested too deeply" in reply_text(result)


@BY_ERA
async def test_a_defect_in_a_tool_of_our_own_tells_the_client_nothing(
    catalogue: Catalogue, store: Store, era: Era, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("an-inner-secret")

    monkeypatch.setattr(SearchIndex, "search", broken)
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("search_operations", {"query": "tenant"})
    assert "an-inner-secret" not in caught.value.error.model_dump_json()
    assert "failed with an internal error" in caplog.text


async def test_the_instructions_tell_of_the_compact_tools_only_where_they_are_listed(
    catalogue: Catalogue, store: Store
) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    async with connect_client(behind, "legacy", kind="compact") as client:
        assert all(name in (client.instructions or "") for name in COMPACT_TOOLS)
    async with connect_client(behind, "legacy") as client:
        assert "search_operations" not in (client.instructions or "")


@BY_ERA
async def test_no_call_changes_what_is_listed(catalogue: Catalogue, store: Store, era: Era) -> None:
    behind = build_pipeline(StubApi(catalogue), store)
    for kind, toolsets in (("full", frozenset[str]()), ("compact", frozenset({"roles"}))):
        async with connect_client(behind, era, accept_question, kind=kind, toolsets=toolsets) as client:
            before = (await client.list_tools()).tools
            for name, given in (
                ("search_operations", {"query": "delete a tenant"}),
                ("describe_operation", {"name": "auth_delete_tenant"}),
                (
                    "call_write",
                    {
                        "name": "auth_create_tenant",
                        "arguments": complete_arguments(catalogue.find("auth_create_tenant")),
                    },
                ),
                ("auth_delete_tenant", {"tenant_id": "t"}),
                ("no_such_tool", {}),
            ):
                await client.call_tool(name, given)
                assert (await client.list_tools()).tools == before, name


@BY_ERA
async def test_no_name_is_suggested_that_the_caller_is_never_allowed(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store, PRESETS["read-only"]), era) as client:
        for mistaken, near in {"auth_get_tennant": "auth_get_tenant", "auth_delete_tennant": ""}.items():
            for name, given in (
                (mistaken, {}),
                ("call_read", {"name": mistaken}),
                ("describe_operation", {"name": mistaken}),
            ):
                said = reply_text(await client.call_tool(name, given)).partition("Nearest: ")[2]
                suggested = [each for each in said.split("\n")[0].rstrip(".").split(", ") if each]
                assert near in [*suggested, ""], name
                assert all(catalogue.find(each).reads for each in suggested), name
