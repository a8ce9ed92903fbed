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

from saasus_mcp.catalog.jobs import TOOLSET, JobSpec
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.jobs import reporting
from saasus_mcp.jobs.engine import FAILED, Engine
from saasus_mcp.jobs.kind import Outcome, kind
from saasus_mcp.jobs.patience import noted, patiently
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.question import counted_instead, question
from saasus_mcp.jobs.work import Reader, Stopped, Work
from saasus_mcp.permissions.case import Case, Decision, Principal, stricter
from saasus_mcp.permissions.narrowed import NARROWED, NARROWED_MEND
from saasus_mcp.permissions.narrowing import Narrowing
from saasus_mcp.permissions.proof import digest
from saasus_mcp.permissions.question.again import PLAN
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.target import Sight
from saasus_mcp.saasus.words import quoted
from saasus_mcp.server import large_work
from saasus_mcp.server.call import Asking, Call, Part
from saasus_mcp.server.filling import filled
from saasus_mcp.server.job_steps import of_jobs, weigh
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.results import Source
from saasus_mcp.server.whole import MOST_RUNNING, Whole, begin
from saasus_mcp.store.job_records import JobStatus

log = logging.getLogger(__name__)

NOTHING_TO_DO = Decision("allow", "none", "nothing is to be changed")
LATER = "known later"
"""In place of an argument that an earlier step is to give, while the plan is made."""

STEM = 6
"""Bytes of a job's id that tell what it was asked to do; the others are random."""
MOST_LOOKED_AT = 50
"""Of a principal's newest jobs, among which the same one is looked for."""
REASON = "reason"
"""The argument for the requester's own words: no part of what the job does."""
SOON = (0.01, 0.04, 0.2, 1.0, 5.0, 10.0, 0.0)
"""Seconds between two looks whether a job was committed to."""


class _RunsAlready(Exception):
    """The very job that is being planned was begun meanwhile."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job


@dataclass(frozen=True, slots=True)
class Weight:
    """What is decided on one step: by which tool, in which row."""

    decision: Decision
    tool: str
    row: str


class Runner:
    """Plans and runs the jobs of one pipeline.

    Args:
        specs: the kinds of job there are, by name.
        engine: runs them, those of other pipelines of this process, too.
    """

    def __init__(self, pipeline: Pipeline, specs: Mapping[str, JobSpec], engine: Engine) -> None:
        self.pipeline = pipeline
        self.specs = specs
        self._engine = engine

    def could_allow(self, spec: JobSpec, principal: Principal) -> bool:
        """Whether some such job could be anything but denied."""
        principal = principal.in_job(spec.name)
        policy, catalogue, profile = self.pipeline.policy, self.pipeline.catalogue, self.pipeline.place.profile
        return all(policy.could_allow(catalogue.find(key), principal, profile) for key in (*spec.reads, *spec.writes))

    async def start(self, spec: JobSpec, call: Call) -> str | Asking:
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
        planned: dict[str, tuple[Plan, Reader]] = {}

        async def plan(asked: float) -> Whole:
            running = await self._running(stem, call.principal)
            if running is not None:
                raise _RunsAlready(running)
            job, limit = stem + secrets.token_hex(16 - STEM), call.deadline
            within = replace(call, deadline=None if limit is None else limit.postponed(asked))
            who = call.principal.in_job(spec.name)
            reader = Reader(self.pipeline, who, Part(job), deadline=within.deadline, caller=call.principal)
            made, whole = await self._plan(spec, within, reader, job, reason)
            planned[job] = made, reader
            return whole

        async def submit(whole: Whole, part: Part) -> None:
            principal = call.principal.in_job(spec.name)
            who = {
                "id": principal.id,
                "groups": sorted(principal.groups),
                "claims": dict(principal.claims),
                "narrowing": principal.narrowing.kept(),
            }
            made, reader = planned[whole.id]
            agreed = await large_work.run(principal.id, made.kept)
            kept = {"principal": who, "part": asdict(part), "plan": agreed, "calls": reader.calls.all()}
            await self._engine.submit(whole.id, {"name": spec.name, "profile": self.pipeline.place.profile, **kept})

        try:
            return await begin(self.pipeline, call, plan, submit)
        except _RunsAlready as already:
            return already.job

    async def run(self, submitted: Mapping[str, Any]) -> None:
        """Do a job that was begun, or go on with it, and note how it ends."""
        principal = _principal(submitted["principal"])
        plan = await large_work.run(principal.id, lambda: Plan.of(submitted["plan"]))
        part, name = Part(**submitted["part"]), submitted["name"]
        if not await self._agreed(part.job):
            return
        work = Work(self.pipeline, principal, part, self._engine.checkpoint)
        work.calls.take(submitted.get("calls", ()))
        status: JobStatus = "done"
        try:
            await work.prepare(plan)
            outcome = await kind(name).run(work, plan)
            calls = (*((key, None) for key in self.specs[name].reads), *work.calls.all())
            report = await self._report(outcome, principal, Source(name, calls))
            if work.stopped:
                status = "cancelled"
        except Stopped:
            status, report = "cancelled", {}
        except SaasusMcpError as error:
            status, report = "failed", {"why": str(error)}
        except Exception:
            log.exception("job %s failed inside the server", part.job)
            status, report = "failed", {"why": FAILED}
        await self._end(part.job, status, report)

    async def _report(self, outcome: Outcome, principal: Principal, source: Source) -> dict[str, Any]:
        """What is told of it. All of it is kept aside."""

        def keep(whole: Any) -> str:
            return self.pipeline.results.keep(whole, principal.id, source)

        told = await self.pipeline.aside(lambda: reporting.report(outcome, keep, self.pipeline.language))
        return {**told, reporting.CALLS: source.calls}

    async def _end(self, job: str, status: JobStatus, report: Mapping[str, Any]) -> None:
        def end() -> None:
            record = {"status": status, "steps": self.pipeline.store.jobs.count(job)}
            self.pipeline.store.end_job(job, status, report, record, self.pipeline.clock())

        await patiently(lambda: self.pipeline.aside(end))

    async def _agreed(self, job: str) -> bool:
        """Whether the job was committed to: it is handed over a moment before."""
        for pause in SOON:
            if await noted(self.pipeline, lambda jobs: jobs.find(job)) is not None:
                return True
            await anyio.sleep(pause)
        return False

    def _stem(self, spec: JobSpec, call: Call) -> str:
        """How the id of a job begins that was asked for by this very call, so that it is found while it runs."""
        asked = [spec.name, self.pipeline.place.profile, call.principal.id, dict(call.arguments)]
        return digest(asked)[: STEM * 2] if spec.writes else secrets.token_hex(STEM)

    async def _running(self, stem: str, principal: Principal) -> str | None:
        """The job that was asked for by the same call and is not over: another one would do the same again."""
        profile = self.pipeline.place.profile
        mine = await of_jobs(self.pipeline, lambda jobs: jobs.of(principal.id, profile, MOST_LOOKED_AT))
        same = (each for each in mine if each.status == "running" and not each.cancelling and each.id.startswith(stem))
        return next((each.id for each in same), None)

    async def _plan(self, spec: JobSpec, call: Call, reader: Reader, job: str, reason: str) -> tuple[Plan, Whole]:
        self._require_reads(spec, reader.principal)
        planned = await kind(spec.name).plan(reader, call.arguments)
        planned, decisions, digests = await self._weighed(spec, planned, replace(call, principal=reader.principal), job)
        place, agreed = self.pipeline.place, await large_work.run(call.principal.id, planned.digest)
        asked = question(spec, planned, place, call.principal.id, self.pipeline.catalogue, reason=reason)
        typed = asked.typed.en if asked.typed is not None else asked.name
        whole = Whole(
            job,
            spec.name,
            call.principal,
            call.arguments,
            _strictest(decisions),
            agreed,
            digests,
            Sight(typed, {PLAN: agreed}),
            asked,
            counted=counted_instead(planned, asked),
        )
        return planned, whole

    async def _require_room(self, principal: Principal) -> None:
        """Refuse early, before anything is planned or asked, where a job could not start. The store decides when it starts.

        Raises:
            TooManyJobs: as many of the caller's jobs are running as may.
        """
        await of_jobs(self.pipeline, lambda jobs: jobs.require_room(principal.id, MOST_RUNNING))

    def _require_not_narrowed(self, spec: JobSpec, principal: Principal) -> None:
        """Refuse a job of which the connection leaves out the tool, or an operation that it may call.

        Raises:
            Refused: it does.
        """
        why = principal.narrowing.why_not_named(spec.name, TOOLSET)
        if why:
            raise Refused(NARROWED, f"{spec.name} is not allowed: {why}.", NARROWED_MEND)
        for key in (*spec.reads, *spec.writes):
            operation = self.pipeline.catalogue.find(key)
            why = principal.in_job(spec.name).narrowing.why_not(operation)
            if why:
                said = f"{spec.name} is not allowed: it may call {operation.tool}, and {why}."
                raise Refused(NARROWED, said, NARROWED_MEND)

    def _require_reads(self, spec: JobSpec, principal: Principal) -> None:
        """See that what the job reads may be read, before it reads half of it.

        Raises:
            SaasusMcpError: an operation may not.
        """
        for key in spec.reads:
            operation = self.pipeline.catalogue.find(key)
            if not self.pipeline.policy.could_allow(operation, principal, self.pipeline.place.profile):
                decision = self.pipeline.policy.decide(Case(operation, {}, principal, self.pipeline.place.profile))
                raise SaasusMcpError(
                    f"{spec.name} reads by {operation.tool}, which is not allowed: {decision.reason}.", "Do without it."
                )

    async def _weighed(
        self, spec: JobSpec, planned: Plan, caller: Call, job: str
    ) -> tuple[Plan, list[Weight], dict[str, str]]:
        """The plan with its targets bound, what is decided on each of its steps, and their digests."""
        decisions: list[Weight] = []
        digests: dict[str, str] = {}
        rows = []
        for row in planned.rows:
            await checkpoint()  # a plan has thousands of rows, and weighing one may wait for nothing
            entries = []
            for entry in row.entries:
                if entry.operation not in spec.writes:
                    raise AssertionError(f"{spec.name} does not say that it calls {entry.operation}")
                operation = self.pipeline.catalogue.find(entry.operation)
                later = dict.fromkeys(entry.later, LATER)
                part = entry.part(Part(job))
                args = filled(entry.args, later)
                call = Call(operation.tool, args, caller.principal, part=part, deadline=caller.deadline)
                weighed = await weigh(self.pipeline, call)
                decisions.append(Weight(weighed.decision, operation.tool, row.name))
                digests[entry.step] = weighed.digest
                entries.append(replace(entry, bound=weighed.bound))
            rows.append(replace(row, entries=tuple(entries)))
        return replace(planned, rows=tuple(rows)), decisions, digests


def _principal(kept: Mapping[str, Any]) -> Principal:
    """The principal that was kept with a job; jobs of earlier versions have no narrowing."""
    narrowing = Narrowing.of(kept.get("narrowing", {}))
    return Principal(kept["id"], frozenset(kept["groups"]), kept["claims"], narrowing)


def _reasoned(call: Call) -> tuple[Call, str]:
    """The call without the requester's reason, and the reason."""
    arguments = {name: value for name, value in call.arguments.items() if name != REASON}
    return replace(call, arguments=arguments), str(call.arguments.get(REASON, ""))


def _strictest(weights: Sequence[Weight]) -> Decision:
    """The decision on the whole: the strictest on any of its steps. What may not be is named, part by part."""
    whole = reduce(stricter, (each.decision for each in weights), NOTHING_TO_DO)
    parts: dict[str, list[Weight]] = defaultdict(list)
    for each in weights:
        if each.decision.outcome == whole.outcome != "allow":
            parts[each.tool].append(each)
    told = [
        f"{tool} ({len(some)} calls, the first for {quoted(some[0].row)}): {some[0].decision.reason}"
        for tool, some in parts.items()
    ]
    return replace(whole, reason="; ".join(told)) if told else whole
