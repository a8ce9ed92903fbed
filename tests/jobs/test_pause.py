"""A job is paused and resumed between rows, by the model, by a person, and by a freeze. A pause never widens a consent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.jobs import pause_gate
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.store.job_records import Job
from tests.support.job_data import list_grants, sandbox_state
from tests.support.job_server import hold_calls, start_job_server
from tests.support.paused_jobs import (
    CHANGE,
    GRANT,
    PEOPLE,
    approved_list,
    changes,
    control,
    gate_asked_again,
    is_pausing,
    pause_in_terminal,
    paused_import,
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
        assert (done["status"], done["counts"]) == ("done", {"applied": 2 * PEOPLE})
        assert "paused" not in done


async def test_pausing_and_resuming_twice_changes_nothing_more(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, first = await paused_import(on)
        assert (await control(on, job, "pause"))["paused"] == first["paused"]
        for _ in range(2):
            assert (await control(on, job, "resume"))["status"] == "running"
        assert (await on.wait_for_job(job))["counts"] == {"applied": 2 * PEOPLE}
        decided = [each["action"] for each in on.audit_records("decided")]
        assert decided == ["pause", "resume"], "each decision is recorded once"


async def test_a_job_that_has_ended_can_neither_be_paused_nor_resumed(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(1)
        await on.wait_for_job(job)
        for action in ("pause", "resume"):
            assert "This job is done" in await refusal(on, job, action)


async def test_the_former_name_still_cancels_and_a_cancelled_job_cannot_be_paused(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job, told = await paused_import(on)
        cancelled = await on.call_json("job_cancel", {"job": job})
        assert cancelled["status"] == "cancelled"
        assert cancelled["counts"]["applied"] == told["done"] or cancelled["counts"]["not_begun"] > 0
        assert "was cancelled" in await refusal(on, job, "pause")


async def test_of_a_pause_and_a_cancellation_at_once_the_cancellation_holds(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(PEOPLE)
        await until(lambda: on.count_requests(GRANT) >= 5)
        async with anyio.create_task_group() as group:
            for action in ("pause", "cancel", "pause"):
                group.start_soon(on.call, "job_control", {"job": job, "action": action})
        told = await status_of(on, job, "cancelled")
        assert told["counts"]["not_begun"] > 0
        assert told["counts"]["applied"] == sum("new-" in row[0] + row[1] for row in list_grants(on.sandbox))


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
        assert (await on.wait_for_job(job))["counts"] == {"applied": 2 * PEOPLE}
        assert on.count_requests("auth.CreateSaasUser") == PEOPLE, "no call was sent twice"


@pytest.mark.parametrize("name", ["job_control", "job_status"])
async def test_ending_the_wait_for_a_pause_or_a_report_does_not_cancel_the_job(tmp_path: Path, name: str) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(PEOPLE)
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
        assert (await on.wait_for_job(job))["counts"] == {"applied": 2 * PEOPLE}


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
            job = await on.start_import(30)
            assert (await on.wait_for_job(job))["counts"] == {"applied": 60}
        assert asked <= 5


async def test_a_job_whose_gate_was_open_a_moment_ago_still_pauses_at_the_end_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause_gate, "TRUST_SECONDS", 60.0)
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(30)
        await until(lambda: on.count_requests(GRANT) >= 5)
        pause_in_terminal(on, job)
        told = await status_of(on, job, "paused")
        assert told["done"] < 30
        resume_in_terminal(on, job)
        assert (await on.wait_for_job(job))["counts"] == {"applied": 60}


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
