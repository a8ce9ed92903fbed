"""Step 5 of a call: everything that must hold before it is committed, up to the consent of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.confirmation import ConfirmationReply
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection import preconditions
from saasus_mcp.permissions.inspection.inspect import CallInspection, inspect_call, inspect_without_question
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.wrappers import require_not_denied
from saasus_mcp.permissions.question.builder import QuestionInput, build_question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.approval_gate import (
    ApprovalGate,
    Authorized,
    ConsentRequest,
    QuestionDraft,
)
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.scheduling.store_executor import StoreExecutor

if TYPE_CHECKING:
    from saasus_mcp.store import Store, UndoEntry


class CallAuthorizer:
    """Authorizes calls that the policy has decided on.

    Args:
        gate: opens the store and returns the gate that asks people.
        open_store: called for every access; the first call opens the store.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        policy: Policy,
        destination: Destination,
        *,
        gate: Callable[[], ApprovalGate],
        open_store: Callable[[], Store],
        clock: Callable[[], float],
        store_executor: StoreExecutor,
    ) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._destination = destination
        self._gate = gate
        self._open_store = open_store
        self._clock = clock
        self._run = store_executor

    async def authorize(
        self, prepared: PreparedCall, read: ApiReader, call: Call
    ) -> Authorized | PendingElicitation | ConfirmationReply:
        """Return the permission to send, with the inspection of the target; or a question; or the person's answer.

        Raises:
            CallRefused: the policy denies the call, a requirement is not met, or the consent is refused or not given yet.
        """
        operation, decision = prepared.operation, prepared.decision
        require_not_denied(operation.tool, decision)
        preconditions.check_argument_requirements(operation, prepared.arguments, self._clock())
        step = prepared.job_step
        covered = step is not None and job_grants.grant_covers(prepared, step, self._policy)
        if prepared.undo_ref is not None:
            await verification.require_unchanged(self._catalogue, await self._latest(prepared.undo_ref.entry), read)
        if step is not None and covered:
            return await self._authorize_step(prepared, step, read)
        if decision.outcome == "allow":
            self._gate().require_not_declined(call)
            return Authorized(inspection=await self._inspect_without_question(prepared, read))
        request = ConsentRequest(
            name=operation.tool,
            decision=decision,
            binding=prepared.binding(self._destination),
            call=call,
            two_person=self._policy.two_person,
        )
        channel = await self._gate().choose_channel(request)
        draft = await self._draft_question(prepared, read)
        return await self._gate().obtain_consent(request, channel, draft)

    async def require_still_covered(self, prepared: PreparedCall, read: ApiReader) -> None:
        """Check a committed step again after a wait: the grant still covers it, and its target is as the person saw it.

        Raises:
            CallRefused: the policy or the target has changed.
        """
        step = prepared.job_step
        if step is None:
            return
        if job_grants.grant_covers(prepared, step, self._policy):
            await self._authorize_step(prepared, step, read)
            return
        operation, saas_id = prepared.operation, self._destination.saas_id
        snapshot = (await inspect_call(operation, prepared.arguments, saas_id, read)).snapshot
        if snapshot.encoded != prepared.inspection.snapshot.encoded:
            raise CallRefused(Reason.CHANGED, message("server.job_target_changed"), message("server.plan_again_hint"))

    async def _authorize_step(self, prepared: PreparedCall, step: JobStepRef, read: ApiReader) -> Authorized:
        answers = await self._run(lambda: job_grants.earlier_answers(step, self._open_store().jobs))
        job_grants.require_filled_values(prepared, step, answers)
        return await job_grants.authorize_step(prepared, step, self._destination, read)

    async def _inspect_without_question(self, prepared: PreparedCall, read: ApiReader) -> CallInspection:
        return await inspect_without_question(
            prepared.operation,
            prepared.arguments,
            self._destination.saas_id,
            read,
            count_users=self._policy.ceilings is not None,
        )

    async def _draft_question(self, prepared: PreparedCall, read: ApiReader) -> QuestionDraft:
        """Inspect the target now, check the requirements that concern it, and build the question."""
        operation, arguments = prepared.operation, prepared.arguments
        inspection = await inspect_call(operation, arguments, self._destination.saas_id, read)
        await preconditions.check_target_requirements(operation, arguments, inspection, read, now=self._clock())
        asked = QuestionInput(
            operation,
            arguments,
            self._destination,
            prepared.principal.id,
            inspection,
            reason=prepared.reason,
            typed=prepared.decision.typed,
            requester_name=prepared.principal.person.label,
        )
        return QuestionDraft(inspection, await build_question(asked, read))

    async def _latest(self, entry: UndoEntry) -> UndoEntry:
        """Return the entry of the undo log as it is now: another call may have undone a part of it."""
        return await self._run(lambda: self._open_store().undo_log.get(entry.call)) or entry
