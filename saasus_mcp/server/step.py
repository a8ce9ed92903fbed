"""One call on its way, and what is written of it in the audit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from saasus_mcp.catalog import Language, Operation, UnknownTool
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.case import Case, Decision
from saasus_mcp.permissions.narrowing import EVERYTHING
from saasus_mcp.permissions.policy import CasePolicy, Principal
from saasus_mcp.permissions.proof import Binding, Place, Proof
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.survey import NOT_SURVEYED, Survey
from saasus_mcp.permissions.target import identity, shown_arguments
from saasus_mcp.permissions.wording import WORDS
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.saasus.request import Request
from saasus_mcp.saasus.words import visible
from saasus_mcp.server.call import Call, Part, Progress, Undoes, untold

LONGEST_NAME = 80
"""Of what a client calls a tool or a field, in the audit."""
MOST_SINCE = 20
"""Lines of what changed in a preview, in the audit and in the answer."""
UNDECIDED = Decision("deny", "none", "not decided on")


@dataclass(frozen=True, slots=True)
class Step:
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
    request: Request
    principal: Principal
    decision: Decision = UNDECIDED
    proof: Proof | None = None
    survey: Survey = NOT_SURVEYED
    since: tuple[str, ...] = ()
    parent: str = ""
    probe: bool = False
    undoes: Undoes | None = None
    part: Part | None = None
    deadline: Deadline = NO_DEADLINE
    progress: Progress = untold
    reason: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def shown(self) -> bool:
        """Whether somebody gets to see what it answers: of a read for a preview or for a job, nobody sees it whole."""
        return not self.probe and (self.part is None or bool(self.part.step))

    def binding(self, place: Place) -> Binding:
        """What a yes to this call is bound to."""
        target = identity(self.operation, self.arguments.values)
        return Binding(
            self.operation.key, self.request.digest(), self.principal.id, place.profile, place.saas_id, target
        )

    def case(self, place: Place) -> Case:
        """The call as a policy sees it, no live state read."""
        return Case(self.operation, self.arguments.values, self.principal, place.profile)


def begun(step: Step, place: Place, policy: CasePolicy) -> dict[str, Any]:
    """What the audit says of a call before it goes: who, what, where, by which rule, on whose yes. No secret."""
    record: dict[str, Any] = {
        "operation": step.operation.key,
        "principal": step.principal.id,
        "groups": sorted(step.principal.groups),
        "profile": place.profile,
        "saas_id": place.saas_id,
        "arguments": shown_arguments(step.operation, step.arguments.values),
        "decision": step.decision.outcome,
        "rule": step.decision.rule,
        "reason": step.decision.reason,
    }
    if step.reason:
        record["stated_reason"] = step.reason
    if step.principal.narrowing != EVERYTHING:
        record["narrowing"] = step.principal.narrowing.told()
    if step.proof is not None:
        spent = step.proof.spend
        record |= {"proof": spent.kind, "proof_id": spent.id, "by": step.proof.by, "shown": step.proof.shown}
    if step.since:
        record["since"] = list(step.since[:MOST_SINCE])
    if step.survey.impact.findings:
        record["impact"] = dict(step.survey.impact.counts)
    if step.parent:
        record["parent"] = step.parent
    if step.part is not None and step.part.step:
        record["step"] = step.part.step
    if step.undoes is not None:
        record["undoes"] = step.undoes.entry.call
    if policy.announcement:
        record["announcement"] = policy.announcement
    return record


def told(step: Step, given: ToolAnswer, language: Language) -> ToolAnswer:
    """The answer, with what had changed between the approval and the send."""
    if not step.since:
        return given
    news = "\n".join(["", WORDS[language]["since"], *(f"  {line}" for line in step.since[:MOST_SINCE])])
    return replace(given, text=given.text + news, note=given.note + news)


def unbuilt(call: Call, place: Place, error: SaasusMcpError) -> dict[str, Any]:
    """What the audit says of a call that never became one: by whom, of what, which field. No argument: none is masked."""
    record: dict[str, Any] = {
        "tool": visible(call.name[:LONGEST_NAME]),
        "principal": call.principal.id,
        "profile": place.profile,
        "saas_id": place.saas_id,
        "refused": _why(error),
    }
    if call.principal.narrowing != EVERYTHING:
        record["narrowing"] = call.principal.narrowing.told()
    if isinstance(error, InvalidArguments):
        record["field"] = visible(error.field[:LONGEST_NAME])
    return record


def _why(error: SaasusMcpError) -> str:
    if isinstance(error, Refused):
        return error.why
    return "unknown_tool" if isinstance(error, UnknownTool) else "invalid_arguments"


def ended(given: ToolAnswer, seconds: float) -> dict[str, Any]:
    """What the audit says of a call when it is over."""
    return {
        "ok": given.ok,
        "applied": given.applied,
        "status": given.status,
        "trace_id": given.trace_id,
        "ms": round(seconds * 1000, 1),
    }
