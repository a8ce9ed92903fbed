"""The undo of a job is a job: one question for all inverse calls, and what cannot come back is reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import BulkLimits
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.results.result_store import ResultOrigin
from tests.support.job_data import add_tenants, import_lines, list_grants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer
from tests.support.pipeline import PRINCIPAL, connect_client
from tests.support.policies import build_policy, build_rule, replace_policy

NAME = "job_undo_job"


def approve_newest(on: JobServer) -> Question:
    approval, now = on.pipeline.store.list_approvals(on.pipeline.clock())[0], on.pipeline.clock()
    on.pipeline.store.decide_approval(approval.code, "approved", by="local:person", at=now, expires_at=now + 600)
    return Question.from_json(approval.preview)


async def undo(on: JobServer, job: str) -> dict[str, Any]:
    """Return the report of the undo of a job, and approve it if it needs that."""
    spec = on.runner.specs[NAME]
    call = Call(NAME, {"of": job}, PRINCIPAL, elicitor=AcceptingPerson())
    try:
        started = await on.runner.start(spec, call)
    except SaasusMcpError:
        approve_newest(on)
        started = await on.runner.start(spec, call)
    assert isinstance(started, str)
    return await on.wait_for_job(started)


async def run_calls(on: JobServer, calls: list[dict[str, Any]]) -> str:
    """Run a list of calls to its end. Return the job."""
    args = {"calls": calls}
    answer = await on.call("job_run_plan", args, elicitor=AcceptingPerson())
    if "saasus-mcp approve" in answer.text:
        approve_newest(on)
        answer = await on.call("job_run_plan", args)
    job: str = (answer.structured or {})["job"]
    assert set((await on.wait_for_job(job))["counts"]) == {"applied"}
    return job


async def test_reserved_plan_changes_are_dropped_by_one_approval(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 8)
    when = int(on.pipeline.clock()) // 3600 * 3600 + 7200
    change = {"next_plan_id": "starter", "using_next_plan_from": when}
    job = await run_calls(
        on, [{"tool": "auth_update_tenant_plan", "arguments": {"tenant_id": each, **change}} for each in tenants]
    )
    report = await undo(on, job)
    assert report["counts"] == {"applied": 8}, report
    assert len(on.pipeline.store.list_approvals(on.pipeline.clock())) == 2
    assert not any(sandbox_state(on.sandbox).get("tenants", each).get("next_plan_id") for each in tenants)
    assert (await undo(on, job))["counts"] == {}, "a second undo has nothing to do"


async def test_an_import_is_undone_as_a_whole(on: JobServer) -> None:
    before = list_grants(on.sandbox)
    answer = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 4)}, elicitor=AcceptingPerson())
    await on.wait_for_job(answer["job"])
    assert list_grants(on.sandbox) != before
    report = await undo(on, answer["job"])
    assert set(report["counts"]) == {"applied"}, report
    assert list_grants(on.sandbox) == before


async def test_changes_that_one_approval_does_not_cover_are_undone_by_the_next_run(on: JobServer) -> None:
    replace_policy(on.pipeline, replace(PRESETS["guarded"], bulk=BulkLimits(critical_limit=3)))
    before = list_grants(on.sandbox)
    answer = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 4)}, elicitor=AcceptingPerson())
    await on.wait_for_job(answer["job"])
    report = await undo(on, answer["job"])
    assert (report["counts"]["left_out"], on.count_requests("auth.DeleteSaasUser")) == (1, 3)
    [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
    said = [each.text for each in Question.from_json(approval.preview).warnings]
    assert message("jobs_calls.not_undone", count=1).both() in said, "what waits for the next run has no fault"
    [waiting] = [row for row in report["rows"] if row["outcome"] == "left_out"]
    removed = {row["target"] for row in report["rows"] if row["tool"] == waiting["tool"] and row is not waiting}
    assert waiting["tool"] == "auth_delete_saas_user"
    assert "@" in waiting["target"]
    assert (len(removed), waiting["target"] in removed) == (3, False)
    assert set((await undo(on, answer["job"]))["counts"]) == {"applied"}
    assert list_grants(on.sandbox) == before
    assert on.count_requests("auth.DeleteSaasUser") == 4


async def test_changed_and_irreversible_values_are_reported_and_the_rest_is_undone(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 1, plan_id="")
    job = await run_calls(
        on,
        [
            {"tool": "auth_create_role", "arguments": {"role_name": "one", "display_name": "One"}},
            {"tool": "auth_create_env", "arguments": {"id": 70, "name": "seventy"}},
            {"tool": "auth_delete_tenant", "arguments": {"tenant_id": tenants[0]}},
        ],
    )
    state = sandbox_state(on.sandbox)
    state.put("envs", (70,), {**state.get("envs", 70), "name": "changed by someone"})
    report = await undo(on, job)
    assert report["counts"]["applied"] == 1, report
    assert report["counts"]["left_out"] >= 1
    assert all(row.get("why") for row in report["rows"] if row["outcome"] == "left_out")
    assert state.find("roles", "one") is None
    assert state.get("envs", 70)["name"] == "changed by someone"


async def test_no_client_can_start_it(on: JobServer) -> None:
    assert NAME not in [tool.name for tool in on.tools]
    answer = await on.call(NAME, {"of": "x", "is_approver": True})
    assert not answer.ok


async def test_the_report_of_an_undo_is_withheld_once_its_caller_may_not_read_what_it_is_about(on: JobServer) -> None:
    tenants = add_tenants(on.sandbox, 2)
    when = int(on.pipeline.clock()) // 3600 * 3600 + 7200
    change = {"next_plan_id": "starter", "using_next_plan_from": when}
    job = await run_calls(
        on, [{"tool": "auth_update_tenant_plan", "arguments": {"tenant_id": each, **change}} for each in tenants]
    )
    report = await undo(on, job)
    assert {row["target"] for row in report["rows"]} == {"Test 1", "Test 2"}
    closed = build_rule("closed", "deny", tools=("auth_get_tenant",))
    replace_policy(on.pipeline, build_policy(build_rule("all"), closed))
    told = await on.call_json("job_status", {"job": report["job"]})
    assert not {"rows", "counts"} & told.keys()
    assert "auth_get_tenant" in told["hint"]
    assert "Test 1" not in str(told)


async def test_a_result_of_a_kind_of_job_that_this_version_does_not_know_is_not_listed(on: JobServer) -> None:
    for name in (NAME, "job_of_later"):
        assert on.pipeline.results.store_result([name], PRINCIPAL.id, ResultOrigin(name, ()))
    async with connect_client(on.pipeline, "2026-07-28", extra_tools=on.tools) as client:
        titles = [str(each.title) for each in (await client.list_resources()).resources]
    assert [any(name in title for title in titles) for name in (NAME, "job_of_later")] == [True, False]
