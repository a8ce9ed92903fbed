"""Calls that cannot succeed: no target, a failed requirement, or no change. The person is not asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.sandbox.state import uid
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.store import Store
from scripts.stage import NOW as STORY
from scripts.story import FIRST, values_for
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.sandbox_client import HOUR, NOW, Person, sandbox_client
from tests.support.variants import sample_operations

# -- what is gone ------------------------------------------------------------------------------------------------------


async def test_a_target_that_is_not_there_ends_the_call_before_anybody_is_asked(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = (await on.tenant())["id"]
        grant = {"tenant_id": tenant, "env_id": 3, "role_names": ["admin"]}
        for tool, args in (
            ("auth_delete_tenant", {"tenant_id": "gone"}),
            ("auth_delete_tenant_invitation", {"tenant_id": tenant, "invitation_id": "gone"}),
            ("auth_delete_role", {"role_name": "gone"}),
            ("auth_create_tenant_user_roles", {**grant, "user_id": "gone"}),
            ("auth_reset_saas_user_password", {"user_id": "gone"}),
            ("pricing_delete_pricing_plan", {"plan_id": "gone"}),
        ):
            await on.refused(tool, args, "“gone”", "not_found")


async def test_the_model_reads_it_in_english_and_a_person_in_their_language(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue, language="ja") as on:
        answer = await on.call("auth_delete_tenant", {"tenant_id": "gone"})
        assert "tenant_id “gone”" in answer.text
        assert "tenant_id 「gone」に該当する対象が見つかりません" in answer.explain("ja")


@pytest.mark.parametrize("status", [403, 500])
async def test_another_failure_to_see_the_target_asks_and_says_so(
    catalogue: Catalogue, store: Store, status: int
) -> None:
    api, person = StubApi(catalogue, answers={"auth.GetTenantUser": httpx2.Response(status)}), Person()
    args = {"tenant_id": "t", "user_id": "u"}
    given = await build_pipeline(api, store).run(Call("auth_delete_tenant_user", args, PRINCIPAL, elicitor=person))
    assert isinstance(given, ToolAnswer)
    assert given.ok, given.text
    [asked] = person.asked
    assert f"HTTP {status}" in asked.message


async def test_an_answer_without_the_list_in_which_the_target_is_looked_for_does_not_say_that_it_is_gone(
    catalogue: Catalogue, store: Store
) -> None:
    api = StubApi(catalogue, answers={"auth.GetRoles": {}})
    given = await build_pipeline(api, store).run(Call("auth_delete_role", {"role_name": "admin"}, PRINCIPAL))
    assert isinstance(given, ToolAnswer)
    assert given.why == "approval"


# -- what the rows require ---------------------------------------------------------------------------------------------


NOT_READABLE = {"auth.ConfirmEmailUpdate", "auth.ConfirmExternalUserLink", "auth.ConfirmSignUpWithAwsMarketplace"}
"""Operations that the API refuses for a reason that no read shows."""


async def test_nobody_is_asked_to_repeat_what_the_api_would_refuse(catalogue: Catalogue) -> None:
    asking = [each for each in catalogue if not each.level.startswith("read") and each.level != "write"]
    for operation in sample_operations(asking, "repeat"):
        async with sandbox_client(catalogue, now=STORY.timestamp()) as on:
            if story := FIRST.get(operation.key):
                key, more = story
                first = catalogue.find(key)
                await on.outright(Call(first.tool, {**values_for(first), **more}, PRINCIPAL))
            call = Call(operation.tool, values_for(operation), PRINCIPAL)
            assert (await on.outright(call)).ok, operation.key
            again = await on.call(operation.tool, values_for(operation))
            if on.person.asked or again.why == "approval":
                repeated = await on.outright(call) if again.why == "approval" else again
                assert repeated.ok or operation.key in NOT_READABLE, f"{operation.key}: {repeated.text}"


@pytest.mark.parametrize(
    ("tool", "wrong", "words"),
    [
        ("apigateway_create_api_key", {"user_id": "nobody"}, "user_id: The tenant has no such user"),
        ("apigateway_update_tenant", {"allowed_ips": ["192.0.2.0/24", "999.1.1.1/24"]}, "“999.1.1.1/24”"),
        ("apigateway_update_tenant", {"allowed_ips": ["０.0.0.0/0"]}, "allowed_ips: This is not a range"),
        ("auth_get_auth_credentials", {"code": None}, "Send code, or refresh-token"),
        ("auth_sign_in", {"sign_in_parameters": {}}, "USER_SRP_AUTH needs"),
        ("auth_sign_up", {"email": "minami.aozora@example.jp"}, "A user has this address already"),
        ("awsmarketplace_create_customer", {"tenant_id": uid("tenant", "harbor")}, "bound to a contract"),
        ("pricing_create_tax_rate", {"percentage": 800}, "percentage: It must lie between 0 and 100"),
        ("pricing_create_tax_rate", {"percentage": -0.5}, "percentage: It must lie between 0 and 100"),
    ],
)
async def test_a_value_that_cannot_be_is_named_before_anybody_is_asked(
    catalogue: Catalogue, tool: str, wrong: dict[str, Any], words: str
) -> None:
    async with sandbox_client(catalogue, now=STORY.timestamp()) as on:
        args = {**values_for(catalogue.find(tool)), **wrong}
        args = {name: value for name, value in args.items() if value is not None}
        await on.refused(tool, args, words, "precondition")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"next_plan_id": "business"}, "next_plan_id: There is no plan with this id"),
        ({"using_next_plan_from": (NOW + HOUR) * 1000}, "using_next_plan_from: These are milliseconds"),
        ({"using_next_plan_from": NOW + 299}, "using_next_plan_from: It must lie at least five minutes ahead"),
        ({"using_next_plan_from": 1}, "using_next_plan_from: It must lie between"),
        ({"next_plan_tax_rate_id": "10%"}, "next_plan_tax_rate_id: There is no tax rate"),
    ],
)
async def test_a_plan_change_that_cannot_be_is_not_asked_about(
    catalogue: Catalogue, more: dict[str, Any], words: str
) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = await on.tenant()
        args = {"tenant_id": tenant["id"], "next_plan_id": tenant["plan_id"], **more}
        await on.refused("auth_update_tenant_plan", args, words, "precondition")


async def test_the_first_of_this_month_is_soon_enough_only_with_stripe(catalogue: Catalogue) -> None:
    first = int(datetime.fromtimestamp(NOW, UTC).replace(day=1, hour=0, minute=0, second=0).timestamp())
    for connected in (True, False):
        async with sandbox_client(catalogue) as on:
            tenant = await on.tenant()
            on.sandbox.state.put("documents", ("/v1/billing/stripe/info",), {"is_registered": connected})
            args = {"tenant_id": tenant["id"], "next_plan_id": tenant["plan_id"], "using_next_plan_from": first}
            given = await on.call("auth_update_tenant_plan", args)
            assert given.why == ("approval" if connected else "precondition"), given.text


async def test_a_reservation_is_dropped_until_ten_minutes_before(catalogue: Catalogue) -> None:
    for seconds, why in ((HOUR, "approval"), (599, "precondition")):
        async with sandbox_client(catalogue) as on:
            tenant = await on.tenant()
            reserved = {**tenant, "next_plan_id": tenant["plan_id"], "using_next_plan_from": NOW + seconds}
            on.sandbox.state.put("tenants", (tenant["id"],), reserved)
            given = await on.call("auth_update_tenant_plan", {"tenant_id": tenant["id"], "next_plan_id": ""})
            assert given.why == why, given.text


async def test_preconditions_are_checked_before_a_person_is_asked(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = (await on.tenant())["id"]
        user = (await on.read("auth_get_tenant_users", tenant_id=tenant))["users"][0]["id"]
        meter = (await on.read("pricing_get_metering_units"))["units"][0]["unit_name"]
        who = {"tenant_id": tenant, "user_id": user}
        grant = {**who, "env_id": 3, "role_names": ["admin"]}
        count = {"tenant_id": tenant, "metering_unit_name": meter, "timestamp": NOW, "method": "add", "count": 1}
        invite = {"tenant_id": tenant, "email": "a@example.jp", "access_token": "token", "envs": []}
        domain = {"from_email_address": "a@example.jp"}
        member = {"tenant_id": tenant, "email": "somebody@example.jp", "attributes": {"nope": "x"}}
        for tool, args, words in (
            ("auth_create_tenant_user_roles", {**grant, "env_id": 9}, "env_id: There is no such environment"),
            ("auth_create_tenant_user_roles", {**grant, "role_names": ["boss"]}, "role_names: There is no such role"),
            ("auth_create_tenant_user_roles", {**grant, "role_names": ["admin", "boss"]}, "Not accepted: “boss”."),
            ("auth_update_user_mfa_preference", {"user_id": user, "enabled": True}, "method: It is required"),
            ("auth_create_tenant_user", member, "attributes: An attribute is not defined"),
            ("auth_create_tenant_user", member, "Not accepted: “nope”."),
            (
                "auth_create_tenant_user_roles",
                {**grant, "role_names": ["boss", "boss", *["other"] * 50, "worse"]},
                "Not accepted: “boss”, “other”, “worse”.",
            ),
            ("auth_create_tenant_invitation", {**invite, "access_token": ""}, "access_token: it is empty"),
            ("auth_create_tenant_invitation", {**invite, "access_token": ""}, "job_import_users"),
            (
                "auth_create_tenant_invitation",
                {**invite, "envs": [{"id": 3, "role_names": []}, {"id": 9, "role_names": []}]},
                "Not accepted: “envs[1]”.",
            ),
            (
                "auth_update_saas_user_email",
                {"user_id": user, "email": "akane.hoshino@example.jp"},
                "email: Another user has this address",
            ),
            (
                "auth_create_tenant_invitation",
                {**invite, "email": "akane.hoshino@example.jp"},
                "email: This person is a member",
            ),
            ("integration_create_event_bridge_event", {"event_messages": []}, "event_messages: It is empty"),
            ("auth_delete_env", {"env_id": 3}, "Environment 3 (prod) cannot be deleted"),
            (
                "auth_update_basic_info",
                {**domain, "domain_name": "https://login.example.com"},
                "domain_name: Send the host",
            ),
            ("pricing_update_meter_count", {**count, "metering_unit_name": "nope"}, "no metering unit of this name"),
            ("pricing_update_meter_count", {**count, "timestamp": NOW * 1000}, "timestamp: These are milliseconds"),
            ("pricing_update_meter_count", {**count, "count": -1}, "count: It must be 0 or more"),
        ):
            await on.refused(tool, args, words, "precondition")


async def test_a_read_with_milliseconds_says_so(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        given = await on.call("apilog_get_logs", {"start_at": NOW * 1000})
    assert "start_at: These are milliseconds" in given.text
    assert on.sandbox.requests == []


@pytest.mark.parametrize("answer", [httpx2.Response(500), {}, {"envs": None}])
async def test_an_unknown_change_is_left_to_the_person(catalogue: Catalogue, store: Store, answer: Any) -> None:
    api, person = StubApi(catalogue, answers={"auth.GetEnvs": answer}), Person()
    args = {"tenant_id": "t", "user_id": "u", "env_id": 9, "role_names": ["admin"]}
    await build_pipeline(api, store).run(Call("auth_create_tenant_user_roles", args, PRINCIPAL, elicitor=person))
    assert len(person.asked) == 1


async def test_preconditions_of_the_question_must_hold_after_the_answer(catalogue: Catalogue, store: Store) -> None:
    member = {"id": "u", "tenant_id": "t", "tenant_name": "T", "email": "a@example.jp", "sign_in_id": "", "envs": []}
    api = StubApi(catalogue, answers={"auth.GetTenantUser": member})

    class Slow(Person):
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
            api.answers["auth.GetTenantUser"] = httpx2.Response(404)
            return await super().ask(question)

    person = Slow()
    args = {"tenant_id": "t", "user_id": "u", "env_id": 1, "role_names": ["admin"]}
    given = await build_pipeline(api, store).run(
        Call("auth_create_tenant_user_roles", args, PRINCIPAL, elicitor=person)
    )
    assert isinstance(given, ToolAnswer)
    assert given.why in ("precondition", "not_found")
    assert len(person.asked) == 1
    assert api.writes == []


@pytest.mark.slow
async def test_no_requirement_stands_in_the_way_of_a_call_that_succeeds(catalogue: Catalogue) -> None:
    writes = [operation for operation in catalogue if not operation.reads]
    for operation in sample_operations(writes, "no requirement stands in the way"):
        async with sandbox_client(catalogue, PRESETS["strict"], now=STORY.timestamp()) as on:
            if operation.key in FIRST:
                key, more = FIRST[operation.key]
                before = {**values_for(catalogue.find(key)), **more}
                assert (await on.outright(Call(key, before, PRINCIPAL))).applied == "applied"
            given = await on.behind.run(Call(operation.tool, values_for(operation), PRINCIPAL))
            assert isinstance(given, ToolAnswer)
            assert given.why == "approval", f"{operation.key}: {given.text}"


# -- too many ----------------------------------------------------------------------------------------------------------


async def test_at_the_limit_the_approvals_that_wait_are_named(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        users = (await on.read("auth_get_saas_users"))["users"][:6]
        for user in users[:5]:
            await on.behind.run(Call("auth_delete_saas_user", {"user_id": user["id"]}, PRINCIPAL))
        given = await on.behind.run(Call("auth_delete_saas_user", {"user_id": users[5]["id"]}, PRINCIPAL))
        assert isinstance(given, ToolAnswer)
        waiting = on.behind.store.list_approvals(NOW)
        assert len(waiting) == 5
        for approval in waiting:
            line = next(line for line in given.text.splitlines() if approval.code in line)
            assert approval.name in line
            assert "15 minutes left" in line
        assert "`saasus-mcp approvals`" in given.text
