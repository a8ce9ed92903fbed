"""What a job asks of a pipeline beside its calls: how a step would be decided on, whether a person still has to, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from saasus_mcp.catalog.model import TYPED_LEVELS
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.inspection.inspect import cache_reads, inspect_target
from saasus_mcp.permissions.inspection.preconditions import require_target_exists
from saasus_mcp.permissions.policy.model import Decision
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import verification
from saasus_mcp.server.pipeline.call import Call, JobStepRef
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_grants import step_digest
from saasus_mcp.server.scheduling.store_executor import T
from saasus_mcp.store import Approval

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import JobStore


@dataclass(frozen=True, slots=True)
class StepDecision:
    """What would be decided on a step: its digest, and its target's bound fields where a change of them asks again."""

    decision: Decision
    digest: str
    snapshot: str = ""


async def evaluate_step(pipeline: Pipeline, call: Call) -> StepDecision:
    """What would be decided on a step now. Nothing goes but reads for that.

    Raises:
        SaasusMcpError: there is no such tool, the arguments do not fit it, or its target is not there.
    """
    step, part = pipeline.prepare(call), call.job_step or JobStepRef("")
    read = cache_reads(pipeline.reader_for(step))
    decision = await pipeline.policy_evaluator.decide(step, read)
    if step.operation.level in TYPED_LEVELS and step.operation.effects.bind:
        seen = await inspect_target(step.operation, step.arguments.values, pipeline.destination.saas_id, read)
        if not part.later:  # else it may be of what an earlier step is to make
            require_target_exists(step.operation, step.arguments.values, seen.snapshot)
        part = replace(part, bound=seen.snapshot.encoded)
    return StepDecision(decision, step_digest(step, part), part.bound)


async def pending_approval(pipeline: Pipeline, call: Call) -> Approval | None:
    """The approval of this very call that waits for a person."""
    return next((each for each in await _asked(pipeline, call) if each.status == "pending"), None)


async def withdraw_approvals(pipeline: Pipeline, call: Call) -> None:
    """Void what a person was asked about this very call, or has agreed to: it is not going to be made."""
    for each in await _asked(pipeline, call):
        if each.status in ("pending", "approved"):
            await pipeline.store_executor(partial(pipeline.store.void_approval, each.code))


async def pending_approvals(pipeline: Pipeline, principal: str) -> list[Approval]:
    """All approvals of a principal's that wait for a person."""
    asked = await pipeline.store_executor(lambda: pipeline.store.list_approvals(pipeline.clock()))
    return [each for each in asked if each.status == "pending" and each.principal == principal]


async def _asked(pipeline: Pipeline, call: Call) -> list[Approval]:
    digest = pipeline.prepare(call).binding(pipeline.destination).digest()
    return await pipeline.store_executor(lambda: pipeline.store.list_approvals(pipeline.clock(), digest))


async def recover_step(pipeline: Pipeline, call: Call) -> ToolAnswer:
    """What became of a step that was begun and not seen to end: it is read back, and never sent again."""
    step = pipeline.prepare(call)
    given = failed_answer("The server stopped during this call.", applied=Outcome.UNKNOWN, trace_id=step.id)
    given = await verification.verify_outcome(step, given, pipeline.reader_for(step))
    await pipeline.recorder.record_end(step, given, 0.0)
    return given


async def with_jobs(pipeline: Pipeline, look: Callable[[JobStore], T]) -> T:
    """What the store knows of jobs, or notes of them, waited for aside."""
    return await pipeline.store_executor(lambda: look(pipeline.store.jobs))
