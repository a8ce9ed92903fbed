"""One call on its way, and what is written of it in the audit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from saasus_mcp.catalog import Operation, UnknownTool
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.proof import Binding, Destination, Proof
from saasus_mcp.permissions.inspection.inspect import NOT_INSPECTED, CallInspection
from saasus_mcp.permissions.inspection.target import redact_arguments, target_identity
from saasus_mcp.permissions.policy.model import Decision, PolicyInput
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING
from saasus_mcp.permissions.policy.presets import Policy, Principal
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.wording import WORDS
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, JobStepRef, Progress, UndoRef, no_progress

MAX_AUDITED_NAME = 80
"""Of what a client calls a tool or a field, in the audit."""
MAX_CHANGES = 20
"""Lines of what changed in a preview, in the audit and in the answer."""
UNDECIDED = Decision("deny", "none", "not decided on")


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call once it is known what it is and what may become of it.

    Attributes:
        parent: the call or job for which this one is made.
        probe: whether it is a read for a preview or a decision: it looks at nothing else, and nobody sees its secrets.
        survey: what was seen of the target and its surroundings before a person was asked.
        since: what has changed in the preview since it was approved.
        undoes: the call of the journal that this one undoes.
        part: the step of a job that it is.
        deadline: when the call must be over, with what is read back after it.
        progress: told between two attempts.
        reason: why the caller wants it, in their own words. Shown and audited, never trusted.
    """

    operation: Operation
    arguments: Arguments
    request: ApiRequest
    principal: Principal
    decision: Decision = UNDECIDED
    proof: Proof | None = None
    inspection: CallInspection = NOT_INSPECTED
    changes: tuple[str, ...] = ()
    parent: str = ""
    probe: bool = False
    undo_ref: UndoRef | None = None
    job_step: JobStepRef | None = None
    deadline: Deadline = NO_DEADLINE
    progress: Progress = no_progress
    reason: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def is_visible(self) -> bool:
        """Whether somebody gets to see what it answers: of a read for a preview or for a job, nobody sees it whole."""
        return not self.probe and (self.job_step is None or bool(self.job_step.step))

    def binding(self, place: Destination) -> Binding:
        """What a yes to this call is bound to."""
        target = target_identity(self.operation, self.arguments.values)
        return Binding(
            self.operation.key, self.request.digest(), self.principal.id, place.profile, place.saas_id, target
        )

    def policy_input(self, place: Destination) -> PolicyInput:
        """The call as a policy sees it, no live state read."""
        return PolicyInput(self.operation, self.arguments.values, self.principal, place.profile)


def call_record(step: PreparedCall, place: Destination, policy: Policy) -> dict[str, Any]:
    """What the audit says of a call before it goes: who, what, where, by which rule, on whose yes. No secret."""
    record: dict[str, Any] = {
        "operation": step.operation.key,
        "principal": step.principal.id,
        "groups": sorted(step.principal.groups),
        "profile": place.profile,
        "saas_id": place.saas_id,
        "arguments": redact_arguments(step.operation, step.arguments.values),
        "decision": step.decision.outcome,
        "rule": step.decision.rule,
        "reason": step.decision.reason,
    }
    if step.reason:
        record["stated_reason"] = step.reason
    if step.principal.narrowing != NO_NARROWING:
        record["narrowing"] = step.principal.narrowing.to_audit()
    if step.proof is not None:
        spent = step.proof.use
        record |= {"proof": spent.kind, "proof_id": spent.id, "by": step.proof.by, "shown": step.proof.question_digest}
    if step.changes:
        record["since"] = list(step.changes[:MAX_CHANGES])
    if step.inspection.impact.findings:
        record["impact"] = dict(step.inspection.impact.counts)
    if step.parent:
        record["parent"] = step.parent
    if step.job_step is not None and step.job_step.step:
        record["step"] = step.job_step.step
    if step.undo_ref is not None:
        record["undoes"] = step.undo_ref.entry.call
    if policy.announcement:
        record["announcement"] = policy.announcement
    return record


def append_changes(step: PreparedCall, given: ToolAnswer, language: Language) -> ToolAnswer:
    """The answer, with what had changed between the approval and the send."""
    if not step.changes:
        return given
    news = "\n".join(["", WORDS[language]["since"], *(f"  {line}" for line in step.changes[:MAX_CHANGES])])
    return replace(given, text=given.text + news, note=given.note + news)


def rejected_call_record(call: Call, place: Destination, error: SaasusMcpError) -> dict[str, Any]:
    """What the audit says of a call that never became one: by whom, of what, which field. No argument: none is masked."""
    record: dict[str, Any] = {
        "tool": visible_text(call.name[:MAX_AUDITED_NAME]),
        "principal": call.principal.id,
        "profile": place.profile,
        "saas_id": place.saas_id,
        "refused": _why(error),
    }
    if call.principal.narrowing != NO_NARROWING:
        record["narrowing"] = call.principal.narrowing.to_audit()
    if isinstance(error, InvalidArguments):
        record["field"] = visible_text(error.field[:MAX_AUDITED_NAME])
    return record


def _why(error: SaasusMcpError) -> str:
    if isinstance(error, CallRefused):
        return error.reason
    return "unknown_tool" if isinstance(error, UnknownTool) else "invalid_arguments"


def outcome_record(given: ToolAnswer, seconds: float) -> dict[str, Any]:
    """What the audit says of a call when it is over."""
    return {
        "ok": given.ok,
        "applied": given.applied,
        "status": given.status,
        "trace_id": given.trace_id,
        "ms": round(seconds * 1000, 1),
    }
