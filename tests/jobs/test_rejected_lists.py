"""A rejection of a call holds for a list that contains the call, and a rejection of a list for each of its calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.store.records import Approval
from tests.support.job_data import AOZORA, MIDORI, sandbox_state
from tests.support.job_server import JobServer, start_job_server
from tests.support.sandbox_client import Person

pytestmark = pytest.mark.anyio
DELETE = "auth_delete_tenant"
GRANT = "auth_create_tenant_user_roles"


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with start_job_server(tmp_path) as server:
        yield server


def pending(on: JobServer) -> list[Approval]:
    return [each for each in on.pipeline.store.list_approvals(on.pipeline.clock()) if each.status == "pending"]


def reject(on: JobServer) -> None:
    [approval] = pending(on)
    ApprovalService(on.pipeline.store).reject(approval, "local:person", on.pipeline.clock(), "not these")


def approve(on: JobServer) -> None:
    [approval] = pending(on)
    ApprovalService(on.pipeline.store).approve(approval, approval.name, "local:person", on.pipeline.clock())


async def require_waiting(on: JobServer, tool: str, args: dict[str, Any]) -> None:
    """Check that nobody is asked for the call, in the client or outside it, and that nothing is sent."""
    person, sent = Person(), len([each for each in on.sandbox.requests if each.method != "GET"])
    answer = await on.call(tool, args, elicitor=person)
    assert not answer.ok
    assert "not these" in answer.text
    assert "10 minutes" in answer.text
    assert pending(on) == []
    assert person.asked == []
    assert len([each for each in on.sandbox.requests if each.method != "GET"]) == sent


def listed(*tenants: str) -> dict[str, Any]:
    return {"calls": [{"tool": DELETE, "arguments": {"tenant_id": each}} for each in tenants]}


async def test_a_rejected_call_does_not_come_back_in_a_list(on: JobServer) -> None:
    await on.call(DELETE, {"tenant_id": AOZORA})
    reject(on)
    await require_waiting(on, "job_run_plan", listed(AOZORA))
    await require_waiting(on, "job_run_plan", listed(MIDORI, AOZORA))
    await on.call("job_run_plan", listed(MIDORI))
    assert len(pending(on)) == 1, "a list without the call is asked about"


async def test_the_calls_of_a_rejected_list_do_not_come_back_one_by_one_or_by_another_job(on: JobServer) -> None:
    await on.call("job_run_plan", listed(AOZORA, MIDORI))
    reject(on)
    for tenant in (AOZORA, MIDORI):
        await require_waiting(on, DELETE, {"tenant_id": tenant})
    other = next(row["id"] for row in sandbox_state(on.sandbox).rows("tenants") if row["id"] not in (AOZORA, MIDORI))
    await on.call(DELETE, {"tenant_id": other})
    assert len(pending(on)) == 1, "a call that the list did not have is asked about"


async def test_a_call_that_a_client_can_confirm_waits_too(on: JobServer) -> None:
    """A grant of roles is confirmed in the client. In a list, a client without dialogs makes it an approval."""
    member = sandbox_state(on.sandbox).rows("members")[0]
    grant = {"tenant_id": member["tenant_id"], "user_id": member["user_id"], "env_id": 2, "role_names": ["viewer"]}
    await on.call("job_run_plan", {"calls": [{"tool": GRANT, "arguments": grant}]})
    reject(on)
    await require_waiting(on, GRANT, grant)


async def test_a_list_that_was_requested_before_is_approved_and_runs(on: JobServer) -> None:
    await on.call("job_run_plan", listed(AOZORA, MIDORI))
    [requested] = pending(on)
    await on.call(DELETE, {"tenant_id": AOZORA})
    [single] = [each for each in pending(on) if each.code != requested.code]
    ApprovalService(on.pipeline.store).reject(single, "local:person", on.pipeline.clock(), "not these")
    again = await on.call("job_run_plan", listed(AOZORA, MIDORI))
    assert requested.code in again.text
    approve(on)
    started = await on.call_json("job_run_plan", listed(AOZORA, MIDORI))
    report = await on.wait_for_job(started["job"])
    assert report["counts"] == {"applied": 2}
