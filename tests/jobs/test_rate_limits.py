"""The API refuses calls with 429: a job waits as a whole and goes on, and no row is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.jobs import step_runner
from saasus_mcp.store import Freeze
from tests.support.job_data import list_grants
from tests.support.job_server import JobServer, start_job_server

CREATE = "auth.CreateSaasUser"


async def wait_until_waiting(on: JobServer, job: str) -> dict[str, Any]:
    with anyio.fail_after(20):
        while "until" not in (report := await on.call_json("job_status", {"job": job, "wait": 1})):
            pass
    return report


@pytest.mark.parametrize("on_operation", [CREATE, "auth.CreateTenantUserRoles"])
async def test_no_row_is_lost_while_the_api_refuses_calls(tmp_path: Path, on_operation: str) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=on_operation, times=6, status=429, retry_after=1)
        told = await on.wait_for_job(await on.start_import(12))
        assert told["counts"] == {"applied": 24}
        assert on.count_requests(CREATE) == 12 + (6 if on_operation == CREATE else 0)


async def test_calls_are_held_back_until_the_time_that_the_api_names(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, times=1, status=429, retry_after=600)
        job = await on.start_import(30)
        report = await wait_until_waiting(on, job)
        assert report["status"] == "running"
        assert report["until"] in report["waiting"]
        assert "do not start it again" in report["hint"]
        cancelled = await on.call_json("job_cancel", {"job": job})
        assert cancelled["status"] == "cancelled"
        assert cancelled["counts"]["not_begun"] >= 50
        assert on.count_requests(CREATE) <= 4


async def test_a_job_ends_if_the_api_asks_for_too_long_a_wait(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, status=429, retry_after=7200)
        told = await on.wait_for_job(await on.start_import(30))
        assert on.count_requests(CREATE) <= 4
        assert told["counts"]["not_begun"] >= 50
        refused = [row["why"] for row in told["rows"] if row["outcome"] == "not_applied"]
        assert refused
        assert all("7200 seconds" in why for why in refused)


async def test_an_api_that_names_no_time_is_tried_again_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_runner, "FIRST_API_WAIT", 0.001)
    monkeypatch.setattr(step_runner, "POLL_SECONDS", 0.05)
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, times=3, status=429)
        assert (await on.wait_for_job(await on.start_import(3)))["counts"] == {"applied": 6}
        on.sandbox.faults.add("status", on=CREATE, status=429)
        told = await on.wait_for_job(await on.start_import(30))
        assert told["counts"]["not_begun"] >= 40, "the rest is not tried"


async def test_nothing_is_sent_again_if_writes_were_frozen_meanwhile(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, times=4, status=429, retry_after=2)
        job = await on.start_import(12)
        await wait_until_waiting(on, job)
        sent = on.count_requests(CREATE)
        on.pipeline.store.freeze(Freeze(0.0, "someone", "", on.pipeline.destination.profile))
        assert (await on.wait_for_job(job))["status"] == "paused"
        assert on.count_requests(CREATE) == sent
        told = await on.call_json("job_cancel", {"job": job})
        assert "applied" not in told["counts"]


async def test_a_server_that_stops_while_a_job_waits_tells_every_row_truly(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, times=2, status=429, retry_after=600)
        job = await on.start_import(12)
        await wait_until_waiting(on, job)
        sandbox = on.sandbox
    async with start_job_server(tmp_path, sandbox) as on:
        told = await on.wait_for_job(job)
        made = {login for row in list_grants(sandbox) for login in row[:2]}
        for row in told["rows"]:
            assert (row["login"] in made) == (row["outcome"] == "applied"), row
        assert sum(told["counts"].values()) == 24
        assert "unknown" not in told["counts"]


async def test_reads_of_a_running_job_wait_too(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="auth.SearchTenantUsers", times=4, status=429, retry_after=1)
        report = await on.wait_for_job((await on.call_json("job_export_users"))["job"])
        assert report["status"] == "done"
