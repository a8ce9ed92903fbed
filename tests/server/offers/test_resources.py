"""Resources, prompts, completion and large answers, through the SDK's own client in all protocol versions."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.policy.rules import Rule
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.offers.completion import CACHE_SECONDS, ArgumentCompletion
from saasus_mcp.server.results.result_store import ANSWER_BUDGET
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.store.store import Store
from tests.support.pipeline import ERAS, Era, StubApi, build_pipeline, connect_client
from tests.support.policies import build_policy as of_rules
from tests.support.policies import build_rule

BY_ERA = pytest.mark.parametrize("era", ERAS)
OTHER = Principal("someone-else")
SEARCH = "auth_search_saas_users"
USERS = {"users": [{"id": f"u{n}", "email": f"user{n}@example.com", "attributes": {}} for n in range(10_000)]}
TENANTS = {"tenants": [{"id": "t-1", "name": "株式会社青空"}, {"id": "t-2", "name": "Aozora\u202e Inc"}]}


def text(result: Any) -> str:
    return str(result.content[0].text)


def uri(result: Any) -> str:
    """Return the address of the full result."""
    [found] = [word.rstrip(";") for word in text(result).split() if word.startswith("saasus://results/")]
    return found


def denied(*tools: str) -> tuple[Rule, ...]:
    return (build_rule("denied", "deny", tools=tools),)


def whole(read: types.ReadResourceResult) -> Any:
    [content] = read.contents
    assert isinstance(content, types.TextResourceContents)
    return json.loads(content.text)


@pytest.mark.slow
@BY_ERA
async def test_ten_thousand_users_fit_and_one_of_them_is_found(catalogue: Catalogue, store: Store, era: Era) -> None:
    api = StubApi(catalogue, answers={"auth.GetSaasUsers": USERS})
    async with connect_client(build_pipeline(api, store), era) as client:
        result = await client.call_tool("auth_get_saas_users", {})
        assert len(text(result).encode()) <= ANSWER_BUDGET
        assert len(json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))) <= ANSWER_BUDGET
        assert "of 10000 items" in text(result)
        kept = uri(result)
        assert whole(await client.read_resource(kept)) == USERS
        wanted = {"id": kept, "expression": "users[?email=='user9876@example.com'].id | [0]"}
        found = await client.call_tool("select_from_result", wanted)
        assert found.structured_content == {"result": "u9876"}
        listed = await client.list_resources()
        assert kept in {resource.uri for resource in listed.resources}
    assert len(api.sent) == 1


@BY_ERA
async def test_a_selection_too_large_is_cut_as_well_and_csv_is_text(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue, answers={"auth.GetSaasUsers": USERS})
    async with connect_client(build_pipeline(api, store), era) as client:
        kept = uri(await client.call_tool("auth_get_saas_users", {}))
        again = await client.call_tool("select_from_result", {"id": kept, "expression": "users[].email"})
        assert "of 10000 items" in text(again)
        rows = {"id": kept, "expression": "users[:2].{id: id, email: email}", "format": "csv"}
        table = await client.call_tool("select_from_result", rows)
        assert table.structured_content == {"result": "id,email\r\nu0,user0@example.com\r\nu1,user1@example.com\r\n"}


@BY_ERA
async def test_a_result_is_its_own_callers_alone(catalogue: Catalogue, store: Store, era: Era) -> None:
    behind = build_pipeline(StubApi(catalogue, answers={"auth.GetSaasUsers": USERS}), store)
    async with connect_client(behind, era) as client:
        kept = uri(await client.call_tool("auth_get_saas_users", {}))
    async with connect_client(behind, era, who=lambda _: OTHER) as client:
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource(kept)
        refused = await client.call_tool("select_from_result", {"id": kept, "expression": "users"})
        assert refused.is_error
        assert kept not in {resource.uri for resource in (await client.list_resources()).resources}


@BY_ERA
@pytest.mark.parametrize("kind", ["full", "compact"])
async def test_a_result_is_decided_on_like_the_call_it_came_of(
    catalogue: Catalogue, store: Store, era: Era, kind: SurfaceKind
) -> None:
    api, sealer = StubApi(catalogue, answers={"auth.GetSaasUsers": USERS}), Encryptor.ephemeral()
    call = ("auth_get_saas_users", {}) if kind == "full" else ("call_read", {"name": "auth_get_saas_users"})
    async with connect_client(build_pipeline(api, store, sealer=sealer), era, kind=kind) as client:
        kept = uri(await client.call_tool(*call))
        part = uri(await client.call_tool("select_from_result", {"id": kept, "expression": "users[].email"}))
        assert {kept, part} <= {str(resource.uri) for resource in (await client.list_resources()).resources}
    stricter = of_rules(
        build_rule("reads", levels=("read", "read_sensitive"), tools=()), *denied("auth_get_saas_users")
    )
    async with connect_client(build_pipeline(api, store, stricter, sealer=sealer), era, kind=kind) as client:
        for each in (kept, part):
            with pytest.raises(MCPError, match="a call of auth_get_saas_users that you are no longer allowed to make"):
                await client.read_resource(each)
            refused = await client.call_tool("select_from_result", {"id": each, "expression": "@"})
            assert refused.is_error
            assert "a call of auth_get_saas_users that you are no longer allowed to make" in text(refused)
        assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["saasus://policy"]
    assert len(api.sent) == 1


@BY_ERA
async def test_a_result_is_decided_on_by_the_arguments_of_its_call(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    members = {"users": [{"id": f"u{n}", "email": f"{n}@example.com", "attributes": {}} for n in range(2_000)]}
    api, sealer = StubApi(catalogue, answers={"auth.GetTenantUsers": members}), Encryptor.ephemeral()
    async with connect_client(build_pipeline(api, store, sealer=sealer), era) as client:
        mine, others = [
            uri(await client.call_tool("auth_get_tenant_users", {"tenant_id": tenant})) for tenant in ("mine", "others")
        ]
    one_only = of_rules(build_rule("own", tools=("auth_get_tenant_users",), when="args.tenant_id == 'mine'"))
    async with connect_client(build_pipeline(api, store, one_only, sealer=sealer), era) as client:
        assert whole(await client.read_resource(mine)) == members
        with pytest.raises(MCPError, match="no longer allowed to make"):
            await client.read_resource(others)


@BY_ERA
async def test_a_smaller_budget_holds_for_every_answer(catalogue: Catalogue, store: Store, era: Era) -> None:
    api = StubApi(catalogue, answers={"auth.GetSaasUsers": USERS})
    async with connect_client(build_pipeline(api, store, budget=4096), era, kind="compact") as client:
        for name, given in (
            ("call_read", {"name": "auth_get_saas_users"}),
            ("auth_get_saas_users", {}),
            ("describe_operation", {"name": "pricing_create_pricing_unit"}),
        ):
            result = await client.call_tool(name, given)
            assert len(text(result).encode()) <= 4096, name
            assert "[Truncated. " in text(result)
            assert uri(result)


@BY_ERA
async def test_the_catalogue_and_the_callers_decisions_can_be_read(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store, PRESETS["read-only"]), era) as client:
        described = whole(await client.read_resource("saasus://catalog/auth.GetTenant"))
        assert described["name"] == "auth_get_tenant"
        with pytest.raises(MCPError, match="Unknown resource"):
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
    async with connect_client(build_pipeline(StubApi(catalogue), store), era) as client:
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource(uri)


@BY_ERA
async def test_prompts_are_listed_and_filled_in(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, language="ja") as client:
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
    async with connect_client(build_pipeline(api, store), era) as client:
        for typed, expected in {"株": ["株式会社青空 (t-1)"], "t-2": ["Aozora Inc (t-2)"], "x": []}.items():
            given = await client.complete(reference, {"name": "tenant", "value": typed})
            assert given.completion.values == expected
            assert (given.completion.total, given.completion.has_more) == (len(expected), False)
        assert len(api.sent) == 1
        names = await client.complete(
            types.ResourceTemplateReference(uri="saasus://catalog/{operation}"),
            {"name": "operation", "value": "deletete"},
        )
        assert names.completion.values[0] == "auth_delete_tenant"
    assert [record["operation"] for record in store.audit_log.list_records() if record["event"] == "begun"] == [
        "auth.GetTenants"
    ]


LIVE: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "role": (
        "invite_user",
        "auth.GetRoles",
        {"roles": [{"role_name": "admin", "display_name": "管理者"}]},
        "管理者 (admin)",
    ),
    "environment": ("add_users", "auth.GetEnvs", {"envs": [{"id": 3, "name": "prod", "display_name": ""}]}, "prod (3)"),
    "plan": (
        "change_plan",
        "pricing.GetPricingPlans",
        {"pricing_plans": [{"id": "p-1", "name": "pro", "display_name": "プロ"}]},
        "プロ (p-1)",
    ),
    "attribute": (
        "add_users",
        "auth.GetUserAttributes",
        {"user_attributes": [{"attribute_name": "dept", "display_name": "部署"}]},
        "部署 (dept)",
    ),
    "tenant_attribute": (
        "onboard_tenant",
        "auth.GetTenantAttributes",
        {"tenant_attributes": [{"attribute_name": "size", "display_name": "size"}]},
        "size",
    ),
    "metering_unit": (
        "report_usage",
        "pricing.GetMeteringUnits",
        {"units": [{"unit_name": "api", "display_name": "API"}]},
        "API (api)",
    ),
    "who": ("offboard", "auth.GetTenants", {"tenants": [{"id": "t-9", "name": "Contoso"}]}, "Contoso (t-9)"),
}


@BY_ERA
@pytest.mark.parametrize("argument", LIVE)
async def test_every_argument_that_live_data_knows_is_completed_for_whom_may_read_it(
    catalogue: Catalogue, store: Store, era: Era, argument: str
) -> None:
    prompt, key, answer, expected = LIVE[argument]
    api = StubApi(catalogue, answers={key: answer})
    reference = types.PromptReference(name=prompt)
    async with connect_client(build_pipeline(api, store), era) as client:
        given = await client.complete(reference, {"name": argument, "value": ""})
    assert expected in given.completion.values
    before = len(api.sent)
    reads = of_rules(
        build_rule("reads", levels=("read", "read_sensitive"), tools=()),
        *denied(catalogue.find(key).tool),
        *denied(SEARCH),
    )
    async with connect_client(build_pipeline(api, store, reads), era) as client:
        given = await client.complete(reference, {"name": argument, "value": ""})
    assert given.completion.values == []
    assert len(api.sent) == before


@BY_ERA
async def test_a_user_is_found_by_address_and_by_sign_in_id_and_further_matches_are_named(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    def found(request: httpx2.Request) -> httpx2.Response:
        by_id = "sign_in_id" in request.url.params
        user = {"id": "u-2", "sign_in_id": "taro01"} if by_id else {"id": "u-1", "email": "taro@example.com"}
        return httpx2.Response(200, json={"users": [user], "cursor": "" if by_id else "next"})

    api = StubApi(catalogue, answers={"auth.SearchSaasUsers": found})
    async with connect_client(build_pipeline(api, store), era) as client:
        given = await client.complete(types.PromptReference(name="help_desk"), {"name": "user", "value": "taro"})
    assert given.completion.values == ["taro01 (u-2)", "taro@example.com (u-1)"]
    assert (given.completion.total, given.completion.has_more) == (None, True)


@BY_ERA
@pytest.mark.parametrize(("prompt", "argument"), [("nosuch", "tenant"), ("invite_user", "nosuch")])
async def test_completing_what_does_not_exist_is_an_error(
    catalogue: Catalogue, store: Store, era: Era, prompt: str, argument: str
) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era) as client:
        with pytest.raises(MCPError, match="Unknown prompt or argument"):
            await client.complete(types.PromptReference(name=prompt), {"name": argument, "value": ""})


async def test_the_cache_is_short_per_caller_and_never_outlives_the_policy() -> None:
    now, allowed, read = [0.0], [True], []

    async def reading(key: str, _: Any, principal: Principal) -> ToolAnswer:
        read.append((key, principal))
        return ToolAnswer(True, "", {"tenants": [{"id": "t-1", "name": f"Tenant of {principal.id}"}]})

    async def may(*_: object) -> bool:
        return allowed[0]

    completion = ArgumentCompletion(reading, may, lambda: now[0])
    me, them = Principal("me"), Principal("them")
    for who in (me, them, me, them):
        assert (await completion.values("tenant", "tenant", who)).values == (f"Tenant of {who.id} (t-1)",)
    assert [principal for _, principal in read] == [me, them]
    now[0] += CACHE_SECONDS
    await completion.values("tenant", "", me)
    assert len(read) == 3
    allowed[0] = False
    assert (await completion.values("tenant", "", me)).values == ()
