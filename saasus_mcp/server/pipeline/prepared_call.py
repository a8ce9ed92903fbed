"""Steps 2 and 3 of a call: check its arguments and build its request. The values that the later steps hand down."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.model import MAX_REASON_LENGTH
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.proof import Binding, Destination, Proof
from saasus_mcp.permissions.inspection.inspect import NOT_INSPECTED, CallInspection
from saasus_mcp.permissions.inspection.target import target_identity
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.policy.model import Decision, Principal
from saasus_mcp.permissions.policy.wrappers import require_not_narrowed
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.saasus.arguments import Arguments, check_arguments, parse_arguments
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.request import ApiRequest, build_request
from saasus_mcp.saasus.secret_names import scrub_text
from saasus_mcp.saasus.secret_paths import secret_values
from saasus_mcp.server.pipeline.call import Call, JobStepRef, Progress, RateLimitHandler, UndoRef, no_progress

UNDECIDED = Decision("deny", "none", "not decided on")


def _new_id() -> str:
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class PreparedCall(OperationCall):
    """A call whose arguments and request stay as they are until it is sent.

    Attributes:
        parent: the id of the call or job that makes this call.
        probe: whether this is an internal read for a question, a decision or a verification.
        of_job: whether a job makes it, or a call of a job.
        deadline: of the call, with the reads that verify it.
        reason: why the caller makes the call. A person and the audit log see it; no decision depends on it.
        on_rate_limit: waits after a 429 so that the request can be sent again. None if the call then ends.
        id: the id of the audit record. The API gets it as the trace id.
    """

    arguments: Arguments
    request: ApiRequest
    principal: Principal
    parent: str = ""
    probe: bool = False
    of_job: bool = False
    undo_ref: UndoRef | None = None
    job_step: JobStepRef | None = None
    deadline: Deadline = NO_DEADLINE
    progress: Progress = no_progress
    reason: str = ""
    on_rate_limit: RateLimitHandler | None = None
    id: str = field(default_factory=_new_id)

    @property
    def is_visible(self) -> bool:
        """Whether the caller gets the full answer. Internal reads and the reads of a job have no such reader."""
        return not self.probe and (self.job_step is None or bool(self.job_step.step))

    def question_input(
        self, destination: Destination, inspection: CallInspection, now: float, *, typed: bool = False
    ) -> QuestionInput:
        """Return what the question about this call is made from."""
        return QuestionInput(
            self.operation,
            self.arguments,
            destination,
            self.principal.id,
            inspection,
            now,
            reason=self.reason,
            typed=typed,
            requester_name=self.principal.person.label,
        )

    def binding(self, destination: Destination) -> Binding:
        """Return the identity of this call that a consent is bound to.

        The order of fields does not count: a model that repeats an approved call may name them in another order.
        """
        return Binding(
            operation=self.operation.key,
            request=self.request.canonical().digest(),
            principal=self.principal.id,
            profile=destination.profile,
            saas_id=destination.saas_id,
            target=target_identity(self),
        )


@dataclass(frozen=True, slots=True)
class Authorized:
    """The permission to send one call or to start one job.

    Attributes:
        decision: the decision of the policy that led here, for the audit record.
        proof: the consent that the call uses up. None if the policy allows it without a person.
        inspection: of the target, made when the proof was checked.
        changes: lines of the question that have changed since the approval. The consent is not bound to them.
        generation: of the policy that made the decision (`Policy.generation`).
    """

    decision: Decision
    proof: Proof | None = None
    inspection: CallInspection = NOT_INSPECTED
    changes: tuple[str, ...] = ()
    generation: int = 0

    def decided_in(self, generation: int) -> Authorized:
        """Return the permission with the generation of the policy that made the decision."""
        return self if self.generation == generation else replace(self, generation=generation)


def prepare_call(
    operation: Operation, call: Call, secrets: KnownSecrets, deadline: Deadline = NO_DEADLINE
) -> PreparedCall:
    """Check the arguments that a client sent, and build the request.

    Args:
        secrets: the server's own, which the stated reason must not show.
        deadline: of a call that has none of its own.

    Raises:
        CallRefused: the connection does not offer this tool.
        InvalidArguments: the arguments do not fit it.
    """
    try:
        arguments = parse_arguments(operation, call.arguments)
        request = build_request(operation, arguments)
    except SaasusMcpError:
        # Do not help with the arguments of a tool that the connection does not offer.
        require_not_narrowed(operation, call.principal)
        raise
    step, reason = call.job_step, call.reason
    if reason:
        reason = _sanitize_reason(reason, secrets.with_texts(secret_values(operation, arguments)))
    return PreparedCall(
        operation,
        arguments,
        request,
        call.principal,
        parent=step.job if step is not None else "",
        of_job=step is not None,
        undo_ref=call.undo_ref,
        job_step=step,
        deadline=call.deadline or deadline,
        progress=call.progress,
        reason=reason,
        on_rate_limit=call.on_rate_limit,
        id=step.call_id if step is not None and step.step else _new_id(),
    )


def prepare_internal_call(
    operation: Operation,
    arguments: object,
    principal: Principal,
    deadline: Deadline,
    parent: PreparedCall | None = None,
) -> PreparedCall:
    """Check the arguments of a call that this program makes itself, and build its request. Nothing is coerced.

    Args:
        parent: the call that needs the answer of this one.

    Raises:
        InvalidArguments: the arguments do not fit.
    """
    checked = check_arguments(operation, arguments)
    request = build_request(operation, checked)
    return PreparedCall(
        operation,
        checked,
        request,
        principal,
        parent="" if parent is None else parent.id,
        of_job=parent is not None and parent.of_job,
        probe=parent is not None,
        deadline=deadline,
        progress=no_progress if parent is None else parent.progress,
    )


def _sanitize_reason(reason: str, secrets: KnownSecrets) -> str:
    """Return the reason on one line, with every character visible and without the secrets."""
    text = scrub_text(secrets.text(" ".join(reason.split())))
    return " ".join(visible_text(text, mark=" ").split())[:MAX_REASON_LENGTH]
