"""The API refuses calls with 429: a job waits as a whole and goes on, and no row is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.common import timezones
from saasus_mcp.jobs import step_runner
from saasus_mcp.jobs.job_reader import MAX_CONCURRENT
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_authorization import CallAuthorizer
from saasus_mcp.server.scheduling.fair_queue import FairQueue, Slot
from saasus_mcp.store.errors import StoreUnavailable
from saasus_mcp.store.records import Freeze
from tests.support.job_data import import_lines, list_grants
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL

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
        on.pipeline.zone = timezones.find_time_zone("Europe/Berlin")
        on.sandbox.faults.add("status", on=CREATE, times=1, status=429, retry_after=600)
        job = await on.start_import(30)
        report = await wait_until_waiting(on, job)
        assert report["status"] == "running"
        assert report["until"].endswith((" CET", " CEST")), "the zone in which people read times"
        assert report["until"] in report["waiting"]
        assert "do not start it again" in report["hint"]
        cancelled = await on.call_json("job_cancel", {"job": job})
        assert cancelled["status"] == "cancelled"
        assert cancelled["counts"]["not_begun"] >= 2 * (30 - MAX_CONCURRENT)
        assert on.count_requests(CREATE) <= MAX_CONCURRENT


async def test_a_job_ends_if_the_api_asks_for_too_long_a_wait(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, status=429, retry_after=7200)
        told = await on.wait_for_job(await on.start_import(30))
        assert on.count_requests(CREATE) <= MAX_CONCURRENT
        assert told["counts"]["not_begun"] >= 2 * (30 - MAX_CONCURRENT)
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
        assert told["counts"]["not_begun"] == 2 * (30 - 3 - MAX_CONCURRENT), "the rest is not tried; three people exist"


async def test_nothing_is_sent_again_if_writes_were_frozen_meanwhile(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on=CREATE, times=MAX_CONCURRENT, status=429, retry_after=2)
        job = await on.start_import(12)
        await wait_until_waiting(on, job)
        sent = on.count_requests(CREATE)
        on.pipeline.store.freeze(Freeze(0.0, "someone", "", on.pipeline.destination.profile))
        assert (await on.wait_for_job(job))["status"] == "paused"
        assert on.count_requests(CREATE) == sent
        told = await on.call_json("job_cancel", {"job": job})
        assert "applied" not in told["counts"]


class WatchedQueue(FairQueue):
    """Lets something happen when a refused call waits for its slot."""

    def __init__(self, happens: Callable[[], None], on: JobServer) -> None:
        super().__init__()
        self._happens, self._on = happens, on

    def take_free(self, principal: str) -> Slot | None:
        if self._on.count_requests(CREATE):
            self._happens()
        return super().take_free(principal)


class TurningPolicy:
    """The policy guarded, and later one that denies writes."""

    generation = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(PRESETS["read-only" if self.generation else "guarded"], name)


@pytest.mark.parametrize("event", ["freeze", "stricter"])
async def test_nothing_is_sent_again_if_that_was_forbidden_while_the_call_waited_for_its_slot(
    tmp_path: Path, event: str
) -> None:
    policy: Any = TurningPolicy()

    def forbid() -> None:
        if event == "freeze":
            on.pipeline.store.freeze(Freeze(0.0, "someone", "", on.pipeline.destination.profile))
        else:
            policy.generation = 1

    async with start_job_server(tmp_path, policy=policy) as on:
        on.pipeline.call_queue = WatchedQueue(forbid, on)
        on.sandbox.faults.add("status", on=CREATE, times=1, status=429, retry_after=0)
        report = await on.wait_for_job(await on.start_import(1))
        assert on.count_requests(CREATE) == 1
        assert report["status"] == ("paused" if event == "freeze" else "done")
        if event == "stricter":
            [row, _] = report["rows"]
            assert (row["outcome"], "429" in row["why"]) == ("not_applied", False), row


@pytest.mark.parametrize("event", ["revoked", "unknown"])
async def test_nothing_is_sent_again_after_the_token_of_the_caller_was_revoked(tmp_path: Path, event: str) -> None:
    asked: list[str] = []

    async def is_revoked(_: Principal) -> bool:
        if not on.count_requests(CREATE):
            return False
        asked.append(event)
        if event == "unknown" and len(asked) == 1:  # the job waits for the store, and asks again
            raise StoreUnavailable.of("store.database_failed")
        return True

    async with start_job_server(tmp_path, is_revoked=is_revoked) as on:
        on.sandbox.faults.add("status", on=CREATE, times=1, status=429, retry_after=1)
        report = await on.wait_for_job(await on.start_import(2 * MAX_CONCURRENT))
        assert on.count_requests(CREATE) <= MAX_CONCURRENT, "each row of the first round, once"
        assert on.count_requests("auth.CreateTenantUserRoles") == 0
        assert any("revoked" in row["why"] for row in report["rows"])


async def test_the_only_call_of_a_job_is_not_sent_again_after_the_token_of_the_caller_was_revoked(
    tmp_path: Path,
) -> None:
    async def is_revoked(_: Principal) -> bool:
        return on.count_requests(CREATE) > 0

    async with start_job_server(tmp_path, is_revoked=is_revoked) as on:
        on.sandbox.faults.add("status", on=CREATE, times=1, status=429, retry_after=0)
        report = await on.wait_for_job(await on.start_import(1))
        assert on.count_requests(CREATE) == 1, "a slot was free, so nothing but the wait for the API has to be checked"
        [row, _] = report["rows"]
        assert (row["outcome"], "revoked" in row["why"]) == ("not_applied", True), row


async def test_an_outage_of_the_store_while_a_refused_call_waits_leaves_its_outcome_certain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable.of("store.database_failed")

    async with start_job_server(tmp_path) as on:
        on.pipeline.call_queue = WatchedQueue(lambda: monkeypatch.setattr(CallAuthorizer, "is_frozen", fail), on)
        on.sandbox.faults.add("status", on=CREATE, times=1, status=429, retry_after=0)
        report = await on.wait_for_job(await on.start_import(1))
        assert on.count_requests(CREATE) == 1
        assert report["rows"][0]["outcome"] == "not_applied", report


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


async def test_a_job_asks_whether_the_very_token_that_started_it_was_revoked(tmp_path: Path) -> None:
    asked = list[str]()

    async def is_revoked(principal: Principal) -> bool:
        asked.append(principal.credential)
        return False

    async with start_job_server(tmp_path, is_revoked=is_revoked) as on:
        spec, holder = on.runner.specs["job_import_users"], replace(PRINCIPAL, credential="digest")
        args = {"csv": import_lines(on.sandbox, 1)}
        job = await on.runner.start(spec, Call(spec.name, args, holder, elicitor=AcceptingPerson()))
        assert isinstance(job, str)
        await on.wait_for_job(job)
        assert set(asked) == {"digest"}
