"""A pause never widens a consent: who may resume a job, and what is decided on again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from saasus_mcp.jobs import pause_gate
from saasus_mcp.permissions.policy.model import BulkLimits, Principal
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store.job_records import GRANT_SECONDS
from saasus_mcp.store.records import Freeze
from tests.support.job_data import add_tenants, sandbox_state
from tests.support.job_server import AcceptingPerson, hold_calls, start_job_server
from tests.support.paused_jobs import (
    CALLS,
    CHANGE,
    PEOPLE,
    approved_list,
    changes,
    control,
    gate_asked_again,
    pause_in_terminal,
    paused_import,
    paused_list,
    refusal,
    resume_in_terminal,
    sends,
    status_of,
    until,
)
from tests.support.pipeline import PRINCIPAL
from tests.support.policies import replace_policy


@pytest.fixture(autouse=True)
def fast_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause_gate, "POLL_SECONDS", 0.02)


async def test_the_model_cannot_resume_a_job_that_a_person_paused(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, _ = await paused_import(on)
        pause_in_terminal(on, job)
        told = await status_of(on, job, "paused")
        assert f"saasus-mcp job resume {job}" in told["hint"]
        assert "local:person paused this job" in await refusal(on, job, "resume")
        sent = sends(on)
        await control(on, job, "pause")
        assert "local:person paused this job" in await refusal(on, job, "resume"), "another pause takes nothing over"
        assert sends(on) == sent
        resume_in_terminal(on, job)
        assert (await on.wait_for_job(job))["counts"] == {"applied": 2 * PEOPLE}


async def test_only_the_owner_controls_a_job_and_only_over_a_connection_that_offers_it(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, _ = await paused_import(on)
        callers = [
            Principal("local:stranger"),
            replace(PRINCIPAL, narrowing=Narrowing(exclude=frozenset({"job_import_users"}))),
            replace(PRINCIPAL, narrowing=Narrowing(exclude=frozenset({"job_control"}))),
            replace(PRINCIPAL, narrowing=Narrowing(exclude=frozenset({"auth_create_saas_user"}))),
            replace(PRINCIPAL, narrowing=Narrowing(read_only=True)),
        ]
        for who in callers:
            assert not (await on.call("job_control", {"job": job, "action": "resume"}, who=who)).ok
            assert (await on.call_json("job_status", {"job": job}))["status"] == "paused"
        narrow = replace(PRINCIPAL, narrowing=Narrowing(exclude=frozenset({"job_control"})))
        assert not (await on.call("job_cancel", {"job": job}, who=narrow)).ok, "the former name is excluded, too"


async def test_a_freeze_pauses_a_list_and_only_a_person_lets_it_go_on_after_the_thaw(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await approved_list(on, await changes(on, CALLS))
        await until(lambda: on.count_requests(CHANGE) >= 3)
        store = on.pipeline.store
        store.freeze(Freeze(0.0, "local:person", "stop", on.pipeline.destination.profile))
        told = await status_of(on, job, "paused")
        assert (told["paused"]["by"], told["paused"]["side"]) == ("local:person", "freeze")
        made = on.count_requests(CHANGE)
        assert 0 < made < CALLS
        with pytest.raises(CallRefused, match="frozen by local:person") as frozen:
            resume_in_terminal(on, job)
        assert f"`saasus-mcp unfreeze --profile {on.pipeline.destination.profile}`" in str(frozen.value)
        store.unfreeze(on.pipeline.destination.profile)
        assert "froze the writes" in await refusal(on, job, "resume")
        await gate_asked_again(on)
        assert on.count_requests(CHANGE) == made
        resume_in_terminal(on, job)
        assert (await on.wait_for_job(job))["counts"] == {"applied": CALLS}
        assert on.count_requests(CHANGE) == CALLS, "no call was sent twice"


async def test_a_policy_that_became_stricter_during_the_pause_decides_on_the_rest(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, made = await paused_list(on)
        replace_policy(on.pipeline, replace(PRESETS["guarded"], bulk=BulkLimits(critical="never")))
        await control(on, job, "resume")
        told = await on.wait_for_job(job)
        assert told["counts"]["applied"] == made == on.count_requests(CHANGE)


async def test_two_people_are_needed_from_the_moment_the_policy_demands_them(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await approved_list(on, await changes(on, CALLS), by=PRINCIPAL.id)
        await until(lambda: on.count_requests(CHANGE) >= 3)
        await control(on, job, "pause")
        made = on.count_requests(CHANGE)
        replace_policy(on.pipeline, replace(PRESETS["guarded"], two_person=True))
        await control(on, job, "resume")
        await on.wait_for_job(job)
        assert on.count_requests(CHANGE) == made, "the requester's own approval covers nothing any more"


async def test_a_tenant_that_changed_during_the_pause_is_not_touched(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, made = await paused_list(on)
        state = sandbox_state(on.sandbox)
        last = next(row for row in state.rows("tenants") if row["name"] == f"Test {CALLS}")
        state.put("tenants", (last["id"],), {**last, "name": "Renamed"})
        await control(on, job, "resume")
        told = await on.wait_for_job(job)
        assert told["counts"] == {"applied": CALLS - 1, "not_applied": 1}
        assert made < on.count_requests(CHANGE) == CALLS - 1


async def test_a_confirmed_step_is_bound_to_its_target_unless_the_list_itself_changes_that(tmp_path: Path) -> None:
    """A call of the list renames one tenant; meanwhile somebody else renames another."""
    async with start_job_server(tmp_path) as on:
        own, other = add_tenants(on.sandbox, 2)
        props = {"attributes": {}, "back_office_staff_email": "a@example.jp"}
        billing = sandbox_state(on.sandbox).rows("tenants")[0]["billing_info"]
        calls = [
            {"tool": tool, "arguments": arguments}
            for tool, arguments in (
                ("auth_update_tenant", {"tenant_id": own, "name": "New name", **props}),
                ("auth_create_role", {"role_name": "later", "display_name": "later"}),
                ("auth_update_tenant_billing_info", {"tenant_id": own, **billing}),
                ("auth_update_tenant_billing_info", {"tenant_id": other, **billing}),
            )
        ]
        with hold_calls(on, "auth.CreateRole") as released:
            ended = asyncio.create_task(on.call_json("job_run_plan", {"calls": calls}, elicitor=AcceptingPerson()))
            await until(lambda: on.count_requests("auth.UpdateTenant") == 1)
            sandbox_state(on.sandbox).change("tenants", (other,), name="Renamed")
            released.set()
            told = await ended
        assert told["counts"] == {"applied": 3, "not_applied": 1}, told
        assert on.count_requests("auth.UpdateTenantBillingInfo") == 1


async def test_a_consent_is_over_after_a_day_however_long_the_job_was_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_job_server(tmp_path) as on:
        job, made = await paused_list(on)
        clock = on.pipeline.clock
        monkeypatch.setattr(on.pipeline, "clock", lambda: clock() + GRANT_SECONDS)
        told = await status_of(on, job, "cancelled")
        assert "24 hours" in told["why"]
        assert on.count_requests(CHANGE) == made
        assert "was cancelled" in await refusal(on, job, "resume")


async def test_the_reason_of_the_end_survives_a_crash_between_the_end_of_the_consent_and_the_end_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_job_server(tmp_path) as on:
        job, _ = await paused_list(on)
        sandbox = on.sandbox
    async with start_job_server(tmp_path, sandbox) as on:
        clock = on.pipeline.clock
        monkeypatch.setattr(on.pipeline, "clock", lambda: clock() + GRANT_SECONDS)
        assert on.pipeline.store.jobs.request_cancellation(job), "as the process did before it died"
        assert "24 hours" in (await status_of(on, job, "cancelled"))["why"]


async def test_a_request_with_other_content_does_not_take_over_the_paused_job(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, made = await paused_list(on)
        calls = await changes(on, CALLS)
        again = await on.call_json("job_run_plan", {"calls": calls})
        assert (again["job"], again["status"]) == (job, "paused"), "the same request is the same job, and stays paused"
        other = [*calls[:-1], {"tool": "auth_delete_tenant", "arguments": calls[-1]["arguments"]}]
        assert not (await on.call("job_run_plan", {"calls": other})).ok
        assert not (await on.call("job_control", {"job": job, "action": "resume", "calls": other})).ok
        assert on.count_requests(CHANGE) == made
        assert (await control(on, job, "resume"))["job"] == job
        assert (await on.wait_for_job(job))["counts"] == {"applied": CALLS}


async def test_a_connection_resumes_a_list_only_if_it_could_begin_each_of_its_calls(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, made = await paused_list(on)
        narrow = [
            Narrowing(exclude=frozenset({"auth_update_tenant_plan"})),
            Narrowing(toolsets=frozenset({"jobs", "roles"})),
            Narrowing(tools=frozenset({"job_run_plan", "job_control"})),
        ]
        for each in narrow:
            who = replace(PRINCIPAL, narrowing=each)
            answer = await on.call("job_control", {"job": job, "action": "resume"}, who=who)
            assert not answer.ok
            assert "auth_update_tenant_plan" in answer.text
            assert (await on.call_json("job_status", {"job": job}))["status"] == "paused"
        await gate_asked_again(on)
        assert on.count_requests(CHANGE) == made
        wide = replace(PRINCIPAL, narrowing=Narrowing(exclude=frozenset({"auth_delete_tenant"})))
        assert (await control(on, job, "resume", who=wide))["status"] == "running"
        assert (await on.wait_for_job(job))["counts"] == {"applied": CALLS}
