"""A job as one matter: decided on by the strictest of its calls, agreed to once, begun and ended in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.approval.confirmation import ConfirmationReply
from saasus_mcp.permissions.approval.proof import Binding, Proof, json_digest
from saasus_mcp.permissions.inspection.impact import Impact
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.policy.model import Decision, Principal
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.approval_gate import MAX_ROUNDS, AuthorizationRequest, Authorized, QuestionDraft
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store import Commitment, JobGrant, StoreError

MAX_RUNNING_JOBS = 3
"""Jobs of one principal at the same time: others use the API, too."""
MAX_AUDITED_ARGUMENT = 200
"""Characters of an argument's JSON in the audit; of a longer one its digest: a list of people is no business of a log."""


@dataclass(frozen=True, slots=True)
class JobProposal:
    """What a job would do, all of it.

    Attributes:
        id: of the job, and of its record in the audit.
        decision: the strictest on any of its calls.
        plan: digest of the plan.
        steps: by step, the digest of the call that it would make.
        sight: what a person types, and what asks again where it changes.
        question: what a person is asked.
        counted: whether they type what it says to type, even where a plain yes would be enough for each of the calls.
    """

    id: str
    name: str
    principal: Principal
    arguments: Mapping[str, Any]
    decision: Decision
    plan: str
    steps: Mapping[str, str]
    snapshot: TargetSnapshot
    question: Question
    typed_count: bool = False


async def authorize_job(
    pipeline: Pipeline,
    call: Call,
    plan: Callable[[float], Awaitable[JobProposal]],
    submit: Callable[[JobProposal, JobStepRef], Awaitable[None]],
) -> str | PendingElicitation:
    """Have a job agreed to and begin it: its id, or the question to be answered first.

    Args:
        plan: plans the job from the present state; it is given the seconds that a person has taken to answer so far.
        submit: hands over what was agreed to, and under what its steps go. It comes before the commitment, so that a job
            that was agreed to is never lost; what was handed over and is not committed to is not to be done.

    Raises:
        SaasusMcpError: it may not happen, or not yet; or it cannot be planned.
    """
    call, asked = call.with_timer()
    reply, rounds = call.reply, 0
    while True:
        latest = await plan(asked())
        asker = call.elicitor if rounds < MAX_ROUNDS else None
        try:
            settled = await _settled(pipeline, replace(call, elicitor=asker, reply=reply), latest)
        except CallRefused as refusal:
            await _refuse(pipeline, latest, refusal.reason)
            raise
        if not isinstance(settled, ConfirmationReply):
            break
        reply, rounds = settled, rounds + 1  # while the person thought, all of it may have changed
    if isinstance(settled, PendingElicitation):
        return settled
    part = _part(latest, settled)
    await submit(latest, part)
    await _commit(pipeline, latest, part, settled)
    return latest.id


async def _settled(
    pipeline: Pipeline, call: Call, whole: JobProposal
) -> Proof | PendingElicitation | ConfirmationReply | None:
    decision = whole.decision
    if decision.outcome == "deny":
        mend = NARROWED_HINT if decision.refusal_reason == Reason.NARROWED else "Do not try again."
        raise CallRefused(decision.refusal_reason, f"{whole.name} is not allowed: {decision.reason}.", mend)
    if decision.outcome == "allow":
        if call.reply is not None:
            pipeline.approval_gate.require_not_declined(call.reply)
        return None

    async def look() -> QuestionDraft:
        return QuestionDraft(CallInspection(whole.snapshot, Impact()), whole.question)

    place = pipeline.destination
    # Bound to what was asked for; the plan itself is among what is looked at, so that another one asks again.
    asked = json_digest(dict(whole.arguments))
    binding = Binding(whole.name, asked, whole.principal.id, place.profile, place.saas_id, whole.question.name)
    two_person = pipeline.policy.two_person
    if whole.typed_count and decision.outcome == "confirm":
        decision = replace(decision, typed=True)
    matter = AuthorizationRequest(
        decision, binding, look, call.elicitor, call.reply, two_person, call.url_elicitor, call.url_answers
    )
    settled = await pipeline.approval_gate.authorize(matter)
    return settled.proof if isinstance(settled, Authorized) else settled


def _part(whole: JobProposal, proof: Proof | None) -> JobStepRef:
    given, by = (proof.use.kind, proof.by) if proof else ("none", "")
    typed = proof is not None and whole.decision.typed
    return JobStepRef(whole.id, given=given, by=by, typed=typed, plan=whole.plan)


async def _commit(pipeline: Pipeline, whole: JobProposal, part: JobStepRef, proof: Proof | None) -> None:
    profile = pipeline.destination.profile
    granted = JobGrant(
        whole.name,
        whole.principal.id,
        profile,
        whole.plan,
        part.given,
        part.by,
        part.typed,
        whole.steps,
        MAX_RUNNING_JOBS,
    )
    record, spend = _record(pipeline, whole, proof), proof.use if proof else None
    commitment = Commitment(writes=bool(whole.steps), profile=profile, grant=granted)
    try:
        await pipeline.store_executor(
            lambda: pipeline.store.commit(whole.id, record, pipeline.clock(), spend, commitment)
        )
    except StoreError as error:
        await _refuse(pipeline, whole, error.reason)
        raise


async def _refuse(pipeline: Pipeline, whole: JobProposal, why: str) -> None:
    refused = {**_record(pipeline, whole), "refused": why}
    await pipeline.store_executor(lambda: pipeline.store.record_refusal(whole.id, refused, pipeline.clock()))


def _record(pipeline: Pipeline, whole: JobProposal, proof: Proof | None = None) -> dict[str, Any]:
    """What the audit says of a job when it begins."""
    place = pipeline.destination
    record: dict[str, Any] = {
        "operation": whole.name,
        "principal": whole.principal.id,
        "profile": place.profile,
        "saas_id": place.saas_id,
        "arguments": {name: _short(value) for name, value in whole.arguments.items()},
        "decision": whole.decision.outcome,
        "rule": whole.decision.rule,
        "reason": whole.decision.reason,
        "plan": whole.plan,
        "steps": len(whole.steps),
    }
    if whole.question.reason:
        record["requester_reason"] = whole.question.reason
    if proof is not None:
        record |= {"proof": proof.use.kind, "proof_id": proof.use.id, "by": proof.by, "shown": proof.question_digest}
    if whole.principal.narrowing != NO_NARROWING:
        record["narrowing"] = whole.principal.narrowing.to_audit()
    if whole.principal.groups:
        record["groups"] = sorted(whole.principal.groups)
    if pipeline.policy.announcement:
        record["announcement"] = pipeline.policy.announcement
    return record


def _short(value: Any) -> Any:
    return value if len(str(value)) <= MAX_AUDITED_ARGUMENT else f"sha256:{json_digest(value)}"
