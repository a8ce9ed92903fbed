"""Imports and lists of calls that are paused in their middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.job_records import Job
from tests.support.job_data import add_tenants
from tests.support.job_server import JobServer
from tests.support.pipeline import PRINCIPAL

GRANT = "auth.CreateTenantUserRoles"
PEOPLE, CALLS = 14, 14
"""Of an import and of a list that is paused after a few: enough that some are left, whichever are under way."""


CHANGE = "auth.UpdateTenantPlan"


PERSON = Controller("local:person", "person", "terminal")


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


async def paused_import(on: JobServer, people: int = PEOPLE) -> tuple[str, dict[str, Any]]:
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


async def paused_list(on: JobServer, count: int = CALLS) -> tuple[str, int]:
    """Return an approved list of critical calls that was paused in its middle, and how many were made."""
    job = await approved_list(on, await changes(on, count))
    await until(lambda: on.count_requests(CHANGE) >= 3)
    assert (await control(on, job, "pause"))["status"] == "paused"
    return job, on.count_requests(CHANGE)
