"""Resources, prompts, completion and large answers, through the SDK's own client in both protocol eras."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy import PRESETS, Principal
from saasus_mcp.store import Store
from tests.support import ERAS, Era, StubApi, connected, pipeline

BY_ERA = pytest.mark.parametrize("era", ERAS)
OTHER = Principal("someone-else")
USERS = {"users": [{"id": f"u{n}", "email": f"user{n}@example.com", "attributes": {}} for n in range(10_000)]}
TENANTS = {"tenants": [{"id": "t-1", "name": "株式会社青空"}, {"id": "t-2", "name": "Aozora\u202e Inc"}]}


def text(result: Any) -> str:
    return str(result.content[0].text)


def whole(read: types.ReadResourceResult) -> Any:
    [content] = read.contents
    assert isinstance(content, types.TextResourceContents)
    return json.loads(content.text)


@BY_ERA
async def test_ten_thousand_users_fit_and_one_of_them_is_found(catalogue: Catalogue, store: Store, era: Era) -> None:
    api = StubApi(catalogue, answers={"auth.GetSaasUsers": USERS})
    async with connected(pipeline(api, store), era) as client:
        result = await client.call_tool("auth_get_saas_users", {})
        assert len(text(result).encode()) < 25 * 1024
        assert "of 10000 items" in text(result)
        [uri] = [word.rstrip(";") for word in text(result).split() if word.startswith("saasus://results/")]
        assert whole(await client.read_resource(uri)) == USERS
        wanted = {"id": uri, "expression": "users[?email=='user9876@example.com'].id | [0]"}
        found = await client.call_tool("select_from_result", wanted)
        assert found.structured_content == {"result": "u9876"}
        listed = await client.list_resources()
        assert uri in {resource.uri for resource in listed.resources}
    assert len(api.sent) == 1


@BY_ERA
async def test_a_selection_too_large_is_cut_as_well_and_csv_is_text(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue, answers={"auth.GetSaasUsers": USERS})
    async with connected(pipeline(api, store), era) as client:
        first = text(await client.call_tool("auth_get_saas_users", {}))
        [uri] = [word.rstrip(";") for word in first.split() if word.startswith("saasus://results/")]
        again = await client.call_tool("select_from_result", {"id": uri, "expression": "users[].email"})
        assert "of 10000 items" in text(again)
        rows = {"id": uri, "expression": "users[:2].{id: id, email: email}", "format": "csv"}
        table = await client.call_tool("select_from_result", rows)
        assert table.structured_content == {"result": "id,email\r\nu0,user0@example.com\r\nu1,user1@example.com\r\n"}


@BY_ERA
async def test_a_result_is_its_own_callers_alone(catalogue: Catalogue, store: Store, era: Era) -> None:
    behind = pipeline(StubApi(catalogue, answers={"auth.GetSaasUsers": USERS}), store)
    async with connected(behind, era) as client:
        first = text(await client.call_tool("auth_get_saas_users", {}))
    [uri] = [word.rstrip(";") for word in first.split() if word.startswith("saasus://results/")]
    async with connected(behind, era, who=lambda _: OTHER) as client:
        with pytest.raises(MCPError, match="no such resource"):
            await client.read_resource(uri)
        refused = await client.call_tool("select_from_result", {"id": uri, "expression": "users"})
        assert refused.is_error
        assert uri not in {resource.uri for resource in (await client.list_resources()).resources}


@BY_ERA
async def test_the_catalogue_and_the_callers_decisions_can_be_read(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connected(pipeline(StubApi(catalogue), store, PRESETS["read-only"]), era) as client:
        described = whole(await client.read_resource("saasus://catalog/auth.GetTenant"))
        assert described["name"] == "auth_get_tenant"
        with pytest.raises(MCPError, match="no such resource"):
            await client.read_resource("saasus://catalog/auth.DeleteTenant")
        decided = whole(await client.read_resource("saasus://policy"))
        assert {each["level"] for each in decided["tools"]} == {"read", "read_sensitive"}
        assert {each["decision"] for each in decided["tools"]} == {"allow"}
        templates = await client.list_resource_templates()
        assert {each.uri_template for each in templates.resource_templates} == {
            "saasus://catalog/{operation}",
            "saasus://results/{id}",
        }


@BY_ERA
@pytest.mark.parametrize("uri", ["saasus://results/", "saasus://nosuch", "file:///etc/passwd", "saasus://catalog/%00"])
async def test_a_resource_that_is_not_there_is_an_error(catalogue: Catalogue, store: Store, era: Era, uri: str) -> None:
    async with connected(pipeline(StubApi(catalogue), store), era) as client:
        with pytest.raises(MCPError, match="no such resource"):
            await client.read_resource(uri)


@BY_ERA
async def test_prompts_are_listed_and_filled_in(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connected(pipeline(StubApi(catalogue), store), era, language="ja") as client:
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert len(names) == 10
        got = await client.get_prompt("help_desk", {"user": "taro@example.com"})
        assert "「taro@example.com」" in got.messages[0].content.text  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="user"):
            await client.get_prompt("help_desk", {})


@BY_ERA
async def test_arguments_are_completed_from_live_data_as_the_caller(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenants": TENANTS})
    reference = types.PromptReference(name="invite_user")
    async with connected(pipeline(api, store), era) as client:
        for typed, expected in {"株": ["株式会社青空 (t-1)"], "t-2": ["Aozora Inc (t-2)"], "x": []}.items():
            given = await client.complete(reference, {"name": "tenant", "value": typed})
            assert given.completion.values == expected
        assert len(api.sent) == 1
        names = await client.complete(
            types.ResourceTemplateReference(uri="saasus://catalog/{operation}"),
            {"name": "operation", "value": "deletete"},
        )
        assert names.completion.values[0] == "auth.DeleteTenant"
    assert [record["operation"] for record in store.audited() if record["event"] == "begun"] == ["auth.GetTenants"]
