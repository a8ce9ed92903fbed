"""The way of a job: planned, decided on, agreed to, begun, run by the engine, ended. The jobs of one pipeline."""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from saasus_mcp.catalog.jobs import JOBS_TOOLSET, JobSpec
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs import job_report
from saasus_mcp.jobs.engine import FAILED, JobEngine
from saasus_mcp.jobs.job_context import JobCancelled, JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult, load_kind
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.plan_question import build_job_question, requires_typed_count
from saasus_mcp.jobs.store_retry import query_jobs, retry
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.policy.model import Decision, PolicyInput, Principal, stricter_decision
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.question.staleness import PLAN_FIELD
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_authorization import MAX_RUNNING_JOBS, JobProposal, authorize_job
from saasus_mcp.server.pipeline.job_grants import fill_placeholders
from saasus_mcp.server.pipeline.job_steps import evaluate_step, with_jobs
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.store.job_records import JobStatus

log = logging.getLogger(__name__)

NOTHING_TO_DO = Decision("allow", "none", "nothing is to be changed")
PLACEHOLDER = "known later"
"""In place of an argument that an earlier step is to give, while the plan is made."""

REQUEST_BYTES = 6
"""Bytes of a job's id that tell what it was asked to do; the others are random."""
MAX_RECENT_JOBS = 50
"""Of a principal's newest jobs, among which the same one is looked for."""
REASON_ARGUMENT = "reason"
"""The argument for the requester's own words: no part of what the job does."""
COMMIT_WAITS = (0.01, 0.04, 0.2, 1.0, 5.0, 10.0, 0.0)
"""Seconds between two looks whether a job was committed to."""


class _RunsAlready(Exception):
    """The very job that is being planned was begun meanwhile."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job


@dataclass(frozen=True, slots=True)
class DecidedStep:
    """What is decided on one step: by which tool, in which row."""

    decision: Decision
    tool: str
    group: str


class JobRunner:
    """Plans and runs the jobs of one pipeline.

    Args:
        specs: the kinds of job there are, by name.
        engine: runs them, those of other pipelines of this process, too.
    """

    def __init__(self, pipeline: Pipeline, specs: Mapping[str, JobSpec], engine: JobEngine) -> None:
        self.pipeline = pipeline
        self.specs = specs
        self._engine = engine

    def could_allow(self, spec: JobSpec, principal: Principal) -> bool:
        """Whether some such job could be anything but denied."""
        principal = principal.for_job(spec.name)
        policy, catalogue, profile = self.pipeline.policy, self.pipeline.catalogue, self.pipeline.destination.profile
        return all(policy.could_allow(catalogue.find(key), principal, profile) for key in (*spec.reads, *spec.writes))

    async def start(self, spec: JobSpec, call: Call) -> str | PendingElicitation:
        """Plan a job, have it agreed to and begin it: its id, or the question that a person must answer first.

        Raises:
            SaasusMcpError: it may not happen, or not yet; or it cannot be done as asked.
        """
        self._require_not_narrowed(spec, call.principal)
        call, reason = _reasoned(call)
        stem = self._stem(spec, call)
        if (running := await self._running(stem, call.principal)) is not None:
            return running
        await self._require_room(call.principal)
        await self._engine.start()
        planned: dict[str, tuple[Plan, JobReader]] = {}

        async def plan(asked: float) -> JobProposal:
            running = await self._running(stem, call.principal)
            if running is not None:
                raise _RunsAlready(running)
            job, limit = stem + secrets.token_hex(16 - REQUEST_BYTES), call.deadline
            within = replace(call, deadline=None if limit is None else limit.postponed(asked))
            who = call.principal.for_job(spec.name)
            reader = JobReader(self.pipeline, who, JobStepRef(job), deadline=within.deadline, caller=call.principal)
            made, whole = await self._plan(spec, within, reader, job, reason)
            planned[job] = made, reader
            return whole

        async def submit(whole: JobProposal, part: JobStepRef) -> None:
            principal = call.principal.for_job(spec.name)
            who = {
                "id": principal.id,
                "groups": sorted(principal.groups),
                "claims": dict(principal.claims),
                "narrowing": principal.narrowing.to_json(),
            }
            made, reader = planned[whole.id]
            agreed = await worker_threads.run_in_worker(principal.id, made.to_json)
            kept = {"principal": who, "part": asdict(part), "plan": agreed, "calls": reader.read_log.reads()}
            await self._engine.submit(
                whole.id, {"name": spec.name, "profile": self.pipeline.destination.profile, **kept}
            )

        try:
            return await authorize_job(self.pipeline, call, plan, submit)
        except _RunsAlready as already:
            return already.job

    async def run(self, submitted: Mapping[str, Any]) -> None:
        """Do a job that was begun, or go on with it, and note how it ends."""
        principal = _principal(submitted["principal"])
        plan = await worker_threads.run_in_worker(principal.id, lambda: Plan.from_json(submitted["plan"]))
        part, name = JobStepRef(**submitted["part"]), submitted["name"]
        if not await self._agreed(part.job):
            return
        work = JobContext(self.pipeline, principal, part, self._engine.checkpoint)
        work.read_log.extend(submitted.get("calls", ()))
        status: JobStatus = "done"
        try:
            await work.wait_for_approvals(plan)
            outcome = await load_kind(name).run(work, plan)
            calls = (*((key, None) for key in self.specs[name].reads), *work.read_log.reads())
            report = await self._report(outcome, principal, ResultOrigin(name, calls))
            if work.cancelled:
                status = "cancelled"
        except JobCancelled:
            status, report = "cancelled", {}
        except SaasusMcpError as error:
            status, report = "failed", {"why": str(error)}
        except Exception:
            log.exception("job %s failed inside the server", part.job)
            status, report = "failed", {"why": FAILED}
        await self._end(part.job, status, report)

    async def _report(self, outcome: JobResult, principal: Principal, source: ResultOrigin) -> dict[str, Any]:
        """What is told of it. All of it is kept aside."""

        def keep(whole: Any) -> str:
            return self.pipeline.results.store_result(whole, principal.id, source)

        told = await self.pipeline.store_executor(
            lambda: job_report.build_report(outcome, keep, self.pipeline.language)
        )
        return {**told, job_report.READS_KEY: source.calls}

    async def _end(self, job: str, status: JobStatus, report: Mapping[str, Any]) -> None:
        def end() -> None:
            record = {"status": status, "steps": self.pipeline.store.jobs.count_outcomes(job)}
            self.pipeline.store.finish_job(job, status, report, record=record, at=self.pipeline.clock())

        await retry(lambda: self.pipeline.store_executor(end))

    async def _agreed(self, job: str) -> bool:
        """Whether the job was committed to: it is handed over a moment before."""
        for pause in COMMIT_WAITS:
            if await query_jobs(self.pipeline, lambda jobs: jobs.get(job)) is not None:
                return True
            await anyio.sleep(pause)
        return False

    def _stem(self, spec: JobSpec, call: Call) -> str:
        """How the id of a job begins that was asked for by this very call, so that it is found while it runs."""
        asked = [spec.name, self.pipeline.destination.profile, call.principal.id, dict(call.arguments)]
        return json_digest(asked)[: REQUEST_BYTES * 2] if spec.writes else secrets.token_hex(REQUEST_BYTES)

    async def _running(self, stem: str, principal: Principal) -> str | None:
        """The job that was asked for by the same call and is not over: another one would do the same again."""
        profile = self.pipeline.destination.profile
        mine = await with_jobs(self.pipeline, lambda jobs: jobs.list_jobs(principal.id, profile, MAX_RECENT_JOBS))
        same = (each for each in mine if each.status == "running" and not each.cancelling and each.id.startswith(stem))
        return next((each.id for each in same), None)

    async def _plan(
        self, spec: JobSpec, call: Call, reader: JobReader, job: str, reason: str
    ) -> tuple[Plan, JobProposal]:
        self._require_reads(spec, reader.principal)
        planned = await load_kind(spec.name).plan(reader, call.arguments)
        planned, decisions, digests = await self._weighed(spec, planned, replace(call, principal=reader.principal), job)
        place, agreed = self.pipeline.destination, await worker_threads.run_in_worker(call.principal.id, planned.digest)
        asked = build_job_question(spec, planned, place, call.principal.id, self.pipeline.catalogue, reason=reason)
        typed = asked.typed.en if asked.typed is not None else asked.name
        whole = JobProposal(
            id=job,
            name=spec.name,
            principal=call.principal,
            arguments=call.arguments,
            decision=_strictest(decisions),
            plan=agreed,
            steps=digests,
            snapshot=TargetSnapshot(typed, {PLAN_FIELD: agreed}),
            question=asked,
            typed_count=requires_typed_count(planned, asked),
        )
        return planned, whole

    async def _require_room(self, principal: Principal) -> None:
        """Refuse early, before anything is planned or asked, where a job could not start. The store decides when it starts.

        Raises:
            TooManyJobs: as many of the caller's jobs are running as may.
        """
        await with_jobs(self.pipeline, lambda jobs: jobs.require_capacity(principal.id, MAX_RUNNING_JOBS))

    def _require_not_narrowed(self, spec: JobSpec, principal: Principal) -> None:
        """Refuse a job of which the connection leaves out the tool, or an operation that it may call.

        Raises:
            Refused: it does.
        """
        why = principal.narrowing.exclusion_reason_by_name(spec.name, JOBS_TOOLSET)
        if why:
            raise CallRefused(Reason.NARROWED, f"{spec.name} is not allowed: {why}.", NARROWED_HINT)
        for key in (*spec.reads, *spec.writes):
            operation = self.pipeline.catalogue.find(key)
            why = principal.for_job(spec.name).narrowing.exclusion_reason(operation)
            if why:
                said = f"{spec.name} is not allowed: it may call {operation.tool}, and {why}."
                raise CallRefused(Reason.NARROWED, said, NARROWED_HINT)

    def _require_reads(self, spec: JobSpec, principal: Principal) -> None:
        """See that what the job reads may be read, before it reads half of it.

        Raises:
            SaasusMcpError: an operation may not.
        """
        for key in spec.reads:
            operation = self.pipeline.catalogue.find(key)
            if not self.pipeline.policy.could_allow(operation, principal, self.pipeline.destination.profile):
                decision = self.pipeline.policy.decide(
                    PolicyInput(operation, {}, principal, self.pipeline.destination.profile)
                )
                raise SaasusMcpError(
                    f"{spec.name} reads by {operation.tool}, which is not allowed: {decision.reason}.", "Do without it."
                )

    async def _weighed(
        self, spec: JobSpec, planned: Plan, caller: Call, job: str
    ) -> tuple[Plan, list[DecidedStep], dict[str, str]]:
        """The plan with its targets bound, what is decided on each of its steps, and their digests."""
        decisions: list[DecidedStep] = []
        digests: dict[str, str] = {}
        rows = []
        for row in planned.groups:
            await checkpoint()  # a plan has thousands of rows, and weighing one may wait for nothing
            entries = []
            for entry in row.steps:
                if entry.operation not in spec.writes:
                    raise AssertionError(f"{spec.name} does not say that it calls {entry.operation}")
                operation = self.pipeline.catalogue.find(entry.operation)
                later = dict.fromkeys(entry.from_steps, PLACEHOLDER)
                part = entry.ref(JobStepRef(job))
                args = fill_placeholders(entry.args, later)
                call = Call(operation.tool, args, caller.principal, job_step=part, deadline=caller.deadline)
                weighed = await evaluate_step(self.pipeline, call)
                decisions.append(DecidedStep(weighed.decision, operation.tool, row.name))
                digests[entry.step] = weighed.digest
                entries.append(replace(entry, snapshot=weighed.snapshot))
            rows.append(replace(row, steps=tuple(entries)))
        return replace(planned, groups=tuple(rows)), decisions, digests


def _principal(kept: Mapping[str, Any]) -> Principal:
    """The principal that was kept with a job; jobs of earlier versions have no narrowing."""
    narrowing = Narrowing.from_json(kept.get("narrowing", {}))
    return Principal(kept["id"], frozenset(kept["groups"]), kept["claims"], narrowing)


def _reasoned(call: Call) -> tuple[Call, str]:
    """The call without the requester's reason, and the reason."""
    arguments = {name: value for name, value in call.arguments.items() if name != REASON_ARGUMENT}
    return replace(call, arguments=arguments), str(call.arguments.get(REASON_ARGUMENT, ""))


def _strictest(weights: Sequence[DecidedStep]) -> Decision:
    """The decision on the whole: the strictest on any of its steps. What may not be is named, part by part."""
    whole = reduce(stricter_decision, (each.decision for each in weights), NOTHING_TO_DO)
    parts: dict[str, list[DecidedStep]] = defaultdict(list)
    for each in weights:
        if each.decision.outcome == whole.outcome != "allow":
            parts[each.tool].append(each)
    told = [
        f"{tool} ({len(some)} calls, the first for {quote_text(some[0].group)}): {some[0].decision.reason}"
        for tool, some in parts.items()
    ]
    return replace(whole, reason="; ".join(told)) if told else whole
