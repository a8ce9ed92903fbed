"""The plan of a job and the decision on it: what a person is asked, and what their consent covers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from anyio.lowlevel import checkpoint

from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_access import require_reads_allowed
from saasus_mcp.jobs.job_kind import explain_missing_fields, load_kind
from saasus_mcp.jobs.job_question import build_job_question, requires_typed_count
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.permissions.approval.proof import Binding
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.policy.model import Decision, stricter_decision
from saasus_mcp.permissions.question.stored_question import PLAN_FIELD
from saasus_mcp.server.pipeline.call import Call, JobStepRef
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_authorization import JobProposal
from saasus_mcp.server.pipeline.job_steps import evaluate_step
from saasus_mcp.server.scheduling import worker_threads

NOTHING_TO_DO = Decision("allow", "none", "nothing would change")


@dataclass(frozen=True, slots=True)
class DecidedStep:
    """The decision on one step, with its tool and its group."""

    decision: Decision
    binding: Binding
    tool: str
    group: str


class JobPlanner:
    """Plans one job and decides on its steps."""

    def __init__(self, pipeline: Pipeline, spec: JobSpec, reader: JobReader) -> None:
        self._pipeline = pipeline
        self._spec = spec
        self._reader = reader

    async def propose(self, call: Call, *, job: str, reason: str) -> tuple[Plan, JobProposal]:
        """Return the plan of a job, and what is to be authorized.

        Raises:
            SaasusMcpError: the job cannot be planned, or the policy denies a read of it.
        """
        spec, reader = self._spec, self._reader
        require_reads_allowed(self._pipeline, spec, reader.principal)
        with explain_missing_fields():
            plan = await load_kind(spec.name).plan(reader, call.arguments)
        plan, decisions, digests = await self._evaluate(plan)
        decision, critical = self._shared_consent(plan, decisions)
        digest = await worker_threads.run_in_worker(call.principal.id, plan.digest)
        question = build_job_question(
            spec, plan, self._pipeline.destination, call.principal, catalogue=self._pipeline.catalogue, reason=reason
        )
        typed = question.typed.en if question.typed is not None else question.name
        ref = JobStepRef(
            job,
            plan=digest,
            critical=next(iter(critical), ""),
            critical_count=len(critical),
            listed=len(plan.steps) if plan.is_list else 0,
        )
        proposal = JobProposal(
            ref=ref,
            name=spec.name,
            principal=call.principal,
            arguments=call.arguments,
            decision=decision,
            steps=digests,
            snapshot=TargetSnapshot(typed, {PLAN_FIELD: digest}),
            question=question,
            typed_count=requires_typed_count(plan, question),
            covered=[each.binding for each in decisions if critical or not self._is_critical(each)],
        )
        return plan, proposal

    def _shared_consent(self, plan: Plan, steps: Sequence[DecidedStep]) -> tuple[Decision, list[str]]:
        """Return the decision on the plan, and the operation of each critical step that one approval covers.

        Only an approval covers critical steps, only those of one operation, and only so many as the policy allows.
        """
        decision, bulk = _strictest(steps), self._pipeline.policy.bulk
        critical = [each.binding.operation for each in steps if self._is_critical(each)]
        if (
            not plan.is_list
            or bulk.critical != "once"
            or len(set(critical)) != 1
            or len(critical) > bulk.critical_limit
        ):
            return decision, []
        return replace(decision, outcome="approve", typed=True) if decision.outcome == "confirm" else decision, critical

    def _is_critical(self, step: DecidedStep) -> bool:
        """Return whether a step is critical and needs a person."""
        return (
            step.decision.outcome != "allow"
            and self._pipeline.catalogue.find(step.binding.operation).level == "critical"
        )

    async def _evaluate(self, plan: Plan) -> tuple[Plan, list[DecidedStep], dict[str, str]]:
        """Return the plan with the snapshots of its targets, the decision on each step, and the digests of the calls.

        The calls of a list were decided on in their review, too, from the same reads, which the reader makes once. The review
        words the question, and only a list has one. This decision authorizes, for every kind of job alike, and takes nothing
        from a kind's plan but its steps: so no kind can bring a milder decision, or one on other arguments.
        """
        spec, reader = self._spec, self._reader
        decisions: list[DecidedStep] = []
        digests: dict[str, str] = {}
        groups = []
        for group in plan.groups:
            await checkpoint()  # a plan has thousands of groups, and their evaluation may never yield
            steps = []
            for step in group.steps:
                if not spec.may_write(step.operation):
                    raise AssertionError(f"{spec.name} does not declare that it calls {step.operation}")
                call = self._pipeline.prepare(await reader.build_call(step))
                evaluated = await evaluate_step(self._pipeline, call, reader.reader_for(call), binds=step.binds)
                decisions.append(DecidedStep(evaluated.decision, evaluated.binding, call.operation.tool, group.name))
                digests[step.step] = evaluated.digest
                steps.append(replace(step, snapshot=evaluated.snapshot))
            groups.append(replace(group, steps=tuple(steps)))
        return replace(plan, groups=tuple(groups)), decisions, digests


def _strictest(steps: Sequence[DecidedStep]) -> Decision:
    """Return the strictest decision on any step. Its reason names the tools that are not allowed."""
    decision = reduce(stricter_decision, (each.decision for each in steps), NOTHING_TO_DO)
    by_tool: dict[str, list[DecidedStep]] = defaultdict(list)
    for each in steps:
        if each.decision.outcome == decision.outcome != "allow":
            by_tool[each.tool].append(each)
    reasons = [
        message(
            "jobs.step_decision",
            tool=tool,
            count=len(some),
            group=Quoted(some[0].group),
            reason=some[0].decision.reason,
        )
        for tool, some in by_tool.items()
    ]
    return replace(decision, reason="; ".join(map(str, reasons))) if reasons else decision
