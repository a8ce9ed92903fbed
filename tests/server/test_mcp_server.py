"""The MCP server as a client sees it: tools, annotations, texts and internal errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import Client as McpClient
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, TextContent

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.server.mcp_server import build_server
from saasus_mcp.server.offers import prompts
from saasus_mcp.server.offers.resources import Resources
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.surface.provider_schema import provider_input_schema, provider_output_schema
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.store.store import Store
from tests.support.gate import reply_text
from tests.support.pipeline import ERAS, PRINCIPAL, Era, StubApi, build_pipeline, connect_client, operation_tools

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MARK = "an-inner-secret-that-no-client-sees"
LANGUAGES: tuple[Language, ...] = ("en", "ja")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("era", ERAS)
async def test_the_list_holds_every_operation_with_its_hints_spelled_out(
    catalogue: Catalogue, store: Store, era: Era, language: Language
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, language=language) as client:
        listed = await client.list_tools()
    assert listed.next_cursor is None
    tools = operation_tools(listed.tools)
    assert len(tools) == 195
    assert len({tool.name for tool in listed.tools}) == len(listed.tools)
    for tool in tools:
        operation = catalogue.find(tool.name)
        assert NAME.fullmatch(tool.name)
        assert tool.title == operation.title.text(language)
        assert tool.annotations is not None
        assert tool.annotations.model_dump(by_alias=True) == hints(operation, tool.title), operation.key
        assert tool.meta is not None
        assert {name: value for name, value in tool.meta.items() if name.startswith("saasus.io/")} == {
            "saasus.io/operation": operation.key,
            "saasus.io/http": f"{operation.method} {operation.path}",
            "saasus.io/level": operation.level,
        }
        assert tool.input_schema == provider_input_schema(operation.input_schema)
        assert tool.output_schema == provider_output_schema(operation.output_schema)


def hints(operation: Operation, title: str) -> dict[str, Any]:
    """Return the expected annotations, from the effects by the definitions of the protocol."""
    row = operation.effects
    reads = row.level in ("read", "read_sensitive")
    return {
        "title": title,
        "readOnlyHint": reads,
        "destructiveHint": not reads and not row.adds_only,
        "idempotentHint": row.idempotent,
        "openWorldHint": row.email != "no" or row.outside != (),
    }


def test_every_grave_tool_is_hinted_destructive_and_no_reading_one_is(catalogue: Catalogue) -> None:
    for operation in catalogue:
        if operation.level in ("destructive", "critical"):
            assert hints(operation, "")["destructiveHint"], operation.key
        if operation.level == "read":
            assert not hints(operation, "")["destructiveHint"], operation.key


@pytest.mark.parametrize("era", ERAS)
async def test_the_list_is_the_same_before_and_after_calls(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era) as client:
        before = (await client.list_tools(cache_mode="bypass")).model_dump_json()
        await client.call_tool("auth_get_tenants", {})
        await client.call_tool("auth_delete_tenant", {"tenant_id": "t"})
        assert (await client.list_tools(cache_mode="bypass")).model_dump_json() == before


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_tool_is_a_failed_result_with_the_nearest_names(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store), era) as client:
        for name in ("auth_delete_tennant", "auth_delete_tenants", "delete_tenant"):
            result = await client.call_tool(name, {})
            assert result.is_error
            assert "auth_delete_tenant" in reply_text(result)
        for name in (
            "",
            "x" * 100_000,
            "\x00",
            "../auth_get_tenants",
            "half \ud800".encode("utf-8", "replace").decode(),
        ):
            result = await client.call_tool(name, {})
            assert result.is_error
            assert len(reply_text(result)) < 1000
    assert api.sent == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_wrong_argument_is_a_failed_result_that_names_the_field(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store), era) as client:
        result = await client.call_tool("auth_get_tenant", {"tenant_id": ["t"]})
        assert result.is_error
        assert reply_text(result).startswith("tenant_id: expected string")
        nothing = await client.call_tool("auth_get_tenant")
        assert reply_text(nothing).startswith("tenant_id: required, but missing")
    assert api.sent == []


class Broken(Exception):
    """An internal error whose text must not reach a client."""


@pytest.mark.parametrize("era", ERAS)
async def test_a_failure_inside_tells_the_client_nothing_of_itself(
    catalogue: Catalogue, store: Store, era: Era, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise Broken(MARK)

    monkeypatch.setattr(Pipeline, "run", broken)
    async with connect_client(build_pipeline(StubApi(catalogue), store), era) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("auth_get_tenants", {})
    assert MARK not in caught.value.error.model_dump_json()
    assert "Broken" not in caught.value.error.model_dump_json()
    assert "failed with an internal error" in caplog.text, "the log of the server tells"


ASKED: dict[str, Callable[[McpClient], Awaitable[object]]] = {
    "tools": lambda client: client.list_tools(),
    "resources": lambda client: client.list_resources(),
    "a resource": lambda client: client.read_resource("saasus://policy"),
    "a prompt": lambda client: client.get_prompt("anything"),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_a_failure_while_something_else_is_asked_for_tells_nothing_either(
    catalogue: Catalogue,
    store: Store,
    era: Era,
    asked: Callable[[McpClient], Awaitable[object]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise Broken(MARK)

    places: list[tuple[Any, str]] = [
        (ToolSurface, "list_tools"),
        (Resources, "list_resources"),
        (Resources, "read"),
        (prompts, "render_prompt"),
    ]
    for place, name in places:
        monkeypatch.setattr(place, name, broken)
    async with connect_client(build_pipeline(StubApi(catalogue), store), era) as client:
        with pytest.raises(MCPError) as caught:
            await asked(client)
    assert MARK not in caught.value.error.model_dump_json()
    assert "failed with an internal error" in caplog.text


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("where", ["send", "resolve", "look", "decide"])
async def test_a_failure_deep_inside_tells_the_client_nothing_of_itself(
    catalogue: Catalogue, store: Store, era: Era, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise Broken(MARK)

    place = {
        "send": "saasus_mcp.saasus.client.ApiClient.send",
        "resolve": "saasus_mcp.permissions.secrets.secret_vault.SecretVault.resolve",
        "look": "saasus_mcp.permissions.inspection.inspect.CallInspector.read_target",
        "decide": "saasus_mcp.permissions.policy.presets.PresetPolicy.decide",
    }[where]
    monkeypatch.setattr(place, broken)
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store), era) as client:
        try:
            said = (await client.call_tool("auth_delete_tenant", {"tenant_id": "t"})).model_dump_json()
            said += (
                await client.call_tool(
                    "auth_create_saas_user", {"email": "a@example.com", "password": "correct-horse-9"}
                )
            ).model_dump_json()
        except MCPError as error:
            said = error.error.model_dump_json()
    assert MARK not in said
    assert "Broken" not in said
    assert api.writes == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")  # bpe_openai's own affair
async def test_the_instructions_say_what_hangs_together_in_few_tokens(catalogue: Catalogue, store: Store) -> None:
    import bpe_openai  # noqa: PLC0415 - under the filter above

    encoding = bpe_openai.get_encoding("o200k_base")
    for policy in (PRESETS["guarded"], UnsafeAllowAllPolicy()):
        async with connect_client(build_pipeline(StubApi(catalogue), store, policy), "legacy") as client:
            words = client.instructions or ""
        assert len(encoding.encode(words)) < 400
        for word in ("tenant", "role", "environment", "plan", "approval", policy.name):
            assert word in words.lower()
        assert ("UNSAFE" in words) == (policy.name == "unsafe-allow-everything")


async def test_both_eras_receive_the_same(catalogue: Catalogue, store: Store) -> None:
    server = build_server(build_pipeline(StubApi(catalogue), store, UnsafeAllowAllPolicy()), lambda _: PRINCIPAL, "en")
    async with McpClient(server, mode="legacy") as old, McpClient(server, mode="auto") as new:
        assert old.protocol_version < new.protocol_version
        assert new.instructions == old.instructions
        assert new.server_info == old.server_info


@pytest.mark.parametrize("era", ERAS)
async def test_every_result_says_where_it_comes_from(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era) as client:
        done = await client.call_tool("auth_get_tenants", {})
        refused = await client.call_tool("auth_delete_tenant", {"tenant_id": "t"})
    for result in (done, refused):
        assert "SaaS: saas-under-test, profile: default" in reply_text(result)
        assert result.meta is not None
        assert result.meta["saasus.io/saas_id"] == "saas-under-test"
        assert result.meta["saasus.io/profile"] == "default"
        assert result.meta["saasus.io/applied"] == "not_applied"
    assert done.meta is not None
    assert done.meta["saasus.io/trace_id"] in reply_text(done)
    assert logging.getLogger("saasus_mcp").level == logging.NOTSET


@pytest.mark.parametrize("era", ERAS)
async def test_a_handler_registered_in_front_of_the_servers_gets_the_calls(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    server = build_server(build_pipeline(StubApi(catalogue), store), lambda _: PRINCIPAL, "en")
    first = server.get_request_handler("tools/call")
    assert first is not None

    async def call(context: ServerRequestContext[Any], params: CallToolRequestParams) -> Any:
        if params.name == "of_the_embedder":
            return CallToolResult(content=[TextContent(text="its answer")])
        return await first.handler(context, params)

    server.add_request_handler("tools/call", CallToolRequestParams, call)
    async with McpClient(server, mode=era) as client:
        assert reply_text(await client.call_tool("of_the_embedder", {})) == "its answer"
        assert not (await client.call_tool("auth_get_tenants", {})).is_error
