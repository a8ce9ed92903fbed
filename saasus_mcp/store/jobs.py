"""Jobs, the steps that their grants allow, and the processes that run them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, insert, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from saasus_mcp.common.outcome import Outcome
from saasus_mcp.store.database.engine import Database, shared_time
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import job_pauses, job_steps, jobs, workers
from saasus_mcp.store.errors import AlreadyUsed, GrantExpired, JobAlreadyRunning, TooManyJobs
from saasus_mcp.store.job_records import (
    GRANT_SECONDS,
    Job,
    JobGrant,
    JobPause,
    JobStatus,
    JobStep,
    PauseResult,
    PauseSide,
    StepClaim,
    StepOutcome,
)

REQUEST_KEY_LENGTH = 12
"""The first characters of a job's id: equal for equal requests, random for jobs that only read. The others are random."""
_PAUSE_FIELDS = ("paused_at", "paused_by", "paused_side")
_JOBS = select(
    jobs, *(column.label(name) for column, name in zip(list(job_pauses.c)[1:], _PAUSE_FIELDS, strict=True))
).outerjoin_from(jobs, job_pauses, jobs.c.id == job_pauses.c.job)
_GRANT_FIELDS = ("name", "principal", "profile", "plan", "given", "typed", "by")

_RUNNING: ColumnElement[str] = literal_column("'running'")
_NO_CONSENT: ColumnElement[str] = literal_column("'none'")
"""Literals, because a prepared statement binds only named values."""
_STATE = PreparedStatement(
    select(jobs.c.cancelling, jobs.c.status, exists().where(job_pauses.c.job == jobs.c.id).label("paused")).where(
        jobs.c.id == bindparam("job")
    )
)
_REPORT_PROGRESS = PreparedStatement(
    update(jobs).where(jobs.c.id == bindparam("job")).values(done=bindparam("finished"), total=bindparam("all"))
)
_STEP = PreparedStatement(
    select(*(job_steps.c[name] for name in ("step", "call", "outcome", "said", "answer"))).where(
        job_steps.c.job == bindparam("of"), job_steps.c.step == bindparam("name")
    )
)
_EXPIRED = PreparedStatement(
    select(jobs.c.id).where(jobs.c.id == bindparam("of"), jobs.c.given != _NO_CONSENT, jobs.c.at < bindparam("oldest"))
)
_CLAIM_STEP = PreparedStatement(
    update(job_steps)
    .where(
        job_steps.c.job == bindparam("of"),  # compared here too: SQLite would otherwise look through every unused step
        job_steps.c.step == bindparam("name"),
        exists().where(jobs.c.id == bindparam("of"), jobs.c.status == _RUNNING),
        job_steps.c.digest == bindparam("granted"),
        job_steps.c.call.is_(None),
    )
    .values(call=bindparam("claimant"))
)
_FINISH_STEP = PreparedStatement(
    update(job_steps)
    .where(job_steps.c.call == bindparam("by"))
    .values(outcome=bindparam("ending"), said=bindparam("error"), answer=bindparam("given"))
)


class JobStore:
    """The jobs of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- within the transactions of calls --------------------------------------------------------------------------

    @staticmethod
    def start(connection: Connection, job: str, grant: JobGrant, at: float) -> None:
        """Store the grant of a job, in the transaction that starts it.

        Raises:
            JobAlreadyRunning: the same request is already running as another job.
            TooManyJobs: the maximum number of the principal's jobs is running.
        """
        acquire_lock(connection, "jobs", grant.principal)
        _require_not_running(connection, job, grant)
        _require_capacity(connection, grant.principal, grant.most_running)
        consent = {name: getattr(grant, name) for name in _GRANT_FIELDS}
        state = {"status": "running", "cancelling": False, "at": at, "done": 0, "total": None}
        connection.execute(insert(jobs).values(id=job, **consent, **state))
        if grant.steps:
            rows = [{"job": job, "step": step, "digest": digest} for step, digest in grant.steps.items()]
            connection.execute(insert(job_steps), rows)

    @staticmethod
    def claim_step(connection: Connection, claim: StepClaim, call: str, at: float) -> None:
        """Use up a step of a job, in the transaction that lets the call be sent.

        Raises:
            AlreadyUsed: the step was used before or is not part of the grant, or the job has ended.
            GrantExpired: the consent to the job was given too long ago.
        """
        if _EXPIRED.fetch(connection, {"of": claim.job, "oldest": at - GRANT_SECONDS}):
            raise GrantExpired.of("store.grant_expired", hours=GRANT_SECONDS // 3600)
        values = {"of": claim.job, "name": claim.step, "granted": claim.digest, "claimant": call}
        if _CLAIM_STEP.run(connection, values) != 1:
            raise AlreadyUsed.of("store.step_used", step=claim.step)

    @staticmethod
    def finish_step(connection: Connection, call: str, outcome: StepOutcome) -> None:
        """Save the outcome of a step, in the transaction that ends its call."""
        answer = json.dumps(outcome.answer)
        values = {"by": call, "ending": outcome.outcome, "error": outcome.error, "given": answer}
        _FINISH_STEP.run(connection, values)

    @staticmethod
    def finish(connection: Connection, job: str, status: JobStatus, *, report: Mapping[str, Any], at: float) -> bool:
        """Save the end of a job. False if it had ended before."""
        values = {"status": status, "report": json.dumps(report), "ended_at": at}
        connection.execute(delete(job_pauses).where(job_pauses.c.job == job))
        return _update_running(connection, job, **values)

    @staticmethod
    def pause(connection: Connection, job: str, pause: JobPause) -> PauseResult:
        """Ask a job to pause between rows. A pause of the model becomes one of the person who pauses, too.

        Returns:
            `unchanged` if it was paused already, `ended` if it has ended or is being cancelled.
        """
        if not _update_running(connection, job, jobs.c.cancelling.is_(False), cancelling=False):  # locks the row
            return "ended"
        found = connection.execute(select(job_pauses.c.side).where(job_pauses.c.job == job)).first()
        if found is None:
            connection.execute(insert(job_pauses).values(job=job, at=pause.at, by=pause.by, side=pause.side))
            return "paused"
        if found.side != "model" or pause.side == "model":
            return "unchanged"
        connection.execute(
            update(job_pauses).where(job_pauses.c.job == job).values(at=pause.at, by=pause.by, side=pause.side)
        )
        return "paused"

    @staticmethod
    def resume(connection: Connection, job: str, side: PauseSide) -> bool:
        """Let a paused job go on. False if it is not paused, or this side may not resume it."""
        allowed = () if side == "person" else (job_pauses.c.side == side,)
        return connection.execute(delete(job_pauses).where(job_pauses.c.job == job, *allowed)).rowcount == 1

    @staticmethod
    def profile_of(connection: Connection, job: str) -> str:
        return str(connection.execute(select(jobs.c.profile).where(jobs.c.id == job)).scalar_one())

    # -- on their own ----------------------------------------------------------------------------------------------

    def get(self, job: str) -> Job | None:
        """Return a job of any principal."""
        row = self._database.row(_JOBS.where(jobs.c.id == job))
        return _job(row) if row is not None else None

    def list_jobs(self, principal: str, profile: str, most: int) -> list[Job]:
        own = (jobs.c.principal == principal, jobs.c.profile == profile)
        return [_job(row) for row in self._database.rows(_JOBS.where(*own).order_by(jobs.c.at.desc()).limit(most))]

    def list_recent(self, profile: str | None, most: int) -> list[Job]:
        """Return the newest jobs of all principals in a profile; of None, in every profile."""
        query = _JOBS.order_by(jobs.c.at.desc()).limit(most)
        return [_job(row) for row in self._database.rows(_of_profile(query, profile))]

    def list_states(self, profile: str | None, most: int) -> list[tuple[Any, ...]]:
        """Return what changes of the newest jobs, without their reports: a value that differs whenever their pages would."""
        state = (jobs.c.status, jobs.c.cancelling, jobs.c.done, jobs.c.total, func.length(jobs.c.report))
        paused = (job_pauses.c.at, job_pauses.c.side)
        states = select(jobs.c.id, *state, *paused).outerjoin_from(jobs, job_pauses, jobs.c.id == job_pauses.c.job)
        query = states.order_by(jobs.c.at.desc()).limit(most)
        return [tuple(row) for row in self._database.rows(_of_profile(query, profile))]

    def save_progress(self, job: str, done: int, total: int | None) -> None:
        with self._database.transaction() as connection:
            self.save_progress_within(connection, job, done, total)

    @staticmethod
    def save_progress_within(connection: Connection, job: str, done: int, total: int | None) -> None:
        """Save the progress of a job, in a transaction."""
        _REPORT_PROGRESS.run(connection, {"job": job, "finished": done, "all": total})

    def may_begin_rows(self, job: str) -> bool:
        """Return whether a job may begin its next row. False if it must stop or pause."""
        state = self._database.read_alone(_STATE, {"job": job})
        return state is not None and _is_running(state) and not state[2]

    def require_capacity(self, principal: str, most: int) -> None:
        """Check early whether one more job of a principal could start. `start` checks again.

        Raises:
            TooManyJobs: the maximum number of the principal's jobs is running.
        """
        with self._database.read_transaction() as connection:
            _require_capacity(connection, principal, most)

    def any_running(self) -> bool:
        """Return True if a job of any principal is running."""
        return self._database.row(select(jobs.c.id).where(jobs.c.status == "running")) is not None

    def list_active(self) -> list[Job]:
        """Return the running and paused jobs of every principal, oldest first."""
        return [_job(row) for row in self._database.rows(_JOBS.where(jobs.c.status == "running").order_by(jobs.c.at))]

    def should_continue(self, job: str) -> bool:
        """Return True if a job is running and was not cancelled."""
        return _is_running(self._database.read_alone(_STATE, {"job": job}))

    def save_report(self, job: str, report: Mapping[str, Any]) -> None:
        """Save the preliminary report of a running job."""
        with self._database.transaction() as connection:
            _update_running(connection, job, report=json.dumps(report))

    def request_cancellation(self, job: str) -> bool:
        """Ask a job to stop. False if it is not running."""
        with self._database.transaction() as connection:
            return _update_running(connection, job, cancelling=True)

    def get_steps(self, job: str, names: Iterable[str]) -> dict[str, JobStep]:
        rows = (self._database.read_alone(_STEP, {"of": job, "name": name}) for name in names)
        return {row[0]: _step(row) for row in rows if row is not None}

    def get_answers(self, job: str, names: Iterable[str]) -> dict[str, Any]:
        """Return the API's known answers to steps of a job, by name."""
        return {name: step.answer for name, step in self.get_steps(job, names).items() if step.answer is not None}

    def save_answer(self, job: str, step: str, answer: Any) -> None:
        """Save the answer of an applied step whose answer was lost and then deduced."""
        applied = (job_steps.c.job == job, job_steps.c.step == step, job_steps.c.outcome == "applied")
        self._database.change(update(job_steps).where(*applied).values(answer=json.dumps(answer)))

    def count_outcomes(self, job: str) -> dict[str, int]:
        """Return the number of ended steps of a job by outcome."""
        ended = (job_steps.c.job == job, job_steps.c.outcome.is_not(None))
        query = select(job_steps.c.outcome, func.count().label("count")).where(*ended).group_by(job_steps.c.outcome)
        return {str(outcome): int(count) for outcome, count in self._database.rows(query)}

    def outcome_of(self, job: Job) -> Outcome:
        """Return what became of the calls of a job. One that began and has no end is unknown, also while the job runs."""
        began = job_steps.c.call.is_not(None)
        query = select(job_steps.c.outcome, began, func.count()).where(job_steps.c.job == job.id)
        ends = Counter[Outcome | None]()
        for outcome, has_begun, count in self._database.rows(query.group_by(job_steps.c.outcome, began)):
            if outcome is not None:
                ends[Outcome(outcome)] += count
            else:
                ends[Outcome.UNKNOWN if has_begun else None] += count
        if ends[Outcome.UNKNOWN]:
            return Outcome.UNKNOWN
        if not ends[Outcome.APPLIED]:
            return Outcome.NOT_APPLIED
        return Outcome.APPLIED if ends[Outcome.APPLIED] == ends.total() else Outcome.PARTLY

    # -- workers ---------------------------------------------------------------------------------------------------

    def heartbeat(self, worker: str) -> None:
        """Record that a process that runs jobs is alive."""
        with self._database.transaction() as connection:
            at = shared_time(connection)
            if connection.execute(update(workers).where(workers.c.id == worker).values(at=at)).rowcount == 0:
                connection.execute(insert(workers).values(id=worker, at=at))

    def retire_worker(self, worker: str) -> None:
        """Mark a process as stale at its end, so that the others need not wait for a missing heartbeat."""
        self._database.change(update(workers).where(workers.c.id == worker).values(at=0.0))

    def stale_workers(self, seconds: float) -> list[str]:
        """Return the processes without a heartbeat for so many seconds."""
        with self._database.read_transaction() as connection:
            silent = workers.c.at < shared_time(connection) - seconds
            return list(connection.execute(select(workers.c.id).where(silent)).scalars())

    def remove_workers(self, stale: Iterable[str]) -> None:
        """Delete processes whose jobs were resumed elsewhere."""
        self._database.change(delete(workers).where(workers.c.id.in_(list(stale))))


def _of_profile(query: Select[Any], profile: str | None) -> Select[Any]:
    return query if profile is None else query.where(jobs.c.profile == profile)


def _require_not_running(connection: Connection, job: str, grant: JobGrant) -> None:
    """Refuse a second start of one request. The runner has looked before, but two starts can come at the same instant."""
    same = (
        jobs.c.id.startswith(job[:REQUEST_KEY_LENGTH], autoescape=True),
        jobs.c.principal == grant.principal,
        jobs.c.profile == grant.profile,
        jobs.c.status == "running",
        jobs.c.cancelling.is_(False),
    )
    running = connection.execute(select(jobs.c.id).where(*same)).scalar()
    if running is not None:
        raise JobAlreadyRunning(running)


def _require_capacity(connection: Connection, principal: str, most: int) -> None:
    own = (jobs.c.principal == principal, jobs.c.status == "running")
    running = int(connection.execute(select(func.count()).select_from(jobs).where(*own)).scalar_one())
    if running >= most:
        raise TooManyJobs.of("store.too_many_jobs", running=running, limit=most)


def _is_running(state: Sequence[Any] | None) -> bool:
    if state is None:
        return False
    cancelling, status, _ = state
    return not cancelling and bool(status == "running")


def _update_running(connection: Connection, job: str, *conditions: ColumnElement[bool], **values: Any) -> bool:
    running = (jobs.c.id == job, jobs.c.status == "running", *conditions)
    return connection.execute(update(jobs).where(*running).values(**values)).rowcount == 1


def _job(row: Any) -> Job:
    values = {**row._asdict(), "report": json.loads(row.report or "{}")}
    at, by, side = (values.pop(name) for name in _PAUSE_FIELDS)
    return Job(**values, pause=None if at is None else JobPause(at, by, side))


def _step(row: Sequence[Any]) -> JobStep:
    step, call, outcome, error, answer = row
    return JobStep(step, call, outcome, error or "", json.loads(answer) if answer else None)
