"""A store that breaks while it commits a job: nobody knows whether it did, and no answer or record says otherwise."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from saasus_mcp.common.outcome import Outcome
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer
from tests.support.job_data import import_lines
from tests.support.job_server import AcceptingPerson, JobServer, hold_calls, start_job_server
from tests.support.outages import lose_commits
from tests.support.pipeline import PRINCIPAL


async def import_two(on: JobServer, *, written: bool, readable: bool = True) -> ToolAnswer:
    """Import two people while the answer to the commit is lost."""
    with lose_commits(on.pipeline.store, written=written, readable=readable):
        return await on.call("job_import_users", {"csv": import_lines(on.sandbox, 2)}, elicitor=AcceptingPerson())


async def test_a_job_whose_commit_was_lost_but_made_runs(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await import_two(on, written=True)
        assert (answer.ok, answer.applied) == (True, Outcome.APPLIED), answer.text
        assert on.audit_records("refused") == []


@pytest.mark.parametrize("written", [True, False])
async def test_a_job_that_may_have_started_is_not_reported_as_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    async def run(*_: object) -> None:
        """End a job before it looks for its commit."""

    monkeypatch.setattr(JobRunner, "run", run)
    async with start_job_server(tmp_path) as on:
        answer = await import_two(on, written=written, readable=not written)
        assert (answer.ok, answer.applied, answer.why) == (False, Outcome.UNKNOWN, "store")
        assert "job_status" in answer.text
        assert on.audit_records("refused") == []
        jobs = on.pipeline.store.jobs.list_jobs(PRINCIPAL.id, "sandbox", 10)
        assert len(jobs) == written
        assert all(job.id in answer.text for job in jobs)


async def test_a_job_that_fails_before_its_commit_was_not_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with start_job_server(tmp_path) as on:
        monkeypatch.setattr(on.pipeline.store.jobs, "start", fail)
        answer = await on.call("job_import_users", {"csv": import_lines(on.sandbox, 2)}, elicitor=AcceptingPerson())
        assert (answer.ok, answer.applied) == (False, Outcome.NOT_APPLIED)
        assert {each["refused"] for each in on.audit_records("refused")} == {"storeerror"}


async def test_a_resumption_that_may_have_been_made_is_unknown(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        with hold_calls(on, "auth.CreateSaasUser"):
            job = await on.start_import(3)
            await on.call("job_control", {"job": job, "action": "pause"}, deadline=Deadline.after(1.0))
            with lose_commits(on.pipeline.store, written=True, of="resume_job"):
                answer = await on.call("job_control", {"job": job, "action": "resume"})
            assert (answer.ok, answer.applied) == (False, Outcome.UNKNOWN)
            assert on.audit_records("refused") == []
