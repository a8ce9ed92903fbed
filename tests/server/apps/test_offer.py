"""Apps are offered to clients that declare them. Every other client gets exactly what it got before there were apps."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from mcp.server import apps as sdk
from mcp.server.apps import client_supports_apps
from mcp.shared.exceptions import MCPError
from mcp.types import ClientCapabilities, TextResourceContents

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.server.apps.documents import APPS
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, APPS_URI, EXTENSION_ID, declares_apps
from saasus_mcp.store.store import Store
from tests.support.pipeline import ERAS, Era, StubApi, build_pipeline, connect_client

BY_ERA = pytest.mark.parametrize("era", ERAS)
APP = "saasus.io/app"
USERS = {"users": [{"id": f"u{n}", "email": f"user{n}@example.com", "attributes": {}} for n in range(10_000)]}
TENANT = {"tenant_id": "t"}
ATTRIBUTE = {"attribute_name": "level", "attribute_type": "string", "display_name": "Level"}


def test_the_names_on_the_wire_are_those_of_the_sdk() -> None:
    assert (EXTENSION_ID, APP_MIME_TYPE) == (sdk.EXTENSION_ID, sdk.APP_MIME_TYPE)


@pytest.mark.parametrize(
    "extensions",
    [
        None,
        {},
        {EXTENSION_ID: {}},
        {EXTENSION_ID: {"mimeTypes": None}},
        {EXTENSION_ID: {"mimeTypes": "text/html;profile=mcp-app"}},
        {EXTENSION_ID: {"mimeTypes": ["text/html"]}},
        {EXTENSION_ID: {"mimeTypes": [{}, APP_MIME_TYPE]}},
        {"io.modelcontextprotocol/apps": {"mimeTypes": [APP_MIME_TYPE]}},
    ],
)
def test_a_client_shows_apps_if_the_sdk_thinks_so(extensions: Any) -> None:
    class Session:
        client_capabilities = ClientCapabilities(extensions=extensions)

    class Request:
        session = Session()

    context: Any = Request()
    assert declares_apps(extensions) is client_supports_apps(context)


@pytest.mark.parametrize("extensions", [[], "x", {EXTENSION_ID: []}, {EXTENSION_ID: {"mimeTypes": 3}}])
def test_capabilities_of_another_shape_declare_nothing(extensions: object) -> None:
    assert not declares_apps(extensions)


@BY_ERA
async def test_the_list_differs_in_nothing_but_what_apps_need(catalogue: Catalogue, store: Store, era: Era) -> None:
    pipeline = build_pipeline(StubApi(catalogue), store)
    async with connect_client(pipeline, era) as client, connect_client(pipeline, era, apps=True) as showing:
        plain = [tool.model_dump(by_alias=True) for tool in (await client.list_tools()).tools]
        listed = [tool.model_dump(by_alias=True) for tool in (await showing.list_tools()).tools]
    uis = {tool["name"]: (tool["_meta"] or {}).pop("ui") for tool in listed}
    assert [tool | {"_meta": tool["_meta"] or None} for tool in listed] == plain
    assert all(ui["visibility"] == ["model"] for ui in uis.values()), "apps may call none of these"
    shown = {name: ui["resourceUri"].removeprefix(APPS_URI) for name, ui in uis.items() if "resourceUri" in ui}
    assert shown["auth_get_tenants"] == shown["select_from_result"] == shown["read_and_select"] == "table"
    assert shown["auth_delete_tenant"] == "approval"
    assert not {"auth_get_tenant", "auth_create_role", "time_now"} & shown.keys()


@BY_ERA
async def test_a_result_differs_in_nothing_but_the_data_for_the_app(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue, answers={"auth.GetSaasUsers": {"users": USERS["users"][:3]}})
    pipeline = build_pipeline(api, store)
    async with connect_client(pipeline, era) as client, connect_client(pipeline, era, apps=True) as showing:
        for name, arguments in (("auth_get_saas_users", {}), ("auth_delete_tenant", TENANT), ("auth_get_tenant", {})):
            plain = (await client.call_tool(name, arguments)).model_dump(by_alias=True)
            shown = (await showing.call_tool(name, arguments)).model_dump(by_alias=True)
            assert APP not in plain["_meta"]
            title = catalogue.find(name).title
            assert shown["_meta"].pop(APP)["title"] == {"en": title.en, "ja": title.ja}
            for each in (plain, shown):
                each["_meta"].pop("saasus.io/trace_id")
                each["content"][1]["text"] = each["content"][1]["text"].partition("trace id")[0]
            assert json.dumps(shown) == json.dumps(plain), name


@BY_ERA
async def test_documents_are_read_by_clients_that_show_them_and_listed_for_nobody(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    pipeline = build_pipeline(StubApi(catalogue), store)
    async with connect_client(pipeline, era) as client, connect_client(pipeline, era, apps=True) as showing:
        for name in APPS:
            [document] = (await showing.read_resource(APPS_URI + name)).contents
            assert isinstance(document, TextResourceContents)
            assert (document.mime_type, document.text[:15]) == (APP_MIME_TYPE, "<!doctype html>")
            assert document.meta == {"ui": {"prefersBorder": True}}, (
                "without `csp`, the client uses the strictest policy"
            )
            with pytest.raises(MCPError, match="Unknown resource"):
                await client.read_resource(APPS_URI + name)
        for unknown in (APPS_URI, APPS_URI + "other", APPS_URI + "../job", "ui://elsewhere/job"):
            with pytest.raises(MCPError, match="Unknown resource"):
                await showing.read_resource(unknown)
        listed = (await showing.list_resources()).resources
        assert not [each for each in listed if str(each.uri).startswith("ui:")]


@BY_ERA
async def test_of_a_cut_answer_the_app_gets_the_address_and_the_true_count(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    pipeline = build_pipeline(StubApi(catalogue, answers={"auth.GetSaasUsers": USERS}), store)
    async with connect_client(pipeline, era, apps=True) as client:
        result = await client.call_tool("auth_get_saas_users", {})
        assert result.meta is not None
        data = result.meta[APP]
        assert data["totals"] == {"users": 10_000}
        [whole] = (await client.read_resource(data["result"])).contents
        assert isinstance(whole, TextResourceContents)
        assert len(json.loads(whole.text)["users"]) == 10_000


@BY_ERA
async def test_the_app_follows_an_approval_of_its_own_caller_alone(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    pipeline = build_pipeline(StubApi(catalogue), store)
    other = Principal("local:other")
    async with (
        connect_client(pipeline, era, apps=True) as showing,
        connect_client(pipeline, era, apps=True, who=lambda _: other) as stranger,
        connect_client(pipeline, era) as plain,
    ):
        result = await showing.call_tool("auth_delete_tenant", TENANT)
        assert result.is_error
        assert result.meta is not None
        approval = result.meta[APP]["approval"]
        assert approval["status"] == "pending"
        assert approval["command"] == f"saasus-mcp approve {approval['code']}"
        assert approval["question"]["en"] != approval["question"]["ja"]
        told = result.meta[APP]["failure"]
        assert told.keys() == {"en", "ja"}
        assert "Outcome: not_applied, nothing was changed." in told["en"]
        uri = f"saasus://approvals/{approval['code']}"

        async def state() -> dict[str, Any]:
            [content] = (await showing.read_resource(uri, cache_mode="bypass")).contents
            assert isinstance(content, TextResourceContents)
            told: dict[str, Any] = json.loads(content.text)
            return told

        unchanging = {name: approval[name] for name in ("code", "status", "requested_at", "expires_at", "two_person")}
        assert await state() == unchanging, "nothing of the question, which could have changed"
        for client in (stranger, plain):
            with pytest.raises(MCPError, match="Unknown resource"):
                await client.read_resource(uri)
        [asked] = store.list_approvals(pipeline.clock())
        store.decide_approval(asked.code, "rejected", by="boss", at=pipeline.clock(), reason="not now", record={})
        told = await state()
        assert (told["status"], told["comment"]) == ("rejected", "not now")
        assert "boss" not in json.dumps(told)


@BY_ERA
async def test_the_app_learns_that_a_lost_answer_leaves_the_outcome_unknown(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    lost = httpx2.Response(502)
    pipeline = build_pipeline(StubApi(catalogue, answers={"auth.CreateSaasUserAttribute": lost}), store)
    async with connect_client(pipeline, era, apps=True) as client:
        result = await client.call_tool("auth_create_saas_user_attribute", ATTRIBUTE)
    assert result.is_error
    assert result.meta is not None
    assert result.meta["saasus.io/applied"] == "unknown"
    for language in ("en", "ja"):
        happened, outcome, trace, what_next = result.meta[APP]["failure"][language]
        assert "502" in happened
        assert "unknown" in outcome
        assert result.meta["saasus.io/trace_id"] in trace
        assert what_next
