"""A job is paused and resumed between rows, by the model, by a person, and by a freeze. A pause never widens a consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.jobs import job_control, pause_gate
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.permissions.policy.model import BulkLimits
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS, Principal
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store import Freeze
from saasus_mcp.store.job_records import GRANT_SECONDS, Job
from tests.support.job_data import add_tenants, list_grants, sandbox_state
from tests.support.job_server import JobServer, hold_calls, start_job_server
from tests.support.pipeline import PRINCIPAL
from tests.support.policies import replace_policy

GRANT = "auth.CreateTenantUserRoles"
CHANGE = "auth.UpdateTenantPlan"
PERSON = Controller("local:person", "person", "terminal")


@pytest.fixture(autouse=True)
def fast_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause_gate, "POLL_SECONDS", 0.02)


async def until(reached: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not reached():  # noqa: ASYNC110 - there is no event but at the API
            await anyio.sleep(0.002)


async def gate_asked_again(on: JobServer) -> None:
    """Wait until the job has asked the store a few times more whether it may go on."""
    jobs, asked = on.pipeline.store.jobs, 0
    get = jobs.get

    def counted(job: str) -> Job | None:
        nonlocal asked
        asked += 1
        return get(job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "get", counted)
        await until(lambda: asked >= 3)


def is_pausing(on: JobServer, job: str) -> bool:
    found = on.pipeline.store.jobs.get(job)
    return found is not None and found.pause is not None


async def control(on: JobServer, job: str, action: str, **more: Any) -> dict[str, Any]:
    return await on.call_json("job_control", {"job": job, "action": action}, **more)


async def refusal(on: JobServer, job: str, action: str) -> str:
    answer = await on.call("job_control", {"job": job, "action": action})
    assert not answer.ok
    return answer.text


def pause_in_terminal(on: JobServer, job: str) -> None:
    found = on.pipeline.store.jobs.get(job)
    assert found is not None
    job_control.pause_job(on.pipeline.store, found, PERSON, on.pipeline.clock())


def resume_in_terminal(on: JobServer, job: str) -> None:
    found = on.pipeline.store.jobs.get(job)
    assert found is not None
    job_control.resume_job(on.pipeline.store, found, PERSON, on.pipeline.clock())


async def paused_import(on: JobServer, people: int = 40) -> tuple[str, dict[str, Any]]:
    """Return an import that was paused in its middle, and its status."""
    job = await on.start_import(people)
    await until(lambda: on.count_requests(GRANT) >= 5)
    return job, await control(on, job, "pause")


async def status_of(on: JobServer, job: str, wanted: str) -> dict[str, Any]:
    with anyio.fail_after(30):
        while (told := await on.call_json("job_status", {"job": job}))["status"] != wanted:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.02)
    return told


def sends(on: JobServer) -> int:
    return sum(each.method != "GET" for each in on.sandbox.requests)


async def changes(on: JobServer, count: int) -> list[dict[str, Any]]:
    when = int(on.pipeline.clock()) // 3600 * 3600 + 7200
    arguments = {"next_plan_id": "starter", "using_next_plan_from": when}
    return [
        {"tool": "auth_update_tenant_plan", "arguments": {"tenant_id": each, **arguments}}
        for each in add_tenants(on.sandbox, count)
    ]


async def approved_list(on: JobServer, calls: list[dict[str, Any]], by: str = "local:boss") -> str:
    """Return a running list of critical calls that a person has approved."""
    assert "saasus-mcp approve" in (await on.call("job_run_plan", {"calls": calls})).text
    [approval], now = on.pipeline.store.list_approvals(on.pipeline.clock()), on.pipeline.clock()
    assert on.pipeline.store.decide_approval(approval.code, "approved", by=by, at=now, expires_at=now + 600)
    job = await on.runner.start(on.runner.specs["job_run_plan"], Call("job_run_plan", {"calls": calls}, PRINCIPAL))
    assert isinstance(job, str)
    return job


async def paused_list(on: JobServer, count: int = 30) -> tuple[str, int]:
    """Return an approved list of critical calls that was paused in its middle, and how many were made."""
    job = await approved_list(on, await changes(on, count))
    await until(lambda: on.count_requests(CHANGE) >= 3)
    assert (await control(on, job, "pause"))["status"] == "paused"
    return job, on.count_requests(CHANGE)


async def test_a_pause_leaves_no_row_half_done_and_nothing_is_sent_until_the_job_is_resumed(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, told = await paused_import(on)
        assert told["status"] == "paused"
        assert 0 < told["done"] < told["total"]
        assert (told["paused"]["by"], told["paused"]["side"]) == (PRINCIPAL.id, "model")
        assert told["paused"]["since"] in told["waiting"]
        assert f"{told['done']} of {told['total']}" in told["waiting"]
        sent, new = sends(on), [row for row in list_grants(on.sandbox) if "new-" in row[0] + row[1]]
        assert len(new) == 2 * told["done"], "both roles of each person whose row has begun"
        assert len({row[:2] for row in new}) == on.count_requests("auth.CreateSaasUser")
        await gate_asked_again(on)
        assert sends(on) == sent
        assert (await control(on, job, "resume"))["status"] == "running"
        done = await on.wait_for_job(job)
        assert (done["status"], done["counts"]) == ("done", {"applied": 80})
        assert "paused" not in done


async def test_pausing_and_resuming_twice_changes_nothing_more(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, first = await paused_import(on)
        assert (await control(on, job, "pause"))["paused"] == first["paused"]
        for _ in range(2):
            assert (await control(on, job, "resume"))["status"] == "running"
        assert (await on.wait_for_job(job))["counts"] == {"applied": 80}
        decided = [each["action"] for each in on.audit_records("decided")]
        assert decided == ["pause", "resume"], "each decision is recorded once"


async def test_a_job_that_has_ended_can_neither_be_paused_nor_resumed(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(1)
        await on.wait_for_job(job)
        for action in ("pause", "resume"):
            assert "This job is done" in await refusal(on, job, action)


async def test_what_a_person_paused_the_model_cannot_resume(tmp_path: Path) -> None:
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
        assert (await on.wait_for_job(job))["counts"] == {"applied": 80}


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


async def test_the_former_name_still_cancels_and_a_cancelled_job_cannot_be_paused(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, told = await paused_import(on)
        cancelled = await on.call_json("job_cancel", {"job": job})
        assert cancelled["status"] == "cancelled"
        assert cancelled["counts"]["applied"] == told["done"] or cancelled["counts"]["not_begun"] > 0
        assert "was cancelled" in await refusal(on, job, "pause")


async def test_of_a_pause_and_a_cancellation_at_once_the_cancellation_holds(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(40)
        await until(lambda: on.count_requests(GRANT) >= 5)
        async with anyio.create_task_group() as group:
            for action in ("pause", "cancel", "pause"):
                group.start_soon(on.call, "job_control", {"job": job, "action": action})
        told = await status_of(on, job, "cancelled")
        assert told["counts"]["not_begun"] > 0
        assert told["counts"]["applied"] == sum("new-" in row[0] + row[1] for row in list_grants(on.sandbox))


async def test_a_freeze_pauses_a_list_and_only_a_person_lets_it_go_on_after_the_thaw(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await approved_list(on, await changes(on, 30))
        await until(lambda: on.count_requests(CHANGE) >= 3)
        store = on.pipeline.store
        store.freeze(Freeze(0.0, "local:person", "stop", on.pipeline.destination.profile))
        told = await status_of(on, job, "paused")
        assert (told["paused"]["by"], told["paused"]["side"]) == ("local:person", "freeze")
        made = on.count_requests(CHANGE)
        assert 0 < made < 30
        with pytest.raises(CallRefused, match="frozen by local:person"):
            resume_in_terminal(on, job)
        store.unfreeze(on.pipeline.destination.profile)
        assert "froze the writes" in await refusal(on, job, "resume")
        await gate_asked_again(on)
        assert on.count_requests(CHANGE) == made
        resume_in_terminal(on, job)
        assert (await on.wait_for_job(job))["counts"] == {"applied": 30}
        assert on.count_requests(CHANGE) == 30, "no call was sent twice"


async def test_a_policy_that_became_stricter_during_the_pause_decides_on_the_rest(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, made = await paused_list(on)
        replace_policy(on.pipeline, replace(PRESETS["guarded"], bulk=BulkLimits(critical="never")))
        await control(on, job, "resume")
        told = await on.wait_for_job(job)
        assert told["counts"]["applied"] == made == on.count_requests(CHANGE)


async def test_two_people_are_needed_from_the_moment_the_policy_demands_them(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await approved_list(on, await changes(on, 30), by=PRINCIPAL.id)
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
        last = next(row for row in state.rows("tenants") if row["name"] == "Test 30")
        state.put("tenants", (last["id"],), {**last, "name": "Renamed"})
        await control(on, job, "resume")
        told = await on.wait_for_job(job)
        assert told["counts"] == {"applied": 29, "not_applied": 1}
        assert made < on.count_requests(CHANGE) == 29


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
        calls = await changes(on, 30)
        again = await on.call_json("job_run_plan", {"calls": calls})
        assert (again["job"], again["status"]) == (job, "paused"), "the same request is the same job, and stays paused"
        other = [*calls[:-1], {"tool": "auth_delete_tenant", "arguments": calls[-1]["arguments"]}]
        assert not (await on.call("job_run_plan", {"calls": other})).ok
        assert not (await on.call("job_control", {"job": job, "action": "resume", "calls": other})).ok
        assert on.count_requests(CHANGE) == made
        assert (await control(on, job, "resume"))["job"] == job
        assert (await on.wait_for_job(job))["counts"] == {"applied": 30}


async def test_a_restart_keeps_a_job_paused(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, told = await paused_import(on)
        sandbox = on.sandbox
    sent = len(sandbox.requests)
    async with start_job_server(tmp_path, sandbox) as on:
        again = await status_of(on, job, "paused")
        await gate_asked_again(on)
        assert (again["done"], again["paused"]) == (told["done"], told["paused"])
        assert len(sandbox.requests) == sent
        await control(on, job, "resume")
        assert (await on.wait_for_job(job))["counts"] == {"applied": 80}
        assert on.count_requests("auth.CreateSaasUser") == 40, "no call was sent twice"


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
        assert (await on.wait_for_job(job))["counts"] == {"applied": 30}


@pytest.mark.parametrize("name", ["job_control", "job_status"])
async def test_who_stops_waiting_for_a_pause_or_a_report_does_not_cancel_the_job(tmp_path: Path, name: str) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(40)
        with hold_calls(on, GRANT):
            await until(lambda: on.count_requests("auth.CreateSaasUser") >= 1)
            args: dict[str, Any] = {"action": "pause"} if name == "job_control" else {"wait": 45}
            async with anyio.create_task_group() as group:

                async def wait() -> None:
                    await on.call(name, {"job": job, **args}, is_cancelled=lambda: True)

                group.start_soon(wait)
                await (until(lambda: is_pausing(on, job)) if name == "job_control" else gate_asked_again(on))
                group.cancel_scope.cancel()
            found = on.pipeline.store.jobs.get(job)
            assert found is not None
            assert not found.cancelling
        if name == "job_control":
            await status_of(on, job, "paused")
            await control(on, job, "resume")
        assert (await on.wait_for_job(job))["counts"] == {"applied": 80}


async def test_an_open_gate_asks_the_store_far_less_often_than_once_a_row(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        jobs, asked = on.pipeline.store.jobs, 0
        get, wait = jobs.get, pause_gate.PauseGate._wait
        inside = False

        async def counted(gate: pause_gate.PauseGate) -> bool:
            nonlocal inside
            inside = True
            try:
                return await wait(gate)
            finally:
                inside = False

        def get_counted(job: str) -> Job | None:
            nonlocal asked
            asked += inside
            return get(job)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pause_gate, "TRUST_SECONDS", 60.0)
            patch.setattr(pause_gate.PauseGate, "_wait", counted)
            patch.setattr(jobs, "get", get_counted)
            job = await on.start_import(60)
            assert (await on.wait_for_job(job))["counts"] == {"applied": 120}
        assert asked <= 5


async def test_a_job_whose_gate_was_open_a_moment_ago_still_pauses_at_the_end_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause_gate, "TRUST_SECONDS", 60.0)
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(60)
        await until(lambda: on.count_requests(GRANT) >= 5)
        pause_in_terminal(on, job)
        told = await status_of(on, job, "paused")
        assert told["done"] < 60
        resume_in_terminal(on, job)
        assert (await on.wait_for_job(job))["counts"] == {"applied": 120}


@pytest.mark.parametrize("changed", ["tenant", "two_person"])
async def test_a_call_that_the_api_refused_for_now_is_decided_on_again_before_it_is_repeated(
    tmp_path: Path, changed: str
) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CHANGE, times=1, status=429, retry_after=2)
        job = await approved_list(on, await changes(on, 1), by=PRINCIPAL.id)
        with anyio.fail_after(20):
            while "until" not in await on.call_json("job_status", {"job": job, "wait": 1}):
                pass
        if changed == "tenant":
            state = sandbox_state(on.sandbox)
            [tenant] = (row for row in state.rows("tenants") if row["name"] == "Test 1")
            state.put("tenants", (tenant["id"],), {**tenant, "name": "Renamed"})
        else:
            replace_policy(on.pipeline, replace(PRESETS["guarded"], two_person=True))
        told = await on.wait_for_job(job)
        assert told["counts"] == {"not_applied": 1}
        assert on.count_requests(CHANGE) == 1, "the request is not sent again"
