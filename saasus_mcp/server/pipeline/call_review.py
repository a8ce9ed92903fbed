"""The review of a call that is part of a list: everything that happens to a single call before its question is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.inspection import preconditions
from saasus_mcp.permissions.inspection.inspect import CallInspection, CallInspector
from saasus_mcp.permissions.inspection.target import ApiReader, ReadFailure, ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.policy.model import Decision
from saasus_mcp.permissions.policy.wrappers import require_not_denied
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.namesakes import NamesakeFinder, Namesakes
from saasus_mcp.server.pipeline import verification
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.prepared_call import PreparedCall


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


async def review_call(
    pipeline: Pipeline,
    call: Call,
    reader_for: Callable[[PreparedCall], ApiReader],
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
        SaasusMcpError: the arguments do not fit, the policy denies the call, or a requirement is not met.
        NoChange: the call would change nothing.
    """
    prepared = pipeline.prepare(call)
    read = _without_unknown(reader_for(prepared), unknown)
    decision = await pipeline.policy_evaluator.decide(prepared, read)
    require_not_denied(prepared.operation.tool, decision)
    preconditions.check_argument_requirements(prepared, pipeline.clock())
    inspection = await CallInspector(prepared, pipeline.destination.saas_id, read).inspect()
    if not state_changes:
        if prepared.undo_ref is not None:
            await verification.require_unchanged(pipeline.catalogue, prepared.undo_ref.entry, read)
        await preconditions.check_target_requirements(prepared, inspection, read, pipeline.clock())
    early = replace(inspection, is_early=state_changes)
    asked = prepared.question_input(pipeline.destination, early, pipeline.clock())
    question, found = await build_question(asked, read), await namesakes.find(asked, read)
    return CallReview(prepared.operation, prepared.arguments, decision, inspection, question, tuple(found))


def _without_unknown(read: ApiReader, unknown: Collection[Any]) -> ApiReader:
    async def made(key: str, arguments: Mapping[str, Any]) -> ReadResult:
        if any(value in unknown for value in arguments.values()):
            return ReadResult(read_error=ReadFailure.TARGET_UNREAD)
        return await read(key, arguments)

    return made
