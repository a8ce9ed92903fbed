"""Jobs under way and over, and the grants under which they run: each step that was agreed to is used up once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.schema import job_steps, jobs, workers
from saasus_mcp.store.job_records import Job, JobStatus, JobStep
from saasus_mcp.store.records import AlreadyUsed, JobAlreadyRunning, JobGrant, StepClaim, StepOutcome, TooManyJobs

REQUEST_KEY_LENGTH = 12
"""The first characters of a job's id: equal for equal requests, random for jobs that only read. The others are random."""
STEPS_PER_QUERY = 400
"""Steps that one statement of SQL names."""


class JobStore:
    """The jobs of one SaaS."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- within the transactions of calls --------------------------------------------------------------------------

    @staticmethod
    def start(connection: Connection, job: str, granted: JobGrant, at: float) -> None:
        """Keep what a person agreed to, in the transaction that begins the job.

        Raises:
            JobAlreadyRunning: the same request is already running as another job.
            TooManyJobs: as many of the principal's jobs are running as may.
        """
        acquire_lock(connection, "jobs", granted.principal)
        _require_not_running(connection, job, granted)
        _require_room(connection, granted.principal, granted.most_running)
        own = {
            name: getattr(granted, name) for name in ("name", "principal", "profile", "plan", "given", "typed", "by")
        }
        state = {"status": "running", "cancelling": False, "at": at, "done": 0, "total": None}
        connection.execute(insert(jobs).values(id=job, **own, **state))
        if granted.steps:
            rows = [{"job": job, "step": step, "digest": digest} for step, digest in granted.steps.items()]
            connection.execute(insert(job_steps), rows)

    @staticmethod
    def claim_step(connection: Connection, claim: StepClaim, call: str) -> None:
        """Use a step of a job up, in the transaction that lets the call go.

        Raises:
            AlreadyUsed: it was used before, is no part of what was agreed to, or the job is over.
        """
        running = select(jobs.c.id).where(jobs.c.id == claim.job, jobs.c.status == "running")
        mine = (job_steps.c.job.in_(running), job_steps.c.step == claim.step, job_steps.c.digest == claim.digest)
        free = (*mine, job_steps.c.call.is_(None))
        if connection.execute(update(job_steps).where(*free).values(call=call)).rowcount != 1:
            raise AlreadyUsed(f"The step {claim.step} is not part of the plan, or has already run.", "Check the job.")

    @staticmethod
    def finish_step(connection: Connection, call: str, ending: StepOutcome) -> None:
        """Note what became of a step, in the transaction that ends its call."""
        values = {"outcome": ending.outcome, "said": ending.error, "answer": json.dumps(ending.answer)}
        connection.execute(update(job_steps).where(job_steps.c.call == call).values(**values))

    @staticmethod
    def finish(connection: Connection, job: str, status: JobStatus, report: Mapping[str, Any], at: float) -> bool:
        """Note what a job came to, once; False where it was over already."""
        running = (jobs.c.id == job, jobs.c.status == "running")
        values = {"status": status, "report": json.dumps(report), "ended_at": at}
        return connection.execute(update(jobs).where(*running).values(**values)).rowcount == 1

    # -- on their own ----------------------------------------------------------------------------------------------

    def get(self, job: str) -> Job | None:
        """A job, whoever's it is."""
        with self._database.read_transaction() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job)).first()
            return _job(row) if row is not None else None

    def list_jobs(self, principal: str, profile: str, most: int) -> list[Job]:
        """The jobs of this principal in this profile, newest first."""
        own = (jobs.c.principal == principal, jobs.c.profile == profile)
        with self._database.read_transaction() as connection:
            rows = connection.execute(select(jobs).where(*own).order_by(jobs.c.at.desc()).limit(most))
            return [_job(row) for row in rows]

    def report_progress(self, job: str, done: int, total: int | None) -> bool:
        """Note how far a job is; False where it is to stop."""
        with self._database.transaction() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job).values(done=done, total=total))
            return _goes_on(connection, job)

    def require_capacity(self, principal: str, most: int) -> None:
        """See whether one more job of a principal could start now. Whether it does is decided when it starts.

        Raises:
            TooManyJobs: as many as may are running.
        """
        with self._database.read_transaction() as connection:
            _require_room(connection, principal, most)

    def any_running(self) -> bool:
        """Whether some job is not over, of anybody."""
        with self._database.read_transaction() as connection:
            return connection.execute(select(jobs.c.id).where(jobs.c.status == "running").limit(1)).first() is not None

    def should_continue(self, job: str) -> bool:
        """Whether a job runs and nobody has asked it to stop."""
        with self._database.read_transaction() as connection:
            return _goes_on(connection, job)

    def save_report(self, job: str, report: Mapping[str, Any]) -> None:
        """Note what is to be known of a job while it runs."""
        running = (jobs.c.id == job, jobs.c.status == "running")
        with self._database.transaction() as connection:
            connection.execute(update(jobs).where(*running).values(report=json.dumps(report)))

    def request_cancellation(self, job: str) -> bool:
        """Ask a job to stop; False where it runs no more."""
        running = (jobs.c.id == job, jobs.c.status == "running")
        with self._database.transaction() as connection:
            return connection.execute(update(jobs).where(*running).values(cancelling=True)).rowcount == 1

    def get_steps(self, job: str, names: Iterable[str]) -> dict[str, JobStep]:
        """What became of these steps of a job, by name."""
        wanted, found = list(names), {}
        with self._database.read_transaction() as connection:
            for start in range(0, len(wanted), STEPS_PER_QUERY):
                some = (job_steps.c.job == job, job_steps.c.step.in_(wanted[start : start + STEPS_PER_QUERY]))
                for row in connection.execute(select(job_steps).where(*some)):
                    found[row.step] = _step(row)
        return found

    def get_answers(self, job: str, names: Iterable[str]) -> dict[str, Any]:
        """What the API answered to these steps of a job, by name; without those that are not known."""
        return {name: step.answer for name, step in self.get_steps(job, names).items() if step.answer is not None}

    def save_answer(self, job: str, step: str, answer: Any) -> None:
        """Note what a step must have answered, of which only its deed was seen."""
        unknown = (job_steps.c.job == job, job_steps.c.step == step, job_steps.c.outcome == "applied")
        with self._database.transaction() as connection:
            connection.execute(update(job_steps).where(*unknown).values(answer=json.dumps(answer)))

    def count_outcomes(self, job: str) -> dict[str, int]:
        """How many steps of a job came to each outcome; those not over are left out."""
        over = (job_steps.c.job == job, job_steps.c.outcome.is_not(None))
        query = select(job_steps.c.outcome, func.count().label("count")).where(*over).group_by(job_steps.c.outcome)
        with self._database.read_transaction() as connection:
            return {str(outcome): int(count) for outcome, count in connection.execute(query)}

    # -- who runs them ---------------------------------------------------------------------------------------------

    def heartbeat(self, worker: str) -> None:
        """Note that a process lives that runs jobs."""
        with self._database.transaction() as connection:
            at = _now(connection)
            if connection.execute(update(workers).where(workers.c.id == worker).values(at=at)).rowcount == 0:
                connection.execute(insert(workers).values(id=worker, at=at))

    def retire_worker(self, worker: str) -> None:
        """Note that a process ends: the others need not wait for another sign of life."""
        with self._database.transaction() as connection:
            connection.execute(update(workers).where(workers.c.id == worker).values(at=0.0))

    def stale_workers(self, seconds: float) -> list[str]:
        """The processes that have not said for so long that they live."""
        with self._database.read_transaction() as connection:
            silent = workers.c.at < _now(connection) - seconds
            return list(connection.execute(select(workers.c.id).where(silent)).scalars())

    def remove_workers(self, dead: Iterable[str]) -> None:
        """Forget processes whose jobs were taken up."""
        with self._database.transaction() as connection:
            connection.execute(delete(workers).where(workers.c.id.in_(list(dead))))


def _now(connection: Connection) -> float:
    """The time, by the one clock of those who share the database: a server whose own is fast would take all for dead."""
    if connection.dialect.name != "postgresql":
        return time.time()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def _require_not_running(connection: Connection, job: str, granted: JobGrant) -> None:
    """Refuse a second start of one request. The runner has looked before, but two starts can come at the same instant."""
    same = (
        jobs.c.id.startswith(job[:REQUEST_KEY_LENGTH], autoescape=True),
        jobs.c.principal == granted.principal,
        jobs.c.profile == granted.profile,
        jobs.c.status == "running",
        jobs.c.cancelling.is_(False),
    )
    running = connection.execute(select(jobs.c.id).where(*same)).scalar()
    if running is not None:
        raise JobAlreadyRunning(running)


def _require_room(connection: Connection, principal: str, most: int) -> None:
    mine = (jobs.c.principal == principal, jobs.c.status == "running")
    running = int(connection.execute(select(func.count()).select_from(jobs).where(*mine)).scalar_one())
    if running >= most:
        raise TooManyJobs(
            f"You already have {running} running jobs; at most {most} may run at the same time.",
            "Wait for one to finish; job_status shows their progress.",
        )


def _goes_on(connection: Connection, job: str) -> bool:
    found = connection.execute(select(jobs.c.cancelling, jobs.c.status).where(jobs.c.id == job)).first()
    return found is not None and not found.cancelling and found.status == "running"


def _job(row: Any) -> Job:
    return Job(**{**row._asdict(), "report": json.loads(row.report or "{}")})


def _step(row: Any) -> JobStep:
    answer = json.loads(row.answer) if row.answer else None
    return JobStep(row.step, row.call, row.outcome, row.said or "", answer)
