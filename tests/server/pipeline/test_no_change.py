"""Calls that would change nothing, or have a value that cannot be: nothing is sent, and the person is not asked."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox.state import uid
from saasus_mcp.server.pipeline.call import Call
from tests.support.pipeline import PRINCIPAL
from tests.support.sandbox_client import NOW, sandbox_client

GATEWAY = "/v1/apigateway/settings"
RESERVED = {"next_plan_id": "", "using_next_plan_from": NOW + 86_400}
"""The end of a contract, reserved."""


async def test_a_call_that_changes_nothing_succeeds_without_being_sent(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        present = (await on.read("auth_get_tenants"))["tenants"][0]
        fields = ("name", "attributes", "back_office_staff_email")
        args = {"tenant_id": present["id"], **{name: present[name] for name in fields}}
        given = await on.call("auth_update_tenant", args)
        assert (given.ok, given.applied, given.structured) == (True, "not_applied", {"applied": False})
        assert "Nothing would change" in given.text
        assert (on.person.asked, on.writes()) == ([], [])
        assert on.last()["refused"] == "no_change"


async def test_an_addition_that_is_there_and_a_removal_of_what_is_not_change_nothing(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        members = (await on.read("auth_get_all_tenant_users"))["users"]
        member = next(each for each in members if any(env["roles"] for env in each["envs"]))
        env = next(each for each in member["envs"] if each["roles"])
        [feedback] = (await on.read("communication_get_feedbacks"))["feedbacks"][:1]
        no_voter = next(each["id"] for each in members if {"user_id": each["id"]} not in feedback["users"])
        grant = {"tenant_id": member["tenant_id"], "user_id": member["id"], "env_id": env["id"]}
        unused = {"tenant_id": member["tenant_id"], "metering_unit_name": "orders", "timestamp": 1_000_000_000}
        for tool, args in (
            ("auth_create_tenant_user_roles", {**grant, "role_names": [each["role_name"] for each in env["roles"]]}),
            ("auth_create_tenant_user_roles", {**grant, "role_names": []}),
            ("communication_delete_vote_for_feedback", {"feedback_id": feedback["id"], "user_id": no_voter}),
            ("pricing_delete_meter_count", unused),
        ):
            given = await on.call(tool, args)
            assert (given.ok, given.applied, given.why) == (True, "not_applied", "no_change"), given.text
        assert (on.person.asked, on.writes()) == ([], [])
        others = [each["role_name"] for each in (await on.read("auth_get_roles"))["roles"]]
        await on.call("auth_create_tenant_user_roles", {**grant, "role_names": others})
        assert len(on.person.asked) == 1, "some of the roles are new"


async def test_a_switch_that_is_off_and_a_mark_that_is_set_change_nothing(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = {"tenant_id": (await on.tenant())["id"]}
        used = [each["id"] for each in (await on.read("pricing_get_pricing_plans"))["pricing_plans"] if each["used"]]
        [linked, *_] = (await on.read("awsmarketplace_get_plans"))["plans"]
        await on.outright(Call("integration_delete_event_bridge_settings", {}, PRINCIPAL))
        sent = len(on.writes())
        for tool, args in (
            ("auth_update_tenant_identity_provider", {**tenant, "provider_type": "SAML"}),
            ("pricing_update_pricing_plans_used", {"plan_ids": used}),
            ("awsmarketplace_save_plan", linked),
            ("integration_delete_event_bridge_settings", {}),
        ):
            given = await on.call(tool, args)
            assert (given.ok, given.why) == (True, "no_change"), given.text
        assert (on.person.asked, len(on.writes())) == ([], sent)


async def test_a_call_whose_effect_is_there_already_is_no_fault(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        member = (await on.read("auth_get_all_tenant_users"))["users"][0]
        person = {"tenant_id": member["tenant_id"], "user_id": member["id"]}
        roles = {each["role_name"] for each in (await on.read("auth_get_roles"))["roles"]}
        env = next(each for each in member["envs"] if each["roles"])
        other = min(roles - {each["role_name"] for each in env["roles"]})
        role = {**person, "env_id": env["id"], "role_name": other}
        count = {"tenant_id": member["tenant_id"], "metering_unit_name": "orders", "count": 0}
        on.sandbox.state.put("documents", ("/v1/billing/stripe/info",), {"is_registered": False})
        gateway = on.sandbox.state.get("documents", GATEWAY)
        for status, tool, args, words in (
            ("", "auth_update_user_mfa_preference", {"user_id": member["id"], "enabled": False}, "is off already."),
            ("", "auth_delete_tenant_user_role", role, "The user does not hold this role in this environment."),
            ("", "billing_delete_stripe_info", {}, "Stripe is not connected."),
            ("published", "apigateway_publish_api_gateway", {}, "The API gateway is published already."),
            ("unpublished", "apigateway_unpublish_api_gateway", {}, "The API gateway is not published."),
            ("created", "apigateway_unpublish_api_gateway", {}, "The API gateway is not published."),
            ("", "pricing_update_meter_count", {**count, "timestamp": NOW, "method": "add"}, "subtract is 0."),
            ("", "pricing_update_meter_count_now", {**count, "method": "sub"}, "subtract is 0."),
        ):
            on.sandbox.state.put("documents", (GATEWAY,), {**gateway, "status": status or gateway["status"]})
            given = await on.call(tool, args)
            assert (given.ok, given.applied, given.why) == (True, "not_applied", "no_change"), given.text
            assert words in given.text
        assert (on.person.asked, on.writes()) == ([], [])
        await on.refused("auth_delete_tenant_user_role", {**role, "role_name": "boss"}, "no such role", "precondition")
        await on.refused("auth_delete_tenant_user_role", {**role, "env_id": 9}, "no such environment", "precondition")


async def test_a_count_that_is_recorded_already_changes_nothing(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        args = {"tenant_id": (await on.tenant())["id"], "metering_unit_name": "orders", "timestamp": NOW - 3_600}
        args |= {"method": "direct", "count": 7}
        await on.outright(Call("pricing_update_meter_count", args, PRINCIPAL))
        given = await on.call("pricing_update_meter_count", args)
        assert (given.ok, given.applied, given.why) == (True, "not_applied", "no_change"), given.text
        assert (on.person.asked, len(on.writes())) == ([], 1)
        others: list[dict[str, Any]] = [{"timestamp": NOW - 3_601, "count": 0}, {"method": "add"}, {"count": 8}]
        for other in others:
            await on.call("pricing_update_meter_count", {**args, **other})
        assert len(on.person.asked) == len(others)


@pytest.mark.parametrize(
    ("reserved", "other"),
    [
        ({}, {"using_next_plan_from": NOW + 90_000}),
        ({}, {"next_plan_id": ""}),
        ({}, {"next_plan_tax_rate_id": uid("tax", "us_zero")}),
        ({"next_plan_tax_rate_id": uid("tax", "us_zero")}, {"next_plan_tax_rate_id": uid("tax", "jp_consumption_10")}),
        ({}, {"proration_behavior": "create_prorations"}),
        ({"proration_behavior": "none"}, {"proration_behavior": "always_invoice"}),
        ({"next_plan_id": ""}, {"delete_usage": True}),  # erases the usage since the first call
    ],
)
async def test_a_plan_change_that_is_reserved_already_changes_nothing(
    catalogue: Catalogue, reserved: dict[str, Any], other: dict[str, Any]
) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = await on.tenant()
        change = {"tenant_id": tenant["id"], "next_plan_id": tenant["plan_id"], "using_next_plan_from": NOW + 86_400}
        change |= reserved
        await on.outright(Call("auth_update_tenant_plan", change, PRINCIPAL))
        given = await on.call("auth_update_tenant_plan", change)
        assert (given.ok, given.why) == (True, "no_change"), given.text
        assert "Exactly this plan change is reserved already." in given.text
        given = await on.call("auth_update_tenant_plan", {**change, **other})
        assert (given.why, len(on.writes())) == ("approval", 1), given.text


@pytest.mark.parametrize(
    ("more", "given", "why"),
    [
        ({}, {}, "no_change"),
        ({}, {"delete_usage": True}, "approval"),
        ({"plan_id": ""}, {"using_next_plan_from": NOW + 86_400}, "no_change"),
        ({"plan_id": ""}, {"using_next_plan_from": NOW + 86_400, "delete_usage": True}, "approval"),
        ({"plan_id": "", **RESERVED}, {"using_next_plan_from": NOW + 90_000}, "approval"),
        ({**RESERVED, "delete_usage": True}, {"using_next_plan_from": NOW + 86_400}, "approval"),
        ({**RESERVED, "delete_usage": True}, {"using_next_plan_from": NOW + 86_400, "delete_usage": True}, "approval"),
        (RESERVED, {}, "approval"),
    ],
)
async def test_an_end_or_a_cancellation_is_asked_about_if_it_could_have_an_effect(
    catalogue: Catalogue, more: dict[str, Any], given: dict[str, Any], why: str
) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = await on.tenant()
        on.sandbox.state.put("tenants", (tenant["id"],), {**tenant, **more})
        answer = await on.call("auth_update_tenant_plan", {"tenant_id": tenant["id"], "next_plan_id": "", **given})
        assert (answer.why, on.writes()) == (why, []), answer.text


async def test_a_member_is_not_added_again(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        members = (await on.read("auth_get_all_tenant_users"))["users"]
        for login in ("email", "sign_in_id"):
            member = next(each for each in members if each[login])
            again = {"tenant_id": member["tenant_id"], login: member[login], "attributes": {}}
            await on.refused("auth_create_tenant_user", again, "a member of the tenant already", "precondition")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"employees": "12"}, {"employees": 12}),
        ({"employees": True}, {"employees": 12.5}),
        ({"on_trial": "maybe"}, {"on_trial": True}),
        ({"on_trial": 1}, {"on_trial": None}),
        ({"industry": 7}, {"industry": "7"}),
        ({"contracted_on": "2026/01/31"}, {"contracted_on": "2026-01-31"}),
        ({"contracted_on": "2026-13-01"}, {"contracted_on": "2026-12-01"}),
    ],
)
async def test_a_value_that_does_not_fit_its_attribute_ends_the_call(
    catalogue: Catalogue, wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = await on.tenant()
        settings = {name: tenant[name] for name in ("name", "attributes", "back_office_staff_email")}
        settings |= {"tenant_id": tenant["id"]}
        words = "attributes: A value is not of its attribute's type"
        wrong_values = {**settings, "attributes": {**settings["attributes"], **wrong}}
        await on.refused("auth_update_tenant", wrong_values, words, "precondition")
        await on.call("auth_update_tenant", {**settings, "attributes": {**settings["attributes"], **right}})
        assert len(on.person.asked) == 1


async def test_a_difference_a_possible_loss_or_a_hidden_value_is_asked_about(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        tenant = await on.tenant()
        same = {name: tenant[name] for name in ("name", "attributes", "back_office_staff_email")}
        settings = {"tenant_id": tenant["id"], **same}
        assert (await on.call("auth_update_tenant", settings)).why == "no_change"
        some = dict(list(same["attributes"].items())[1:])
        for changed in ({"name": "x"}, {"attributes": some}):
            on.person.asked.clear()
            assert (await on.call("auth_update_tenant", {**settings, **changed})).why == ""
            assert len(on.person.asked) == 1
        # Two of its nine parts: what becomes of the others is not documented.
        mails = await on.read("auth_find_notification_messages")
        some = {name: mails[name] for name in list(mails)[:2]}
        assert (await on.call("auth_update_notification_messages", some)).why != "no_change"
        # A secret is never shown, so nothing tells whether it is the same.
        market = await on.read("awsmarketplace_get_settings")
        given = await on.call("awsmarketplace_update_settings", {**market, "role_external_id": "same?"})
        assert given.why != "no_change"


async def test_a_call_that_nobody_is_asked_about_goes_all_the_same(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        [role] = (await on.read("auth_get_roles"))["roles"][:1]
        given = await on.call(
            "auth_update_role", {"role_name": role["role_name"], "display_name": role["display_name"]}
        )
        assert given.applied == "applied"


async def test_an_update_without_a_field_is_refused_with_the_fields_that_there_are(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        for operation in catalogue:
            required = set(operation.input_schema.get("required", ()))
            fields = operation.input_schema.get("properties", {}).keys() - set(operation.addressing)
            if operation.body and not fields & required and not operation.exactly_one:
                given = await on.call(operation.tool, dict.fromkeys(required, "x"))
                assert "needs at least one field" in given.text
                assert all(name in given.text for name in fields)
        assert on.sandbox.requests == []
