"""A call after its operation is found, its arguments are checked and its request is built."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.approval.proof import Binding, Destination, Proof
from saasus_mcp.permissions.inspection.inspect import NOT_INSPECTED, CallInspection
from saasus_mcp.permissions.inspection.target import target_identity
from saasus_mcp.permissions.policy.model import Decision, PolicyInput, Principal
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.server.pipeline.call import JobStepRef, Progress, RateLimitHandler, UndoRef, no_progress

UNDECIDED = Decision("deny", "none", "not decided on")


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call on its way through the pipeline.

    Attributes:
        proof: the consent that the call uses up. None if the policy allows the call without a person.
        inspection: of the target, before the call is sent.
        changes: lines of the question that have changed since the approval.
        parent: the id of the call or job that makes this call.
        probe: whether this is an internal read for a question, a decision or a verification.
        undo_ref: the change that the call undoes.
        job_step: the step of a job that the call makes.
        deadline: of the call, with the reads that verify it.
        reason: why the caller makes the call, sanitized (see `stated_reason`).
        on_rate_limit: waits after a 429 so that the request can be sent again. None if the call then ends.
        id: the id of the audit record. The API gets it as the trace id.
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
    on_rate_limit: RateLimitHandler | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def is_visible(self) -> bool:
        """Whether the caller gets the full answer. Internal reads and the reads of a job have no such reader."""
        return not self.probe and (self.job_step is None or bool(self.job_step.step))

    def binding(self, destination: Destination) -> Binding:
        """Return what a person's consent to this call is bound to."""
        return Binding(
            operation=self.operation.key,
            request=self.request.digest(),
            principal=self.principal.id,
            profile=destination.profile,
            saas_id=destination.saas_id,
            target=target_identity(self.operation, self.arguments.values),
        )

    def policy_input(self, destination: Destination) -> PolicyInput:
        """Return the call as a policy sees it, without live state."""
        return PolicyInput(self.operation, self.arguments.values, self.principal, destination.profile)
