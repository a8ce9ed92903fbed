"""Calls that cannot succeed: no target, a failed requirement, or no change. The person is not asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.confirmation import FIELD_NAME, FIELD_YES, ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store import Store
from scripts.stage import NOW as STORY
from scripts.story import FIRST, values_for
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline

NOW = 1_790_000_000
HOUR = 3_600


@dataclass
class Person:
    """Confirms everything and remembers the questions."""

    asked: list[ConfirmationPrompt] = field(default_factory=list)

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        self.asked.append(question)
        return ClientAnswer("accept", {FIELD_YES: True} if question.name is None else {FIELD_NAME: question.name})


@dataclass
class SandboxClient:
    """A person at a client of a server in front of the sandbox."""

    behind: Pipeline
    person: Person
    sandbox: Sandbox
    unasked: Pipeline

    async def outright(self, call: Call) -> ToolAnswer:
        """Return the answer of a call without a question."""
        answer = await self.unasked.run(call)
        assert not isinstance(answer, PendingElicitation)
        return answer

    async def call(self, name: str, args: dict[str, Any], **given: Any) -> ToolAnswer:
        answer = await self.behind.run(Call(name, args, PRINCIPAL, elicitor=self.person, **given))
        assert not isinstance(answer, PendingElicitation)
        return answer

    async def read(self, name: str, **args: Any) -> Any:
        answer = await self.call(name, args)
        assert answer.ok, answer.text
        return answer.structured

    async def tenant(self) -> dict[str, Any]:
        tenants = (await self.read("auth_get_tenants"))["tenants"]
        found: dict[str, Any] = next(each for each in tenants if each.get("plan_id"))
        return found

    async def refused(self, name: str, args: dict[str, Any], words: str, why: str) -> None:
        """Check that the call ends before a question and a send, with this reason in the audit log."""
        before = len(self.writes())
        given = await self.call(name, args)
        assert not given.ok
        assert given.applied == "not_applied"
        assert words in given.text
        assert self.person.asked == []
        assert self.behind.store.list_approvals(NOW) == []
        assert len(self.writes()) == before
        assert self.last()["refused"] == why

    def writes(self) -> list[str]:
        catalogue = self.behind.catalogue
        return [each.operation for each in self.sandbox.requests if not catalogue.find(each.operation).reads]

    def last(self) -> dict[str, Any]:
        """Return the last record of the caller's own calls."""
        return [each for each in self.behind.store.audit_records() if "parent" not in each][-1]


@asynccontextmanager
async def sandbox_client(
    catalogue: Catalogue, policy: Policy = PRESETS["guarded"], language: Language = "en", now: float = NOW
) -> AsyncIterator[SandboxClient]:
    def clock() -> datetime:
        return datetime.fromtimestamp(now, UTC)

    sandbox, store = Sandbox(catalogue, clock=clock), Store.in_memory()
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock) as client:
        given: dict[str, Any] = {
            "catalogue": catalogue,
            "client": client,
            "open_store": lambda: store,
            "encryptor": Encryptor.ephemeral(),
            "destination": Destination("sandbox", CREDENTIALS.saas_id, sandbox=True),
            "language": language,
            "clock": lambda: now,
        }
        unasked = Pipeline(policy=UnsafeAllowAllPolicy(), **given)
        yield SandboxClient(Pipeline(policy=policy, **given), Person(), sandbox, unasked)
    store.close()


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


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"next_plan_id": ""}, "no reserved plan change"),
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
            ("auth_update_user_mfa_preference", {"user_id": user, "enabled": True}, "method: It is required"),
            ("auth_create_tenant_user", member, "attributes: An attribute is not defined"),
            ("auth_create_tenant_invitation", {**invite, "access_token": ""}, "access_token: it is empty"),
            ("auth_create_tenant_invitation", {**invite, "access_token": ""}, "job_import_users"),
            (
                "auth_create_tenant_invitation",
                {**invite, "envs": [{"id": 9, "role_names": []}]},
                "envs: There is no such",
            ),
            ("auth_delete_env", {"env_id": 3}, "Environment 3 (prod) cannot be deleted"),
            (
                "auth_update_basic_info",
                {**domain, "domain_name": "https://login.example.com"},
                "domain_name: Send the host",
            ),
            ("pricing_update_meter_count", {**count, "metering_unit_name": "nope"}, "no metering unit of this name"),
            ("pricing_update_meter_count", {**count, "timestamp": NOW * 1000}, "timestamp: These are milliseconds"),
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
    for operation in catalogue:
        if operation.reads:
            continue
        async with sandbox_client(catalogue, PRESETS["strict"], now=STORY.timestamp()) as on:
            if operation.key in FIRST:
                key, more = FIRST[operation.key]
                before = {**values_for(catalogue.find(key)), **more}
                assert (await on.outright(Call(key, before, PRINCIPAL))).applied == "applied"
            given = await on.behind.run(Call(operation.tool, values_for(operation), PRINCIPAL))
            assert isinstance(given, ToolAnswer)
            assert given.why == "approval", f"{operation.key}: {given.text}"


# -- what would change nothing -----------------------------------------------------------------------------------------


async def test_a_call_that_changes_nothing_succeeds_without_being_sent(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        user = (await on.read("auth_get_saas_users"))["users"][0]
        present = await on.read("auth_get_user_mfa_preference", user_id=user["id"])
        args = {"user_id": user["id"], **{name: present[name] for name in ("enabled", "method") if name in present}}
        given = await on.call("auth_update_user_mfa_preference", args)
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


async def test_a_member_is_not_added_again_and_a_count_of_zero_is_not_added(catalogue: Catalogue) -> None:
    async with sandbox_client(catalogue) as on:
        members = (await on.read("auth_get_all_tenant_users"))["users"]
        for login in ("email", "sign_in_id"):
            member = next(each for each in members if each[login])
            again = {"tenant_id": member["tenant_id"], login: member[login], "attributes": {}}
            await on.refused("auth_create_tenant_user", again, "a member of the tenant already", "precondition")
        tenant = {"tenant_id": members[0]["tenant_id"]}
        for tool, more in (("pricing_update_meter_count", {"timestamp": NOW}), ("pricing_update_meter_count_now", {})):
            for method in ("add", "sub"):
                count = {**tenant, "metering_unit_name": "orders", "method": method, "count": 0, **more}
                await on.refused(tool, count, "count: ", "precondition")


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
