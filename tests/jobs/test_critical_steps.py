"""A job with a critical step: the plan is approved, and that step waits for an approval of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Text
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.job_tools import MAX_WAIT_SECONDS, build_job_tools
from saasus_mcp.jobs.plan import Plan, PlanStep, StepGroup
from saasus_mcp.permissions.approval.approvals import MAX_PENDING
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.records import Approval
from tests.support.job_data import sandbox_state
from tests.support.job_server import PLACE, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL

NAME = "job_close"
SPEC = JobSpec(
    NAME,
    Text("Close", "解約"),
    Text("Close a tenant", "解約"),
    "Close.",
    ("auth.GetTenant",),
    ("auth.DeleteTenant",),
    {"type": "object", "properties": {"tenant_id": {"type": "string"}}, "additionalProperties": False},
)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    tenant: dict[str, Any] = await reader.read("auth.GetTenant", args)
    entry = PlanStep("delete", "auth.DeleteTenant", dict(args))
    return Plan((StepGroup(tenant["name"], (entry,)),), counts={"tenants": 1}, target=tenant["name"])


async def run(work: JobContext, plan: Plan) -> JobResult:
    rows = [
        {"outcome": done.outcome, "why": done.text} async for batch in work.run_groups(plan.groups) for done in batch
    ]
    return JobResult({"rows": len(rows)}, rows)


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("saasus_mcp.jobs.kinds.close")
    module.__dict__.update(plan=plan, run=run)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def newest(on: JobServer) -> Approval:
    return on.pipeline.store.list_approvals(on.pipeline.clock())[0]


def decide(on: JobServer, status: Any) -> None:
    now = on.pipeline.clock()
    assert on.pipeline.store.decide_approval(newest(on).code, status, by="local:person", at=now, expires_at=now + 600)


async def begun(on: JobServer, tenant: str) -> str:
    """Return the job, after its whole plan was approved."""
    on.runner.specs = {**on.runner.specs, NAME: SPEC}
    call = Call(NAME, {"tenant_id": tenant}, PRINCIPAL)
    with pytest.raises(SaasusMcpError, match="saasus-mcp approve"):
        await on.runner.start(SPEC, call)
    asked = newest(on)
    assert (asked.operation, asked.name) == (NAME, "株式会社青空商事")
    decide(on, "approved")
    job = await on.runner.start(SPEC, call)
    assert isinstance(job, str)
    return job


async def waiting(on: JobServer, job: str, but: str = "") -> None:
    with anyio.fail_after(30):
        while (await on.call_json("job_status", {"job": job})).get("waiting", but) == but:  # noqa: ASYNC110 - as a client does
            await anyio.sleep(0.01)
    assert newest(on).operation == "auth.DeleteTenant"
    assert on.count_requests("auth.DeleteTenant") == 0, "the yes to the plan is no yes to this"


@pytest.mark.slow
async def test_it_goes_once_the_step_itself_is_approved(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        tenant = sandbox_state(on.sandbox).rows("tenants")[0]["id"]
        job = await begun(on, tenant)
        await waiting(on, job)
        assert newest(on).code in (await on.call_json("job_status", {"job": job}))["waiting"]
        decide(on, "approved")
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        assert (told["status"], told["rows"][0]["outcome"]) == ("done", "applied")
        assert sandbox_state(on.sandbox).find("tenants", tenant) is None
        assert on.count_requests("auth.DeleteTenant") == 1
        record = next(each for each in on.audit_records() if each["operation"] == "auth.DeleteTenant")
        assert (record["parent"], record["step"], record["proof"]) == (job, "delete", "approval")


@pytest.mark.slow
async def test_the_code_is_in_the_answer_of_the_call_that_starts_the_job_and_of_one_that_follows_it(
    tmp_path: Path,
) -> None:
    async with start_job_server(tmp_path) as on:
        on.runner.specs = {**on.runner.specs, NAME: SPEC}
        call = Call(NAME, {"tenant_id": sandbox_state(on.sandbox).rows("tenants")[0]["id"]}, PRINCIPAL)
        with pytest.raises(SaasusMcpError, match="saasus-mcp approve"):
            await on.runner.start(SPEC, call)
        decide(on, "approved")
        tool = next(each for each in build_job_tools(on.runner) if each.name == NAME)
        with anyio.fail_after(MAX_WAIT_SECONDS / 2):
            started = await tool.run(call)
            assert isinstance(started, ToolAnswer)
            told = await on.call_json(
                "job_status", {"job": (started.structured or {})["job"], "wait": int(MAX_WAIT_SECONDS)}
            )
        for each in (started.structured or {}, told):
            assert (each["status"], newest(on).code in each["waiting"]) == ("running", True)
        decide(on, "approved")
        told = await on.call_json("job_status", {"job": told["job"], "wait": int(MAX_WAIT_SECONDS)})
        assert told["status"] == "done", "after the decision it is followed to its end"


@pytest.mark.slow
async def test_a_step_that_is_rejected_is_not_made(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await begun(on, sandbox_state(on.sandbox).rows("tenants")[0]["id"])
        await waiting(on, job)
        decide(on, "rejected")
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        assert told["rows"][0]["outcome"] == "not_applied"
        assert "rejected" in told["rows"][0]["why"]
        assert on.count_requests("auth.DeleteTenant") == 0


@pytest.mark.slow
async def test_a_job_that_waits_can_be_cancelled(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await begun(on, sandbox_state(on.sandbox).rows("tenants")[0]["id"])
        await waiting(on, job)
        told = await on.call_json("job_cancel", {"job": job})
        assert (told["status"], told["rows"][0]["outcome"]) == ("cancelled", "not_applied")
        assert "cancelled before a person decided" in told["rows"][0]["why"]
        assert on.count_requests("auth.DeleteTenant") == 0
        assert "pending" not in {each.status for each in on.pipeline.store.list_approvals(on.pipeline.clock())}


async def test_a_pending_call_asks_the_model_to_wait_and_not_to_call_again(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await begun(on, sandbox_state(on.sandbox).rows("tenants")[0]["id"])
        await waiting(on, job)
        told = await on.call_json("job_status", {"job": job})
        assert "call again" not in told["waiting"]
        assert "continues by itself" in told["waiting"]
        assert "do not start it again" in told["hint"]
        assert told["approval"] == newest(on).code


async def test_the_call_returns_as_soon_as_the_job_waits_for_a_person(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        tenant = sandbox_state(on.sandbox).rows("tenants")[0]["id"]
        on.runner.specs = {**on.runner.specs, NAME: SPEC}
        [tool] = [each for each in build_job_tools(on.runner) if each.name == NAME]
        call = Call(NAME, {"tenant_id": tenant}, PRINCIPAL)
        with pytest.raises(SaasusMcpError):
            await tool.handle(call)
        decide(on, "approved")
        with anyio.fail_after(MAX_WAIT_SECONDS / 3):
            answer = await tool.handle(call)
        assert isinstance(answer, ToolAnswer)
        assert (answer.structured or {})["approval"] == newest(on).code
        assert "job_status" in (answer.structured or {})["hint"]


@pytest.mark.slow
async def test_the_same_call_while_it_runs_is_answered_with_the_job_that_runs(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        tenant = sandbox_state(on.sandbox).rows("tenants")[0]["id"]
        job = await begun(on, tenant)
        await waiting(on, job)
        assert await on.runner.start(SPEC, Call(NAME, {"tenant_id": tenant, "reason": "again"}, PRINCIPAL)) == job
        pending = [each for each in on.pipeline.store.list_approvals(on.pipeline.clock()) if each.status == "pending"]
        assert [each.operation for each in pending] == ["auth.DeleteTenant"], "nobody is asked for a second one"
        await on.call_json("job_cancel", {"job": job})
        with pytest.raises(SaasusMcpError, match="saasus-mcp approve"):
            await on.runner.start(SPEC, Call(NAME, {"tenant_id": tenant}, PRINCIPAL))


@pytest.mark.slow
async def test_nothing_is_begun_while_no_approval_can_be_asked_for(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.runner.specs = {**on.runner.specs, NAME: SPEC}
        tenants = [row["id"] for row in sandbox_state(on.sandbox).rows("tenants")]
        call = Call(NAME, {"tenant_id": tenants[0]}, PRINCIPAL)
        with pytest.raises(SaasusMcpError, match="saasus-mcp approve"):
            await on.runner.start(SPEC, call)
        decide(on, "approved")
        users = [row["id"] for row in sandbox_state(on.sandbox).rows("users")]
        for user in users[:MAX_PENDING]:
            await on.call("auth_delete_saas_user", {"user_id": user})
        job = await on.runner.start(SPEC, call)
        assert isinstance(job, str)
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        codes = {
            each.code for each in on.pipeline.store.list_approvals(on.pipeline.clock()) if each.status == "pending"
        }
        assert len(codes) == MAX_PENDING
        assert all(code in told["waiting"] for code in codes), "a person must know on what to decide"
        assert on.count_requests("auth.DeleteTenant") == 0
        decide(on, "rejected")
        await waiting(on, job, but=told["waiting"])


async def test_a_plan_whose_reads_hang_is_given_up_on_at_the_deadline_of_the_call(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.runner.specs = {**on.runner.specs, NAME: SPEC}
        tenant = sandbox_state(on.sandbox).rows("tenants")[0]["id"]
        on.sandbox.faults.add("drop", on="auth.GetTenant")
        with (
            anyio.fail_after(MAX_WAIT_SECONDS / 2),
            pytest.raises(SaasusMcpError, match=r"(?i)took too long|did not answer"),
        ):
            await on.runner.start(SPEC, Call(NAME, {"tenant_id": tenant}, PRINCIPAL, deadline=Deadline.after(0.5)))
        assert on.pipeline.store.jobs.list_jobs(PRINCIPAL.id, PLACE.profile, 10) == []


@pytest.mark.slow
async def test_a_step_whose_target_is_gone_by_now_is_not_made_and_says_so(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        tenant = sandbox_state(on.sandbox).rows("tenants")[0]["id"]
        job = await begun(on, tenant)
        await waiting(on, job)
        sandbox_state(on.sandbox).drop("tenants", tenant)
        decide(on, "approved")
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        assert told["rows"][0]["outcome"] == "not_applied"
        assert "Not found" in told["rows"][0]["why"]
        assert on.count_requests("auth.DeleteTenant") == 0


async def test_a_job_with_a_step_whose_target_is_not_there_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(_: JobReader, args: Mapping[str, Any]) -> Plan:
        return Plan((StepGroup("gone", (PlanStep("delete", "auth.DeleteTenant", dict(args)),)),), target="gone")

    monkeypatch.setattr(sys.modules["saasus_mcp.jobs.kinds.close"], "plan", blind)
    async with start_job_server(tmp_path) as on:
        on.runner.specs = {**on.runner.specs, NAME: SPEC}
        with pytest.raises(SaasusMcpError, match="Not found"):
            await on.runner.start(SPEC, Call(NAME, {"tenant_id": "gone"}, PRINCIPAL))
        assert on.pipeline.store.list_approvals(on.pipeline.clock()) == []
