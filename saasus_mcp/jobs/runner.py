"""The jobs of one pipeline: planned, authorized, run by the engine, and ended."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import anyio

from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.catalog.model import REASON_ARGUMENT
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.jobs import job_report
from saasus_mcp.jobs.engine import JobEngine
from saasus_mcp.jobs.job_access import acting_principal, require_calls_not_narrowed, require_not_narrowed
from saasus_mcp.jobs.job_context import JobCancelled, JobContext
from saasus_mcp.jobs.job_kind import JobResult, explain_missing_fields, load_kind
from saasus_mcp.jobs.job_planner import JobPlanner
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.pause_gate import paused_too_long
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.store_retry import query_jobs, retry
from saasus_mcp.permissions.approval.confirmation import ConfirmationReply
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_authorization import MAX_RUNNING_JOBS, authorize_job, commit_job
from saasus_mcp.server.pipeline.job_steps import with_jobs
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.store.errors import JobAlreadyRunning
from saasus_mcp.store.job_records import GRANT_SECONDS, Job, JobStatus

log = logging.getLogger(__name__)

MAX_RECENT_JOBS = 50
"""Of a principal's jobs, among which the same request is looked for."""
REQUEST_KEY_BYTES = 6
"""The part of a job's id that equal requests share (`store.jobs.REQUEST_KEY_LENGTH`)."""
COMMIT_WAITS = (0.01, 0.04, 0.2, 1.0, 5.0, 10.0, 0.0)
"""Seconds between two queries whether a job was committed."""


class JobRunner:
    """Plans and runs the jobs of one pipeline.

    Args:
        specs: the kinds of job, by name.
        engine: runs the jobs of all pipelines of this process.
    """

    def __init__(self, pipeline: Pipeline, specs: Mapping[str, JobSpec], engine: JobEngine) -> None:
        self.pipeline = pipeline
        self.specs = specs
        self.engine = engine

    async def start(self, spec: JobSpec, call: Call) -> str | PendingElicitation:
        """Plan, authorize and begin a job. Return its id, or the question that a person must answer first.

        A request that is already running returns the id of the running job.

        Raises:
            SaasusMcpError: the job is not allowed, or not yet, or cannot be planned.
        """
        require_not_narrowed(self.pipeline.catalogue, spec, call.principal)
        reason = str(call.arguments.get(REASON_ARGUMENT, ""))
        given = {name: value for name, value in call.arguments.items() if name != REASON_ARGUMENT}
        call = replace(call, arguments={**self._reader_defaults(spec), **given})
        key = self._request_key(spec, call)
        principal = acting_principal(spec, call.principal)
        try:
            await self._require_not_running(key, principal)
            # Refuse early, before anything is planned or asked. The store decides again when the job begins.
            await with_jobs(self.pipeline, lambda jobs: jobs.require_capacity(principal.id, MAX_RUNNING_JOBS))
            await self.engine.start()
            while True:
                await self._require_not_running(key, principal)
                job = key + secrets.token_hex(16 - REQUEST_KEY_BYTES)
                reader = JobReader(
                    self.pipeline,
                    principal,
                    JobStepRef(job),
                    deadline=call.deadline,
                    caller=call.principal,
                    encoding=call.encoding,
                )
                plan, proposal = await JobPlanner(self.pipeline, spec, reader).propose(call, job=job, reason=reason)
                result = await authorize_job(self.pipeline, call, proposal)
                if not isinstance(result, ConfirmationReply):
                    break
                call = call.answered(result)
            if isinstance(result, PendingElicitation):
                return result
            proposal = proposal.consented(result.proof)
            await self._submit(spec, proposal.ref, plan, reader)
            await commit_job(self.pipeline, proposal, result.proof)
        except JobAlreadyRunning as error:
            return error.job
        return proposal.ref.job

    async def _submit(self, spec: JobSpec, ref: JobStepRef, plan: Plan, reader: JobReader) -> None:
        submitted = {
            "name": spec.name,
            "profile": self.pipeline.destination.profile,
            "principal": _principal_to_json(reader.principal),
            "ref": asdict(ref),
            "plan": await worker_threads.run_in_worker(reader.principal.id, plan.to_json),
            "calls": reader.read_log.reads(),
        }
        await self.engine.submit(ref.job, submitted)

    def _reader_defaults(self, spec: JobSpec) -> dict[str, str]:
        """Return the time zone and the language of the questions, for a kind of job that takes them: what people write means what they read."""
        reader = self.pipeline.reader
        defaults = {"zone": reader.zone_name, "language": reader.language}
        return {name: value for name, value in defaults.items() if name in spec.input_schema["properties"]}

    async def run(self, submitted: Mapping[str, Any]) -> None:
        """Run or continue a submitted job, and record its end."""
        principal = _principal_from_json(submitted["principal"])
        plan = await worker_threads.run_in_worker(principal.id, lambda: Plan.from_json(submitted["plan"]))
        ref, name = JobStepRef(**submitted["ref"]), submitted["name"]
        if not await self._is_committed(ref.job):
            return
        work = JobContext(self.pipeline, principal, ref, self.engine.checkpoint)
        work.read_log.extend(submitted["calls"])
        status: JobStatus = "done"
        report: Mapping[str, Any] = {}
        try:
            await work.wait_for_approvals(plan)
            with explain_missing_fields():
                result = await load_kind(name).run(work, plan)
            calls = (*((key, None) for key in self.specs[name].reads), *work.read_log.reads())
            report = await self._build_report(result, principal, ResultOrigin(name, calls))
            if work.cancelled:
                status = "cancelled"
        except JobCancelled:
            status = "cancelled"
        except SaasusMcpError as error:
            status, report = "failed", {"why": error.text(self.pipeline.language)}
        except Exception:
            log.exception("job %s failed inside the server", ref.job)
            status, report = "failed", {"why": message("jobs.server_failed").text(self.pipeline.language)}
        if status == "cancelled" and await self._was_paused_too_long(ref.job):
            why = message("jobs.paused_too_long", hours=GRANT_SECONDS // 3600)
            report = {"why": why.text(self.pipeline.language), **report}
        await self._finish(ref.job, status, report)

    async def _build_report(self, result: JobResult, principal: Principal, origin: ResultOrigin) -> dict[str, Any]:
        def store_result(value: Any) -> str:
            return self.pipeline.results.store_result(value, principal.id, origin)

        report = await self.pipeline.store_executor(
            lambda: job_report.build_report(result, store_result, self.pipeline.language)
        )
        return {**report, job_report.READS_KEY: origin.calls}

    async def _finish(self, job: str, status: JobStatus, report: Mapping[str, Any]) -> None:
        def finish() -> None:
            record = {"status": status, "steps": self.pipeline.store.jobs.count_outcomes(job)}
            self.pipeline.store.finish_job(job, status, report, record=record, at=self.pipeline.clock())

        await retry(lambda: self.pipeline.store_executor(finish))

    async def _was_paused_too_long(self, job: str) -> bool:
        """Return whether a cancelled job ended because of its pause. The store knows it after a crash, too."""
        found = await query_jobs(self.pipeline, lambda jobs: jobs.get(job))
        return found is not None and paused_too_long(found, self.pipeline.clock())

    async def _is_committed(self, job: str) -> bool:
        """Return whether the job is committed. It is submitted to the engine a moment before."""
        for seconds in COMMIT_WAITS:
            if await query_jobs(self.pipeline, lambda jobs: jobs.get(job)) is not None:
                return True
            await anyio.sleep(seconds)
        return False

    def _request_key(self, spec: JobSpec, call: Call) -> str:
        """Return the beginning of the job's id, by which a running job with the same request is found."""
        if not spec.writes:
            return secrets.token_hex(REQUEST_KEY_BYTES)
        request = [spec.name, self.pipeline.destination.profile, call.principal.id, dict(call.arguments)]
        return json_digest(request)[: REQUEST_KEY_BYTES * 2]

    async def _require_not_running(self, key: str, principal: Principal) -> None:
        """Raise JobAlreadyRunning if a job with the same request is running."""
        profile = self.pipeline.destination.profile
        recent = await with_jobs(self.pipeline, lambda jobs: jobs.list_jobs(principal.id, profile, MAX_RECENT_JOBS))
        for job in recent:
            if job.status == "running" and not job.cancelling and job.id.startswith(key):
                raise JobAlreadyRunning(job.id)

    async def require_startable(self, job: Job, principal: Principal) -> None:
        """Require that the connection that resumes a job could start it.

        Raises:
            CallRefused: the connection excludes the job, or an operation that it may call.
        """
        spec = self.specs.get(job.name)
        if spec is None:  # of a later version
            return
        require_not_narrowed(self.pipeline.catalogue, spec, principal)
        if spec.writes_any and principal.narrowing != NO_NARROWING:
            # The calls go on under the narrowing of the connection that began the job, which may be wider than this one.
            submitted = await self.engine.find_submitted(job.id)
            keys = [step["operation"] for group in submitted["plan"]["groups"] for step in group["steps"]]
            require_calls_not_narrowed(self.pipeline.catalogue, spec, set(keys), principal)


def _principal_to_json(principal: Principal) -> dict[str, Any]:
    return {
        "id": principal.id,
        "groups": sorted(principal.groups),
        "claims": dict(principal.claims),
        "narrowing": principal.narrowing.to_json(),
        "credential": principal.credential,
    }


def _principal_from_json(stored: Mapping[str, Any]) -> Principal:
    narrowing = Narrowing.from_json(stored["narrowing"])
    credential = stored.get("credential", "")  # an earlier version stored none
    return Principal(stored["id"], frozenset(stored["groups"]), stored["claims"], narrowing, credential=credential)
