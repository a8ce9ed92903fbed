"""Queries of a job about its steps: the decision on a step, its pending approval, its outcome after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Binding
from saasus_mcp.permissions.inspection.inspect import CallInspector, cache_reads
from saasus_mcp.permissions.inspection.preconditions import require_target_exists
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.policy.model import Decision
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import verification
from saasus_mcp.server.pipeline.call import Call, JobStepRef, UndoRef
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_grants import step_digest
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.scheduling.store_executor import T
from saasus_mcp.store.records import Approval

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import JobStore


@dataclass(frozen=True, slots=True)
class StepDecision:
    """The decision on a step before the job starts.

    Attributes:
        digest: see `job_grants.step_digest`.
        snapshot: the encoded snapshot of the target. Empty if the consent is not bound to it.
        binding: what the consent of a person to this call alone is bound to.
    """

    decision: Decision
    digest: str
    binding: Binding
    snapshot: str = ""


async def evaluate_step(
    pipeline: Pipeline,
    call: Call,
    reader_for: Callable[[PreparedCall], ApiReader] | None = None,
    *,
    binds: bool = True,
) -> StepDecision:
    """Evaluate the policy for a step now. Only reads are sent.

    Args:
        binds: see `PlanStep`. Only an undo can be without a bound target.
        reader_for: returns the reader for a call, which several calls may share. A reader for this call by default.

    Raises:
        SaasusMcpError: there is no such tool, the arguments do not fit it, or its target does not exist.
    """
    prepared, step = pipeline.prepare(call), call.job_step or JobStepRef("")
    read = reader_for(prepared) if reader_for is not None else cache_reads(pipeline.internal_reads.reader_for(prepared))
    decision = await pipeline.policy_evaluator.decide(prepared, read)
    level, bind = prepared.operation.level, prepared.operation.effects.bind
    if level in TYPED_LEVELS and bind and (binds or prepared.undo_ref is None):
        inspection = await CallInspector(prepared, pipeline.destination.saas_id, read).inspect_target()
        if not step.later:  # an earlier step may create the target
            require_target_exists(prepared, inspection.snapshot)
        step = replace(step, bound=inspection.snapshot.encoded)
    return StepDecision(decision, step_digest(prepared, step), prepared.binding(pipeline.destination), step.bound)


async def undo_ref_of(pipeline: Pipeline, undoes: tuple[str, int] | None) -> UndoRef | None:
    """Return the reference to the change that a step undoes, None for a step that undoes nothing.

    Raises:
        SaasusMcpError: the undo log has no such entry any more.
    """
    if undoes is None:
        return None
    call, number = undoes
    entry = await pipeline.store_executor(lambda: pipeline.store.undo_log.get(call))
    if entry is None:
        raise SaasusMcpError(message("server.undo_impossible"))
    return UndoRef(entry, number)


async def pending_approval(pipeline: Pipeline, call: Call) -> Approval | None:
    """Return the pending approval of exactly this call."""
    return next((each for each in await _approvals_of(pipeline, call) if each.status == "pending"), None)


async def withdraw_approvals(pipeline: Pipeline, call: Call) -> None:
    """Void the pending and given approvals of exactly this call, because it will not be made."""
    for each in await _approvals_of(pipeline, call):
        if each.status in ("pending", "approved"):
            await pipeline.store_executor(partial(pipeline.store.void_approval, each.code))


async def pending_approvals(pipeline: Pipeline, principal: str) -> list[Approval]:
    approvals = await pipeline.store_executor(lambda: pipeline.store.list_approvals(pipeline.clock()))
    return [each for each in approvals if each.status == "pending" and each.principal == principal]


async def _approvals_of(pipeline: Pipeline, call: Call) -> list[Approval]:
    digest = pipeline.prepare(call).binding(pipeline.destination).digest()
    return await pipeline.store_executor(lambda: pipeline.store.list_approvals(pipeline.clock(), digest))


async def recover_step(pipeline: Pipeline, call: Call) -> ToolAnswer:
    """Return the answer of a step that was committed before a crash. It is verified by a read and never sent again."""
    prepared = pipeline.prepare(call)
    answer = failed_answer(message("server.stopped"), applied=Outcome.UNKNOWN, trace_id=prepared.id)
    answer = await verification.verify_outcome(prepared, answer, pipeline.internal_reads.reader_for(prepared))
    await pipeline.recorder.record_end(prepared, answer, 0.0)
    return answer


async def with_jobs(pipeline: Pipeline, query: Callable[[JobStore], T]) -> T:
    return await pipeline.store_executor(lambda: query(pipeline.store.jobs))
