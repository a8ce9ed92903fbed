"""Off-boarding: the checklist first, then step by step, with the gate of each step; checked against the sandbox's state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.sandbox.state import uid
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.records import Approval
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.job_data import AOZORA, MIDORI, USER, add_invitation, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL


def open_approval(on: JobServer, operation: str) -> Approval | None:
    waiting = (each for each in on.pipeline.store.list_approvals(on.pipeline.clock()) if each.status == "pending")
    return next((each for each in waiting if each.operation == operation), None)


def approve(on: JobServer, operation: str, status: Any = "approved") -> None:
    found, now = open_approval(on, operation), on.pipeline.clock()
    assert found is not None, f"nobody asked for an approval of {operation}"
    assert on.pipeline.store.decide_approval(found.code, status, by="local:person", at=now, expires_at=now + 600)


async def asks_for(on: JobServer, operation: str) -> None:
    with anyio.fail_after(30):
        while open_approval(on, operation) is None:  # noqa: ASYNC110 - as a person's list of approvals does
            await anyio.sleep(0.01)


@asynccontextmanager
async def running(on: JobServer, name: str, args: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Yield a job in the background, its plan approved; `told` is filled with its report when the block is over."""
    answer = await on.call(name, args)
    assert "saasus-mcp approve" in answer.text
    approve(on, name)
    told: dict[str, Any] = {}

    async def follow() -> None:
        given = await on.call_json(name, args)
        while given["status"] == "running":  # it waits for a person, which the report says at once
            await anyio.sleep(0.05)
            given = await on.call_json("job_status", {"job": given["job"], "wait": 45})
        told.update(given)

    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        yield told


def user_id(on: JobServer, email: str = USER) -> str:
    return next(str(row["id"]) for row in sandbox_state(on.sandbox).rows("users") if row["email"] == email)


async def test_a_plan_alone_is_the_whole_checklist_of_a_person_and_asks_nobody(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        add_invitation(on.sandbox, USER)
        told = await on.call_json("job_offboard_user", {"email": USER, "only_plan": True})
        said = "\n".join(told["notes"])
        for part in (
            "Leaves: “",
            "“株式会社青空商事” (“",
            "(1) withdraw 1 invitation, leave 2 tenants, (2) delete the account, after an approval of its own",
            "Two-factor sign-in: off",
            "API gateway keys of the person: none",
        ):
            assert part in said
        assert told["counts"]["delete_account"] == told["counts"]["invitations"] == 1
        assert {row["outcome"] for row in told["rows"]} == {"planned"}
        assert not [each for each in on.sandbox.requests if each.method != "GET"]


@pytest.mark.slow
async def test_a_person_is_out_of_every_tenant_before_the_account_waits_for_its_own_approval(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        invitation, person = add_invitation(on.sandbox, USER), user_id(on)
        others = [row for row in list_grants(on.sandbox) if row[0] != USER]
        async with running(on, "job_offboard_user", {"email": USER}) as told:
            await asks_for(on, "auth.DeleteSaasUser")
            state = sandbox_state(on.sandbox)
            assert list_grants(on.sandbox) == others, "access is gone at once"
            assert state.find("invitations", MIDORI, invitation) is None
            assert state.find("users", person) is not None
            approve(on, "auth.DeleteSaasUser")
        assert told["status"] == "done"
        assert set(told["counts"]) == {"applied"}
        assert sandbox_state(on.sandbox).find("users", person) is None
        assert list_grants(on.sandbox) == others


@pytest.mark.slow
def test_a_job_that_waits_for_an_approval_outlives_its_server(tmp_path: Path) -> None:
    sandbox = FaultySandbox(load_catalogue())

    async def begin() -> str:
        async with start_job_server(tmp_path, sandbox) as on:
            await on.call("job_offboard_user", {"email": USER})
            approve(on, "job_offboard_user")
            spec = on.runner.specs["job_offboard_user"]
            job = await on.runner.start(spec, Call(spec.name, {"email": USER}, PRINCIPAL))
            await asks_for(on, "auth.DeleteSaasUser")
            assert sandbox_state(sandbox).find("users", user_id(on)) is not None
            return str(job)

    async def go_on(job: str) -> None:
        async with start_job_server(tmp_path, sandbox) as on:
            person = user_id(on)
            approve(on, "auth.DeleteSaasUser")
            assert set((await on.wait_for_job(job))["counts"]) == {"applied"}
            assert sandbox_state(sandbox).find("users", person) is None
            assert on.count_requests("auth.DeleteSaasUser") == 1

    anyio.run(go_on, anyio.run(begin))  # a loop each, as the engine's belongs to one process


@pytest.mark.slow
async def test_where_the_account_is_not_approved_it_stays_and_calling_again_asks_for_the_rest(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        async with running(on, "job_offboard_user", {"email": USER}) as told:
            await asks_for(on, "auth.DeleteSaasUser")
            approve(on, "auth.DeleteSaasUser", "rejected")
        assert told["rows"][0]["outcome"] == "not_applied"
        assert any("Call again" in note for note in told["notes"])
        assert sandbox_state(on.sandbox).find("users", user_id(on)) is not None
        again = await on.call_json("job_offboard_user", {"email": USER, "only_plan": True})
        assert (again["counts"]["memberships"], again["counts"]["delete_account"]) == (0, 1)


async def test_leaving_one_tenant_keeps_the_account_and_is_agreed_to_by_typing_who(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_offboard_user", {"email": USER, "tenant_ids": [AOZORA]}, elicitor=person)
        assert told["counts"] == {"applied": 1}
        assert person.questions[0].name == USER
        assert person.questions[0].message.startswith(f"[SANDBOX] Remove {USER} from 1 tenant\n")
        assert (USER, AOZORA) not in {(row[0], row[2]) for row in list_grants(on.sandbox)}
        assert sandbox_state(on.sandbox).find("users", user_id(on)) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "user_id: give exactly one of"),
        ({"email": USER, "user_id": "x"}, "user_id: give exactly one of"),
        ({"email": "nobody@example.com"}, "email: there is no user “nobody@example.com”"),
        ({"email": USER, "tenant_ids": ["elsewhere"]}, "tenant_ids: there is no tenant of the user “elsewhere”"),
    ],
)
async def test_an_unknown_user_is_reported_by_field(tmp_path: Path, args: dict[str, Any], said: str) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_offboard_user", args, elicitor=AcceptingPerson())
        assert answer.text.startswith(said)
        searching = message("jobs_offboarding.no_user_hint").text("en")
        assert (searching in answer.text) == ("there is no user" in said)
        assert not [each for each in on.sandbox.requests if each.method != "GET"]


async def test_the_checklist_of_a_tenant_names_what_stays_and_who_is_not_affected(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows = sandbox_state(on.sandbox).rows("members")
        members = {row["user_id"] for row in rows if row["tenant_id"] == AOZORA}
        alone = members - {row["user_id"] for row in rows if row["tenant_id"] != AOZORA}
        told = await on.call_json("job_offboard_tenant", {"tenant_id": AOZORA, "only_plan": True})
        said = "\n".join(told["notes"])
        tables = sandbox_state(on.sandbox)
        [unit] = [row["display_name"] for row in tables.rows("metering_units") if row["unit_name"] == "api_calls"]
        assert unit != "api_calls"
        for part in (
            "Contract: “ビジネスプラン”, ends ",
            f"perhaps not billed yet: “{unit}” ",
            f"and {len(alone) - 12} more",
            "withdraw 1 invitation",
            "Stripe: the customer and open invoices stay there",
            "AWS Marketplace: none",
            "SAML: ",
            "API gateway keys: 2 keys",
            "Infrastructure of its own: ",
            "Call again after that",
        ):
            assert part in said
        assert told["counts"]["memberships"] == len(members)
        assert {row["user_id"] for row in told["records"]} == alone
        assert not [each for each in on.sandbox.requests if each.method != "GET"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (None, message("question.nothing")),
        (500, message("question.unread", why=one_of("question.why", "no_answer"))),
    ],
)
async def test_the_checklist_tells_a_customer_who_is_absent_from_stripe_from_one_who_cannot_be_read(
    tmp_path: Path, fault: int | None, said: Message
) -> None:
    async with start_job_server(tmp_path) as on:
        sandbox_state(on.sandbox).drop("stripe_customers", AOZORA)
        if fault:
            on.sandbox.faults.add("status", status=fault, on="auth.GetStripeCustomer")
        told = await on.call_json("job_offboard_tenant", {"tenant_id": AOZORA, "only_plan": True})
        assert f"Stripe: {said.text('en')}" in told["notes"]


@pytest.mark.slow
async def test_the_contract_ends_first_and_the_tenant_goes_when_it_is_over(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        args = {"tenant_id": AOZORA}
        async with running(on, "job_offboard_tenant", args) as told:
            await asks_for(on, "auth.UpdateTenantPlan")
            assert sandbox_state(on.sandbox).get("tenants", AOZORA).get("using_next_plan_from") is None
            approve(on, "auth.UpdateTenantPlan")
        assert (told["status"], set(told["counts"])) == ("done", {"applied"})
        tenant = sandbox_state(on.sandbox).get("tenants", AOZORA)
        assert (tenant["next_plan_id"], tenant["plan_id"]) == ("", uid("plan", "business"))
        assert sandbox_state(on.sandbox).rows("members", AOZORA), "until the contract is over everybody can work"

        waits = await on.call_json("job_offboard_tenant", args)
        assert any("Call again after that" in note for note in waits["notes"]), "nothing to do, and nobody to ask"

        assert tenant["using_next_plan_from"] > datetime.now(UTC).timestamp() + 3600
        sandbox_state(on.sandbox).change("tenants", (AOZORA,), using_next_plan_from=int(datetime.now(UTC).timestamp()))
        await later(on, args)


async def test_the_question_about_a_plan_says_until_when_the_end_of_the_contract_can_be_cancelled(
    on: JobServer,
) -> None:
    answer = await on.call("job_offboard_tenant", {"tenant_id": AOZORA})
    assert "saasus-mcp approve" in answer.text, answer.text
    [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
    warnings = Question.from_json(approval.preview).warnings
    assert warnings[0].text == message("jobs_offboarding.contract_end_cancellable").both()
    assert warnings[1].kind == "money"


async def later(on: JobServer, args: dict[str, Any]) -> None:
    """Return the tenant goes, when its contract is over."""
    others = [row for row in list_grants(on.sandbox) if row[2] != AOZORA]
    async with running(on, "job_offboard_tenant", args) as told:
        await asks_for(on, "auth.DeleteTenant")
        approve(on, "auth.DeleteTenant")
    assert told["status"] == "done"
    assert sandbox_state(on.sandbox).find("tenants", AOZORA) is None
    assert list_grants(on.sandbox) == others


@pytest.mark.slow
async def test_a_tenant_deleted_at_once_has_its_contract_ended_before(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        invitation = add_invitation(on.sandbox, "new@example.com", AOZORA)
        args = {"tenant_id": AOZORA, "delete": "at_once", "contract_ends": "soon"}
        async with running(on, "job_offboard_tenant", args) as told:
            await asks_for(on, "auth.UpdateTenantPlan")
            assert sandbox_state(on.sandbox).find("invitations", AOZORA, invitation) is None
            approve(on, "auth.UpdateTenantPlan")
            await asks_for(on, "auth.DeleteTenant")
            assert sandbox_state(on.sandbox).get("tenants", AOZORA)["next_plan_id"] == ""
            approve(on, "auth.DeleteTenant")
        assert set(told["counts"]) == {"applied"}
        assert sandbox_state(on.sandbox).find("tenants", AOZORA) is None


@pytest.mark.slow
async def test_a_tenant_stays_where_the_end_of_its_contract_is_not_approved(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        args = {"tenant_id": AOZORA, "delete": "at_once"}
        async with running(on, "job_offboard_tenant", args) as told:
            await asks_for(on, "auth.UpdateTenantPlan")
            approve(on, "auth.UpdateTenantPlan", "rejected")
        assert {row["step"]: row["outcome"] for row in told["rows"]}["delete the tenant"] == "not_begun"
        assert on.count_requests("auth.DeleteTenant") == on.count_requests("auth.UpdateTenantPlan") == 0


@pytest.mark.slow
async def test_usage_that_grows_while_a_person_thinks_does_not_void_their_yes(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        state = sandbox_state(on.sandbox)
        assert state.rows("usage", AOZORA)
        async with running(on, "job_offboard_tenant", {"tenant_id": AOZORA}) as told:
            state.rewrite("usage", lambda row: {**row, "count": row["count"] + 1})
            await asks_for(on, "auth.UpdateTenantPlan")
            approve(on, "auth.UpdateTenantPlan")
        assert set(told["counts"]) == {"applied"}


async def test_a_policy_that_forbids_a_part_of_it_says_which_and_nothing_goes(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=PRESETS["read-only"]) as on:
        answer = await on.call("job_offboard_tenant", {"tenant_id": AOZORA}, elicitor=AcceptingPerson())
        assert not answer.ok
        assert "auth_update_tenant_plan" in answer.text
        assert not [each for each in on.sandbox.requests if each.method != "GET"]
