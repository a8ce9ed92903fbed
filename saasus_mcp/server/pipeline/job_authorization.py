"""The authorization of a job: one decision, one question and one audit record for all of its calls."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.approval.confirmation import ConfirmationReply
from saasus_mcp.permissions.approval.proof import Binding, Proof, json_digest
from saasus_mcp.permissions.inspection.impact import Impact
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.policy.model import Decision, Principal
from saasus_mcp.permissions.policy.wrappers import require_not_denied
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.server.pipeline.approval_gate import ConsentRequest, QuestionDraft
from saasus_mcp.server.pipeline.audit_recorder import job_record
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.prepared_call import Authorized
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import Commitment

log = logging.getLogger(__name__)

MAX_RUNNING_JOBS = 3
"""Jobs of one principal at the same time: others use the API, too."""
MAX_AUDITED_ARGUMENT = 200
"""Characters of an argument in the audit record. A longer one, such as a list of people, is recorded by its digest."""

LIST_ARGUMENTS = frozenset({"calls", "template", "csv", "rows"})
"""Arguments with the arguments of many calls, among which are secrets. They are recorded by their digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProposal:
    """A planned job that waits for consent.

    Attributes:
        ref: of the job, before anyone has consented. Its id is also that of the audit record.
        decision: the strictest decision on any of its calls.
        steps: by step, the digest of its call.
        snapshot: the text that a person types, and the state that the consent is bound to.
        covered: the calls that the consent covers. A critical call that asks for its own approval is not among them.
        typed_count: whether the dialog shows all but the ordinary items, and the person types the text even if each single call
            needs a plain confirmation only.
    """

    ref: JobStepRef
    name: str
    principal: Principal
    arguments: Mapping[str, Any]
    decision: Decision
    steps: Mapping[str, str]
    snapshot: TargetSnapshot
    question: Question
    typed_count: bool = False
    covered: Sequence[Binding] = ()

    def consented(self, proof: Proof | None) -> JobProposal:
        """Return the job with the consent to it."""
        if proof is None:
            return self
        ref = replace(self.ref, given=proof.use.kind, by=proof.by, typed=self.decision.typed)
        return replace(self, ref=ref)


async def authorize_job(
    pipeline: Pipeline, call: Call, job: JobProposal
) -> Authorized | PendingElicitation | ConfirmationReply:
    """Return the permission to start a job; or a question; or the person's answer, with which the job is planned again.

    Raises:
        CallRefused: the job is not authorized, or not yet.
    """
    try:
        return await _authorize(pipeline, call, job)
    except CallRefused as refusal:
        await pipeline.recorder.write_refusal(job.ref.job, _record(pipeline, job), refusal.reason, refusal.awaited)
        raise


async def _authorize(
    pipeline: Pipeline, call: Call, job: JobProposal
) -> Authorized | PendingElicitation | ConfirmationReply:
    destination, decision, gate = pipeline.destination, job.decision, pipeline.approval_gate
    require_not_denied(job.name, decision)
    # The binding names the request. The plan is part of the snapshot, so that another plan is asked about again.
    binding = Binding(
        operation=job.name,
        request=json_digest(dict(job.arguments)),
        principal=job.principal.id,
        profile=destination.profile,
        saas_id=destination.saas_id,
        target=job.question.name,
    )
    await gate.require_none_rejected(binding, job.covered)
    if decision.outcome == "allow":
        if call.reply is not None:
            gate.require_not_declined(call.reply)
        return Authorized(decision)
    if job.typed_count and decision.outcome == "confirm":
        decision = replace(decision, typed=True)
    request = ConsentRequest(
        name=job.name,
        decision=decision,
        binding=binding,
        client_call=call,
        two_person=pipeline.policy.two_person,
        covered=job.covered,
        may_cut=job.typed_count,
    )

    draft = QuestionDraft(CallInspection(job.snapshot, Impact()), job.question)
    return await gate.obtain_consent(request, await gate.choose_channel(request), draft)


async def commit_job(pipeline: Pipeline, job: JobProposal, proof: Proof | None) -> None:
    """Commit an authorized job. The engine has it already, so that no committed job is lost, and runs it only once it is committed.

    Raises:
        StoreError: nothing was committed, or if `may_have_written` is true, the job may have started.
    """
    profile, ref = pipeline.destination.profile, job.ref
    grant = JobGrant(
        name=job.name,
        principal=job.principal.id,
        profile=profile,
        plan=ref.plan,
        given=ref.given,
        by=ref.by,
        typed=ref.typed,
        steps=job.steps,
        most_running=MAX_RUNNING_JOBS,
    )
    commitment = Commitment(writes=bool(job.steps), profile=profile, grant=grant)
    try:
        await pipeline.recorder.commit(job.ref.job, _record(pipeline, job, proof), proof, commitment)
    except StoreError as error:
        if error.may_have_written:
            await _require_started(pipeline, job, error)
            return
        await pipeline.recorder.write_refusal(job.ref.job, _record(pipeline, job), error.reason)
        raise


async def _require_started(pipeline: Pipeline, job: JobProposal, error: StoreError) -> None:
    """Check whether a job whose commit failed was committed all the same.

    Raises:
        StoreError: nobody knows: the database may still be about to commit. The engine has the job, and runs it if so.
    """
    try:
        if await pipeline.store_executor(lambda: pipeline.store.jobs.get(job.ref.job)) is not None:
            return
    except StoreError:
        log.warning("the store cannot tell whether job %s was started", job.ref.job)
    unknown = StoreError.of("server.job_start_unknown", job=job.ref.job, why=error)
    unknown.may_have_written = True
    raise unknown from error


def _record(pipeline: Pipeline, job: JobProposal, proof: Proof | None = None) -> dict[str, Any]:
    details: dict[str, Any] = {
        "arguments": {name: _shorten(name, value) for name, value in job.arguments.items()},
        "plan": job.ref.plan,
        "steps": len(job.steps),
    }
    if job.question.reason:
        details["requester_reason"] = job.question.reason
    return job_record(job.name, job.principal, pipeline, job.decision, proof, **details)


def _shorten(name: str, value: Any) -> Any:
    is_short = len(str(value)) <= MAX_AUDITED_ARGUMENT
    return value if is_short and name not in LIST_ARGUMENTS else f"sha256:{json_digest(value)}"
