"""Jobs in trouble: an API that fails, a person who stops them, a policy or a freeze that comes in between."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.jobs import job_report
from saasus_mcp.jobs.job_reader import MAX_CONCURRENT
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.sandbox import Sandbox
from saasus_mcp.server.pipeline.call import Call, JobStepRef
from saasus_mcp.store.records import Freeze
from tests.support.faulty_sandbox import AnyKind
from tests.support.job_data import import_lines, list_grants, tenant_id
from tests.support.job_server import AcceptingPerson, hold_calls, start_job_server, start_jobs_at_once
from tests.support.paused_jobs import until
from tests.support.pipeline import PRINCIPAL, evaluate_call

JAPANESE = re.compile(r"[ぁ-ん]")


def joined(sandbox: Sandbox, login: str) -> bool:
    """Whether somebody holds both roles that their two lines say."""
    return sum(login in row and row[2:4] == (tenant_id(sandbox), "3") for row in list_grants(sandbox)) == 2


FAULTS: list[tuple[AnyKind, dict[str, Any], set[str]]] = [
    ("status", {"status": 500}, {"not_applied"}),
    ("status_after", {"status": 500}, {"applied"}),
    ("status", {"status": 429, "retry_after": 0}, set()),
    ("reset_before", {}, {"not_applied"}),
    ("reset", {}, {"applied"}),
    ("broken_json", {}, {"applied"}),
]
WRITES = ["auth.CreateSaasUser", "auth.CreateTenantUser", "auth.CreateTenantUserRoles"]


FAULTS_AT_WRITES = [
    pytest.param(*fault, write, marks=[] if number == (at + 2) % len(WRITES) else [pytest.mark.exhaustive])
    for (at, fault), (number, write) in product(enumerate(FAULTS), enumerate(WRITES))
]
"""Every fault at every write of a line. `make test` has each fault once, and each write twice: faults before a write at the last
one, where only a read shows that it was not made."""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "given", "outcomes", "on_operation"), FAULTS_AT_WRITES)
async def test_the_report_tells_the_truth_of_every_line(
    tmp_path: Path, kind: AnyKind, given: dict[str, Any], outcomes: set[str], on_operation: str
) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add(kind, on=on_operation, times=3, **given)
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 4)}, elicitor=AcceptingPerson())
        assert told["status"] == "done"
        assert len(told["rows"]) == 8
        for row in told["rows"]:
            assert joined(on.sandbox, row["login"]) == (row["outcome"] == "applied"), row
        assert {row["outcome"] for row in told["rows"]} <= outcomes | {"applied", "not_begun"}
        failed = [row for row in told["rows"] if row["outcome"] == "not_applied"]
        assert all(row["why"] for row in failed)

        on.sandbox.faults.clear()
        again = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 4)}, elicitor=AcceptingPerson())
        assert set(again["counts"]) <= {"applied", "skipped"}
        assert all(joined(on.sandbox, row["login"]) for row in told["rows"])


async def test_a_report_says_why_a_row_failed_in_the_language_of_its_readers(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.pipeline.language = "ja"
        on.sandbox.faults.add("status", on="auth.CreateTenantUser", times=1, status=400)
        on.sandbox.faults.add("reset_before", on="auth.CreateSaasUser", times=1)
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 3)}, elicitor=AcceptingPerson())
        reasons = [row["why"] for row in told["rows"] if row["outcome"] != "applied"]
        assert len(reasons) >= 2
        assert all(JAPANESE.search(each) for each in reasons), reasons


async def test_an_unverifiable_write_is_unknown(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("reset_before", on="auth.CreateSaasUser", times=1)
        reads = on.count_requests("auth.SearchSaasUsers")
        job = await on.start_import(1)
        on.sandbox.faults.add("status", on="auth.SearchSaasUsers", status=500)
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        assert on.count_requests("auth.SearchSaasUsers") > reads
        assert told["counts"] == {"unknown": 2}


async def test_a_list_can_stop_at_the_first_failure(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="auth.CreateTenantUser", status=400)
        args = {"csv": import_lines(on.sandbox, 40), "on_error": "stop"}
        told = await on.call_json("job_import_users", args, elicitor=AcceptingPerson())
        assert told["counts"]["not_begun"] > 60
        assert on.count_requests("auth.CreateSaasUser") <= 8, "only what was under way at the failure went on"


@pytest.mark.slow
async def test_a_job_that_is_cancelled_stops_between_rows_and_says_what_was_done(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(30)
        await until(lambda: on.count_requests("auth.CreateTenantUserRoles") >= 5)
        told = await on.call_json("job_cancel", {"job": job})
        assert told["status"] == "cancelled"
        applied = [row for row in on.stored_result(told["all_rows"]) if row["outcome"] == "applied"]
        assert 0 < len(applied) == told["counts"]["applied"] < 60
        assert all(joined(on.sandbox, row["login"]) for row in applied)
        assert told["counts"]["not_begun"] == 60 - len(applied), "no row was left half done"


async def test_somebody_else_cannot_cancel_it(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(4)
        assert not (await on.call("job_cancel", {"job": job}, who=Principal("local:stranger"))).ok
        assert (await on.call_json("job_status", {"job": job, "wait": 30}))["status"] == "done"


@pytest.mark.parametrize("profile", ["", "sandbox"], ids=["of everything", "of its profile"])
async def test_a_freeze_holds_the_rest_back(tmp_path: Path, profile: str) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(30)
        await until(lambda: on.count_requests("auth.CreateTenantUserRoles") >= 5)
        on.pipeline.store.freeze(Freeze(0.0, "local:person", "stop", profile))
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        assert (told["status"], told["paused"]["by"]) == ("paused", "local:person")
        assert on.count_requests("auth.CreateSaasUser") < 30
        cancelled = await on.call_json("job_cancel", {"job": job})
        assert cancelled["counts"]["not_begun"] > 0


async def test_a_freeze_of_another_profile_lets_a_job_go_on(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.pipeline.store.freeze(Freeze(0.0, "local:person", "stop", "production"))
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 2)}, elicitor=AcceptingPerson())
        assert told["counts"] == {"applied": 4}


async def test_a_job_that_waits_for_an_approval_names_its_code_in_answer_and_audit(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 2)})
        [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
        assert approval.code in answer.text
        codes = {each.get("code") for each in on.audit_records("refused") if each.get("plan")}
        assert codes == {approval.code}


async def test_while_writes_are_frozen_no_job_begins_that_writes(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.pipeline.store.freeze(Freeze(0.0, "local:person", "stop"))
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 2)}, elicitor=AcceptingPerson())
        assert "frozen by local:person" in answer.text
        assert not answer.ok
        assert on.pipeline.store.jobs.list_jobs(PRINCIPAL.id, "sandbox", 10) == []
        assert on.count_requests("auth.CreateSaasUser") == 0


class Changing:
    """A policy that becomes another one while a job runs."""

    def __init__(self) -> None:
        self.now: Policy = PRESETS["guarded"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


async def test_a_policy_that_becomes_stricter_is_asked_for_every_step(tmp_path: Path) -> None:
    policy: Any = Changing()
    async with start_job_server(tmp_path, policy=policy) as on:
        job = await on.start_import(30)
        await until(lambda: on.count_requests("auth.CreateTenantUserRoles") >= 5)
        policy.now = PRESETS["read-only"]
        sent = on.count_requests("auth.CreateSaasUser")
        told = await on.call_json("job_status", {"job": job, "wait": 30})
        assert told["counts"]["not_applied"] > 0
        assert on.count_requests("auth.CreateSaasUser") <= sent + MAX_CONCURRENT, (
            "only what was decided on before went on"
        )


async def test_a_call_outside_the_grant_is_refused_and_a_step_goes_once(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = await on.start_import(2)
        await on.call_json("job_status", {"job": job, "wait": 30})
        before = on.count_requests("auth.CreateSaasUser")
        for step, args in (("u1/account", {"email": "new-0@example.com"}), ("u9/account", {"email": "x@example.com"})):
            answer = await on.call("auth_create_saas_user", args, job_step=JobStepRef(job, step, given="confirmation"))
            assert "not part of the plan" in answer.text
        assert on.count_requests("auth.CreateSaasUser") == before


async def test_a_step_with_other_arguments_than_agreed_to_is_refused(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = "j" * 32
        from saasus_mcp.store.job_records import JobGrant  # noqa: PLC0415 - beside its use
        from saasus_mcp.store.records import Commitment  # noqa: PLC0415 - beside its use

        part = JobStepRef(job, "one", given="confirmation", by="local:person")
        weighed = await evaluate_call(
            on.pipeline, Call("auth_create_role", {"role_name": "a", "display_name": "A"}, PRINCIPAL, job_step=part)
        )
        grant = JobGrant(
            "job_x", PRINCIPAL.id, "sandbox", "p", "confirmation", "local:person", False, {"one": weighed.digest}
        )
        on.pipeline.store.commit(job, {"operation": "job_x"}, on.pipeline.clock(), commitment=Commitment(grant=grant))
        other = await on.call("auth_create_role", {"role_name": "b", "display_name": "A"}, job_step=part)
        assert "not part of the plan" in other.text
        agreed = await on.call("auth_create_role", {"role_name": "a", "display_name": "A"}, job_step=part)
        assert agreed.ok
        assert on.count_requests("auth.CreateRole") == 1


async def test_rows_of_a_plan_do_not_count_as_a_loop_run_wild(tmp_path: Path) -> None:
    class Narrow:
        def __getattr__(self, name: str) -> Any:
            return {"writes_per_minute": 3} if name == "ceilings" else getattr(PRESETS["guarded"], name)

    policy: Any = Narrow()
    async with start_job_server(tmp_path, policy=policy) as on:
        told = await on.call_json("job_import_users", {"csv": import_lines(on.sandbox, 4)}, elicitor=AcceptingPerson())
        assert told["counts"] == {"applied": 8}


@pytest.mark.parametrize("failing", [0, 1, 100])
async def test_an_answer_about_a_job_says_what_became_of_its_calls(tmp_path: Path, failing: int) -> None:
    expected = {0: Outcome.APPLIED, 1: Outcome.PARTLY, 100: Outcome.NOT_APPLIED}
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="auth.CreateSaasUser", times=failing, status=400)
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 3)}, elicitor=AcceptingPerson())
        assert answer.applied == expected[failing], answer.text


async def test_a_job_that_fails_after_its_calls_says_that_they_were_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SaasusMcpError(message("jobs.server_failed"))

    async with start_job_server(tmp_path) as on:
        monkeypatch.setattr(job_report, "build_report", fail)
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 3)}, elicitor=AcceptingPerson())
        assert not answer.ok
        assert json.loads(answer.text)["status"] == "failed"
        assert answer.applied == Outcome.APPLIED
        again = await on.call("job_status", {"job": json.loads(answer.text)["job"]})
        assert again.applied == Outcome.APPLIED


async def test_a_read_that_fails_ends_the_job_and_says_why(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="auth.SearchTenantUsers", status=500)
        answer = await on.call("job_export_users", {})
        assert not answer.ok
        assert "auth_search_tenant_users" in answer.text
        assert answer.applied == Outcome.NOT_APPLIED
        assert on.count_requests("auth.SearchTenantUsers") == 3, "an idempotent read is tried again"


async def test_nobody_has_more_than_a_few_jobs_under_way(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        with hold_calls(on, "auth.CreateSaasUser"):
            for count in (2, 3, 4):
                await on.start_import(count)
            refused = await on.call("job_export_users")
        assert "You already have 3 running jobs" in refused.text


@pytest.mark.slow
async def test_of_jobs_started_at_once_no_more_than_a_few_start(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        refused = [answer for answer in await start_jobs_at_once(on, 12, 9) if not answer.ok]
        assert len(refused) == 9
        assert all("You already have 3 running jobs" in answer.text for answer in refused)
        assert len([job for job in on.audit_records() if job["operation"] == "job_export_users"]) == 3


@pytest.mark.slow
async def test_equal_requests_that_start_at_the_same_instant_become_one_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both starts have found no running job before either of them commits."""

    async def find_none(*_: object) -> None:
        return None

    monkeypatch.setattr(JobRunner, "_require_not_running", find_none)
    async with start_job_server(tmp_path) as on:
        with hold_calls(on, "auth.CreateSaasUser") as released:
            jobs = [await on.start_import(2) for _ in range(2)]
            released.set()
        await on.wait_for_job(jobs[0])
        assert jobs[0] == jobs[1]
        assert on.count_requests("auth.CreateSaasUser") == 2
