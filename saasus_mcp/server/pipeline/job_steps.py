"""What a job asks about its calls: the review and the decision before it starts, a pending approval, the outcome after a crash."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Binding
from saasus_mcp.permissions.inspection.inspect import CallInspection, CallInspector
from saasus_mcp.permissions.inspection.preconditions import (
    check_argument_requirements,
    check_target_requirements,
    require_target_exists,
)
from saasus_mcp.permissions.inspection.target import ApiReader, ReadFailure, ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.policy.model import Decision
from saasus_mcp.permissions.policy.wrappers import require_not_denied
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.namesakes import NamesakeFinder, Namesakes
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


@dataclass(frozen=True, slots=True)
class CallReview(OperationCall):
    """A call that may be part of a list.

    Attributes:
        question: of the call alone.
        namesakes: its items whose names others have, in the list or not.
    """

    decision: Decision
    inspection: CallInspection
    question: Question
    namesakes: tuple[Namesakes, ...] = ()


async def evaluate_step(pipeline: Pipeline, call: PreparedCall, read: ApiReader, *, binds: bool = True) -> StepDecision:
    """Evaluate the policy for a step now. Only reads are sent.

    Args:
        binds: see `PlanStep`.

    Raises:
        CallRefused: the target does not exist.
    """
    step = call.job_step or JobStepRef("")
    decision = await pipeline.authorizer.decide(call, read)
    effects, is_typed = call.operation.effects, call.operation.level in TYPED_LEVELS
    is_bound = (binds or call.undo_ref is None) if is_typed else binds and _is_bound_if_there(call, step, decision)
    if effects.bind and is_bound:
        inspection = await CallInspector(call, pipeline.destination.saas_id, read).inspect_target()
        if is_typed and not step.later:  # an earlier step may create the target
            require_target_exists(call, inspection.snapshot)
        if is_typed or inspection.snapshot.target is not None:
            step = replace(step, bound=inspection.snapshot.encoded)
    return StepDecision(decision, step_digest(call, step), call.binding(pipeline.destination), step.bound)


def _is_bound_if_there(call: PreparedCall, step: JobStepRef, decision: Decision) -> bool:
    """Return whether a person agrees to a step for the target that there is now.

    A call that creates an item overwrites nothing. An undo is compared with what the undone call left. An earlier step may supply the
    target.
    """
    target = call.operation.effects.target
    if decision.outcome == "allow" or call.operation.effects.effect == "create" or call.undo_ref is not None:
        return False
    return target is not None and {place.partition(".")[0] for place in step.later}.isdisjoint(target.identifying)


async def review_call(
    pipeline: Pipeline,
    call: PreparedCall,
    read: ApiReader,
    unknown: Collection[Any],
    *,
    namesakes: NamesakeFinder,
    state_changes: bool,
) -> CallReview:
    """Review a call now. Only reads are sent.

    Args:
        namesakes: of all calls of the list.
        unknown: stand for values that earlier calls of the list supply. No read is made with them.
        state_changes: whether earlier calls of the list change what the call builds on, so that its target and the live
            requirements can be checked only when it is made.

    Raises:
        CallRefused: the policy denies the call, or a requirement is not met.
        NoChange: the call would change nothing.
    """
    read = _without_unknown(read, unknown)
    decision = await pipeline.authorizer.decide(call, read)
    require_not_denied(call.operation.tool, decision)
    check_argument_requirements(call, pipeline.clock())
    inspection = await CallInspector(call, pipeline.destination.saas_id, read).inspect()
    if not state_changes:
        if call.undo_ref is not None:
            await verification.require_unchanged(pipeline.catalogue, call.undo_ref.entry, read)
        await check_target_requirements(call, inspection, read, pipeline.clock())
    early = replace(inspection, is_early=state_changes)
    asked = call.question_input(pipeline.destination, early, pipeline.clock())
    question, found = await build_question(asked, read), await namesakes.find(asked, read)
    return CallReview(call.operation, call.arguments, decision, inspection, question, tuple(found))


def _without_unknown(read: ApiReader, unknown: Collection[Any]) -> ApiReader:
    async def made(key: str, arguments: Mapping[str, Any]) -> ReadResult:
        if any(value in unknown for value in arguments.values()):
            return ReadResult(read_error=ReadFailure.TARGET_UNREAD)
        return await read(key, arguments)

    return made


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
    answer = await verification.verify_outcome(prepared, answer, pipeline.reader_for(prepared))
    await pipeline.recorder.record_end(prepared, answer, 0.0)
    return answer


async def with_jobs(pipeline: Pipeline, query: Callable[[JobStore], T]) -> T:
    return await pipeline.store_executor(lambda: query(pipeline.store.jobs))
