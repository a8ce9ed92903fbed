"""Jobs in the store: what happens once, and what a step costs."""

from __future__ import annotations

import pytest

from saasus_mcp.common.outcome import Outcome
from saasus_mcp.jobs.job_control import Controller, resume_job
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store.errors import AlreadyUsed, GrantExpired
from saasus_mcp.store.job_records import GRANT_SECONDS, JobGrant, JobPause, JobStatus, PauseSide, StepClaim, StepOutcome
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.store import Store

NOW = 1_800_000_000.0


def count_instructions(steps: int) -> int:
    """Return how many instructions of SQLite the claim of one step takes in a job of so many steps."""
    store, digests = Store.in_memory(), {f"step {number}": "digest" for number in range(steps)}
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, digests)
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with store._database.transaction() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(count, 1)
        store.jobs.claim_step(connection, StepClaim("job-1", f"step {steps - 1}", "digest"), "call", NOW)
        driver.set_progress_handler(None, 1)
    store.close()
    return counted


@pytest.mark.parametrize(
    ("ends", "status", "expected"),
    [
        ([], "done", "not_applied"),
        (["applied", "applied"], "done", "applied"),
        (["applied", "not_applied"], "done", "partly"),
        (["applied", "not begun"], "failed", "partly"),
        (["not_applied", "not begun"], "cancelled", "not_applied"),
        (["applied", "unknown"], "failed", "unknown"),
        (["applied", "open"], "failed", "unknown"),
        (["applied", "open"], "running", "unknown"),
        (["open"], "running", "unknown"),
    ],
)
def test_the_outcome_of_a_job_is_that_of_its_calls(
    store: Store, ends: list[str], status: JobStatus, expected: str
) -> None:
    steps = {f"step {number}": "digest" for number in range(len(ends))}
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, steps)
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    with store._database.transaction() as connection:
        for step, end in zip(steps, ends, strict=True):
            if end != "not begun":
                store.jobs.claim_step(connection, StepClaim("job-1", step, "digest"), step, NOW)
            if end not in ("not begun", "open"):
                store.jobs.finish_step(connection, step, StepOutcome(Outcome(end)))
    if status != "running":
        store.finish_job("job-1", status, {}, record={}, at=NOW)
    job = store.jobs.get("job-1")
    assert job is not None
    assert store.jobs.outcome_of(job) == expected


def test_a_step_is_taken_by_one_call(store: Store) -> None:
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, {"step": "digest"})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    store.commit("first", {}, NOW, commitment=Commitment(claim=StepClaim("job-1", "step", "digest")))
    with pytest.raises(AlreadyUsed):
        store.commit("second", {}, NOW, commitment=Commitment(claim=StepClaim("job-1", "step", "digest")))


@pytest.mark.parametrize("given", ["confirmation", "approval", "none"])
def test_the_consent_to_a_job_covers_its_steps_for_a_time_only(store: Store, given: str) -> None:
    steps = {"in time": "digest", "late": "digest"}
    grant = JobGrant("job_x", "local:me", "default", "plan", given, "local:me", False, steps)
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    last = NOW + GRANT_SECONDS
    store.commit("first", {}, last, commitment=Commitment(claim=StepClaim("job-1", "in time", "digest")))
    late = Commitment(claim=StepClaim("job-1", "late", "digest"))
    if given == "none":  # nobody was asked, so no consent can grow old
        store.commit("second", {}, last + 1, commitment=late)
        return
    with pytest.raises(GrantExpired):
        store.commit("second", {}, last + 1, commitment=late)
    assert [record["call"] for record in store.audit_log.list_records()] == ["job-1", "first"]
    step = store.jobs.get_steps("job-1", ["late"])["late"]
    assert (step.call, step.outcome) == (None, None), "an expired consent uses nothing up"


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_no_step_of_a_job_that_has_ended_is_sent(store: Store, status: JobStatus) -> None:
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, {"step": "digest"})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    store.finish_job("job-1", status, {}, record={}, at=NOW)
    with pytest.raises(AlreadyUsed):
        store.commit("first", {}, NOW, commitment=Commitment(claim=StepClaim("job-1", "step", "digest")))


@pytest.mark.parametrize(("step", "digest"), [("step", "another digest"), ("another step", "digest")])
def test_a_call_that_the_plan_does_not_list_is_not_sent(store: Store, step: str, digest: str) -> None:
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, {"step": "digest"})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    with pytest.raises(AlreadyUsed):
        store.commit("first", {}, NOW, commitment=Commitment(claim=StepClaim("job-1", step, digest)))


def test_a_paused_job_is_resumed_once(store: Store) -> None:
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, {})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    assert store.pause_job("job-1", JobPause(NOW, "local:me", "person"), {}) == "paused"
    assert store.resume_job("job-1", "person", {}, NOW)
    recorded = len(store.audit_log.list_records())
    assert not store.resume_job("job-1", "person", {}, NOW)
    assert len(store.audit_log.list_records()) == recorded


@pytest.mark.parametrize("pausing", ["person", "freeze"])
def test_the_model_resumes_no_job_that_a_person_or_a_freeze_paused_at_the_same_moment(
    store: Store, pausing: PauseSide
) -> None:
    grant = JobGrant("job_import_users", "local:me", "default", "plan", "none", "", False, {"step": "digest"})
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    store.pause_job("job-1", JobPause(NOW, "local:me", "model"), {})
    seen = store.jobs.get("job-1")
    assert seen is not None
    store.pause_job("job-1", JobPause(NOW, "local:boss", pausing), {})
    recorded = store.audit_log.list_records()
    assert not store.resume_job("job-1", "model", {"action": "resume"}, NOW)
    with pytest.raises(CallRefused) as refused:
        resume_job(store, seen, Controller("local:me", "model", "client"), NOW)
    assert refused.value.message.id == f"jobs.resume_refused.{pausing}"
    paused = store.jobs.get("job-1")
    assert paused is not None
    assert paused.pause == JobPause(NOW, "local:boss", pausing)
    assert store.audit_log.list_records() == recorded
    assert store.resume_job("job-1", "person", {"action": "resume"}, NOW)


def test_a_step_of_a_large_job_costs_the_same_as_one_of_a_small_job() -> None:
    assert 0 < count_instructions(2_000) <= count_instructions(20) * 1.5
