"""`saasus-mcp job pause` and `job resume` hold back a job of any server that uses the state, and let it go on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.cli.state import AUDIT_KEY_PURPOSE, KEY_FILE
from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.job_records import GRANT_SECONDS, Job, JobGrant, JobPause, JobStatus, PauseSide
from saasus_mcp.store.records import Commitment, Freeze
from saasus_mcp.store.store import Store
from tests.support.commands import CommandResult, Terminal, run_command, spawn_command
from tests.support.saas_store import open_saas_store

JOB = "feedfacecafe00112233445566778899"
PROFILE = "default"
needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of Unix")


def open_store(state: Path, saas_id: str) -> Store:
    sealer = Encryptor.from_file(state / KEY_FILE)
    return open_saas_store(state, saas_id, sealer.derive_keys(AUDIT_KEY_PURPOSE))


@pytest.fixture
def store(state: Path) -> Iterator[Store]:
    """Return the store of a SaaS with one running job of another principal."""
    with closing(open_store(state, "saas-1")) as opened:
        start_job(opened, JOB)
        yield opened


def start_job(store: Store, job: str, at: float | None = None, person: Person = NOBODY) -> None:
    grant = JobGrant(
        "job_import_users", "token:bob", PROFILE, "plan", "confirmation", "token:bob", False, {"s": "d"}, 9
    )
    commitment = Commitment(writes=True, profile=PROFILE, grant=grant)
    record = {"operation": "job_import_users", "principal": grant.principal, **person.to_audit()}
    store.commit(job, record, time.time() if at is None else at, commitment=commitment)


def found(store: Store) -> Job:
    job = store.jobs.get(JOB)
    assert job is not None
    return job


def pause(store: Store, side: PauseSide = "person") -> None:
    assert store.pause_job(JOB, JobPause(time.time(), "local:boss", side), {"action": "pause"}) == "paused"


def resume_in_terminal(*options: str, job: str = JOB) -> CommandResult:
    with Terminal("job", "resume", job, *options) as terminal:
        status = terminal.wait()
        return CommandResult(status, terminal.output, "")


def decisions(store: Store) -> list[str]:
    return [record["action"] for record in store.audit_log.list_records() if record["event"] == "decided"]


def test_a_script_pauses_the_job_of_any_principal_and_reads_how_to_resume(store: Store) -> None:
    ran = run_command("job", "pause", JOB)
    assert ran.status == 0, ran.err
    assert f"saasus-mcp job resume {JOB}" in ran.out + ran.err
    paused = found(store).pause
    assert paused is not None
    assert paused.side == "person"
    assert run_command("job", "pause", JOB).status == 0, "a second pause changes nothing"
    assert found(store).pause == paused
    assert decisions(store) == ["pause"], "it is recorded once"


def test_a_pause_of_the_model_becomes_the_persons(store: Store) -> None:
    pause(store, "model")
    assert run_command("job", "pause", JOB).status == 0
    paused = found(store).pause
    assert paused is not None
    assert paused.side == "person"


def test_a_script_cannot_resume_a_job(store: Store) -> None:
    pause(store)
    for ran in (run_command("job", "resume", JOB), spawn_command("job", "resume", JOB)):
        assert ran.status == 1
        assert "terminal" in ran.err
    assert found(store).pause is not None
    assert "resume" not in decisions(store)


def test_the_jobs_in_progress_are_listed_with_who_started_them(state: Path) -> None:
    with closing(open_store(state, "saas-1")) as store:
        start_job(store, JOB, person=Person("佐藤 花子", "sato@example.jp"))
    ran = run_command("job", "pause", "unknown")
    assert ran.status == 1
    assert f"{JOB} (job_import_users, started by 佐藤 花子 (sato@example.jp) (token:bob))" in ran.err


@needs_terminal
@pytest.mark.parametrize("side", ["person", "model", "freeze"])
def test_a_person_at_a_terminal_resumes_a_job_that_anyone_paused(store: Store, side: PauseSide) -> None:
    pause(store, side)
    ran = resume_in_terminal()
    assert ran.status == 0, ran.out
    assert f"The job {JOB} goes on" in ran.out
    assert found(store).pause is None
    assert decisions(store) == ["pause", "resume"]


@needs_terminal
def test_a_job_does_not_go_on_while_writes_are_frozen(store: Store) -> None:
    pause(store)
    store.freeze(Freeze(time.time(), "local:boss", "stop", PROFILE))
    ran = resume_in_terminal("--lang", "ja")
    assert (ran.status, "saasus-mcp unfreeze" in ran.out, "凍結" in ran.out) == (1, True, True), ran.out
    store.unfreeze(PROFILE)
    assert resume_in_terminal().status == 0


@needs_terminal
def test_a_job_that_began_too_long_ago_does_not_go_on(state: Path) -> None:
    with closing(open_store(state, "saas-1")) as store:
        start_job(store, JOB, at=time.time() - GRANT_SECONDS - 60)
        pause(store)
        ran = resume_in_terminal()
        assert ran.status == 1
        assert "24 hours ago" in ran.out
        assert found(store).pause is not None


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_a_job_that_has_ended_is_not_paused(store: Store, status: JobStatus) -> None:
    store.finish_job(JOB, status, {}, record={"status": status}, at=time.time())
    ran = run_command("job", "pause", JOB)
    assert ran.status == 1
    assert "can no longer be paused" in ran.err
    assert decisions(store) == []


def test_a_job_that_is_being_cancelled_is_not_paused(store: Store) -> None:
    store.jobs.request_cancellation(JOB)
    ran = run_command("job", "pause", JOB)
    assert ran.status == 1
    assert "is being cancelled" in ran.err


def test_an_unknown_or_missing_id_is_answered_with_the_jobs_in_progress(store: Store) -> None:
    for args in ((), ("no-such-job",)):
        ran = run_command("job", "pause", *args)
        assert ran.status == 1
        assert f"{JOB} (job_import_users, started by token:bob)" in ran.err
        assert found(store).pause is None
    store.finish_job(JOB, "done", {}, record={"status": "done"}, at=time.time())
    assert "No job is in progress" in run_command("job", "pause", "no-such-job").err


def test_the_job_is_found_in_whichever_store_it_is(state: Path, store: Store) -> None:
    with closing(open_store(state, "another-saas")) as other:
        start_job(other, "0" * 32)
        assert run_command("job", "pause", "0" * 32).status == 0
        assert [job.pause is not None for job in other.jobs.list_active()] == [True]
    assert found(store).pause is None


@needs_terminal
@pytest.mark.parametrize("options", [(), ("--profile", PROFILE)])
def test_a_job_that_the_model_paused_is_a_persons_to_resume_after_a_freeze(
    store: Store, options: tuple[str, ...]
) -> None:
    pause(store, "model")
    assert run_command("freeze", *options).status == 0
    with Terminal("unfreeze", *options) as terminal:
        assert terminal.wait() == 0, terminal.output
    assert store.active_freeze(PROFILE) is None
    paused = found(store).pause
    assert paused is not None
    assert paused.side == "freeze"
    with pytest.raises(CallRefused) as refused:
        job_control.resume_job(store, found(store), Controller("token:bob", "model", "server"), time.time())
    assert refused.value.message.id == "jobs.resume_refused.freeze"


@needs_terminal
def test_a_freeze_of_another_profile_leaves_the_models_pause_alone(store: Store) -> None:
    pause(store, "model")
    assert run_command("freeze", "--profile", "elsewhere").status == 0
    with Terminal("unfreeze", "--profile", "elsewhere") as terminal:
        assert terminal.wait() == 0, terminal.output
    paused = found(store).pause
    assert paused is not None
    assert paused.side == "model"
