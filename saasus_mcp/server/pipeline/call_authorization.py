"""Steps 4 and 5 of a call: the decision of the policy, and all that must hold before the call is committed, up to a consent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from saasus_mcp.permissions.approval.confirmation import ConfirmationReply
from saasus_mcp.permissions.inspection import preconditions
from saasus_mcp.permissions.inspection.inspect import NOT_INSPECTED, CallInspector
from saasus_mcp.permissions.inspection.inverse_calls import find_inverse_calls
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.policy.model import Decision, PolicyInput, Principal, is_stricter, stricter_decision
from saasus_mcp.permissions.policy.wrappers import require_not_denied
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.change_description import read_names
from saasus_mcp.permissions.question.name_resolver import MAX_NAMES
from saasus_mcp.permissions.question.namesakes import warn_of_namesakes
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.approval_gate import ApprovalGate, ConsentRequest, QuestionDraft
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.context import PipelineContext
from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall
from saasus_mcp.store.errors import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store.records import UndoEntry


@dataclass(frozen=True, slots=True)
class CallAuthorizer:
    """Decides on calls by the policy in force, and authorizes them."""

    context: PipelineContext
    gate: ApprovalGate

    async def decide(self, call: PreparedCall, read: ApiReader) -> Decision:
        """Return the decision on a call. An undo gets the stricter decision on itself and on the call that it undoes."""
        principal, profile = call.principal, self.context.destination.profile
        own = PolicyInput(call.operation, call.arguments, principal, profile)
        decision = await self._decide(own, read, probe=call.probe)
        if call.undo_ref is None:
            return decision
        undone = call.undo_ref.entry
        original = PolicyInput(self.context.catalogue.find(undone.operation), undone.arguments, principal, profile)
        return stricter_decision(decision, await self._decide(original, read, probe=call.probe))

    async def _decide(self, call: PolicyInput, read: ApiReader, *, probe: bool) -> Decision:
        """Decide on a call. An internal read makes no further reads, so a rule that needs live state denies it."""
        needs = self.context.policy.required_state(call.operation, call.principal, call.profile)
        if needs and not probe:
            inspector = CallInspector(call, self.context.destination.saas_id, read)
            inspection = await (inspector.inspect() if "impact" in needs else inspector.inspect_target())
            impact = {**inspection.impact.counts, **inspection.impact.displayed} if "impact" in needs else None
            call = replace(call, target=inspection.snapshot.target, impact=impact)
        return self.context.policy.decide(call)

    async def authorize(
        self, call: PreparedCall, decision: Decision, read: ApiReader, client_call: Call
    ) -> Authorized | PendingElicitation | ConfirmationReply:
        """Return the permission to send, with the inspection of the target; or a question; or the person's answer.

        Raises:
            CallRefused: the policy denies the call, a requirement is not met, or the consent is refused or not given yet.
        """
        result = await self._authorize(call, decision, read, client_call)
        if not isinstance(result, Authorized) or not call.operation.leaves_undo_entry:
            return result
        return await self._name_items(call, result, read, client_call.known_names)

    async def _authorize(
        self, call: PreparedCall, decision: Decision, read: ApiReader, client_call: Call
    ) -> Authorized | PendingElicitation | ConfirmationReply:
        operation = call.operation
        require_not_denied(operation.tool, decision)
        preconditions.check_argument_requirements(call, self.context.clock())
        step = job_grants.covered_step(call, decision, self.context.policy)
        if call.undo_ref is not None:
            await verification.require_unchanged(self.context.catalogue, await self._latest(call.undo_ref.entry), read)
        if step is None and decision.outcome == "allow":
            if client_call.reply is not None:
                self.gate.require_not_declined(client_call.reply)
            if operation.reads:  # there is nothing to verify or undo
                return Authorized(decision)
        inspector = CallInspector(call, self.context.destination.saas_id, read)
        if step is not None:
            return await self._authorize_step(step, decision, inspector)
        if decision.outcome == "allow":
            inspection = await inspector.inspect_without_question(count_users=self.context.policy.ceilings is not None)
            return Authorized(decision, inspection=inspection)
        request = ConsentRequest(
            name=operation.tool,
            decision=decision,
            binding=call.binding(self.context.destination),
            client_call=client_call,
            two_person=self.context.policy.two_person,
        )
        channel = await self.gate.choose_channel(request)
        draft = await self._draft_question(call, decision, inspector)
        return await self.gate.obtain_consent(request, channel, draft)

    async def _name_items(
        self, call: PreparedCall, authorized: Authorized, read: ApiReader, known: dict[str, str]
    ) -> Authorized:
        """Return the permission with the names that the undo log needs to tell the change, and how to undo it.

        Args:
            known: names that were read before, to which those that are read here are added.
        """
        inspection = authorized.inspection
        asked = call.question_input(self.context.destination, inspection, self.context.clock())
        inverses = [
            replace(
                asked, operation=self.context.catalogue.find(each.call), arguments=each.args, inspection=NOT_INSPECTED
            )
            for each in islice(find_inverse_calls(call, inspection.before, None, asked.now), MAX_NAMES)
        ]
        names: dict[str, str] = {}
        for each in (asked, *inverses):
            names |= await read_names(each, read, known)
            known.update(names)
        return replace(authorized, inspection=replace(inspection, names=names))

    async def decide_again(self, call: PreparedCall, authorized: Authorized, read: ApiReader) -> Authorized:
        """Return the permission under the policy in force now, if what was consented to suffices for it.

        Raises:
            CallRefused: the policy has become stricter, or the caller's token was revoked.
        """
        await self.require_not_revoked(call.principal)
        generation = self.context.policy.generation
        decision = await self.decide(call, read)
        require_not_denied(call.operation.tool, decision)
        proof = authorized.proof
        if job_grants.covered_step(call, decision, self.context.policy) is None:
            needs_other = self.context.policy.two_person and decision.outcome == "approve"
            by_requester = proof is None or proof.by == call.principal.id
            if is_stricter(decision, authorized.decision) or (needs_other and by_requester):
                raise CallRefused.because(Reason.STRICTER, "server.policy_stricter_now", reason=decision.reason)
        return replace(authorized, decision=decision, generation=generation)

    async def require_not_revoked(self, principal: Principal) -> None:
        """Check that the token of a call that has waited is still valid.

        Raises:
            CallRefused: it was revoked, or nobody can tell now.
        """
        try:
            revoked = await self.context.is_revoked(principal)
        except StoreError as error:
            raise CallRefused(Reason.STORE, error.message, error.hint) from None
        if revoked:
            raise CallRefused.because(Reason.REVOKED, "server.token_revoked")

    async def is_frozen(self) -> bool:
        """Return whether the writes of the profile are frozen."""
        freeze = await self.context.store_executor(
            lambda: self.context.store.active_freeze(self.context.destination.profile)
        )
        return freeze is not None

    async def require_still_covered(self, call: PreparedCall, authorized: Authorized, read: ApiReader) -> None:
        """Check a committed step again after a wait: the grant still covers it, and its target is as the person saw it.

        Raises:
            CallRefused: the policy or the target has changed.
        """
        if call.job_step is None:
            return
        inspector = CallInspector(call, self.context.destination.saas_id, read)
        step = job_grants.covered_step(call, authorized.decision, self.context.policy)
        if step is not None:
            await self._authorize_step(step, authorized.decision, inspector)
            return
        job_grants.require_same_target(await inspector.inspect(), authorized.inspection.snapshot.encoded)

    async def _authorize_step(self, step: JobStepRef, decision: Decision, inspector: CallInspector) -> Authorized:
        answers = await self.context.store_executor(lambda: job_grants.earlier_answers(step, self.context.store.jobs))
        return await job_grants.authorize_step(step, decision, answers, inspector)

    async def _draft_question(self, call: PreparedCall, decision: Decision, inspector: CallInspector) -> QuestionDraft:
        """Inspect the target now, check the requirements that concern it, and build the question."""
        inspection, read = await inspector.inspect(), inspector.read
        await preconditions.check_target_requirements(call, inspection, read, self.context.clock())
        asked = call.question_input(self.context.destination, inspection, self.context.clock(), typed=decision.typed)
        question = await warn_of_namesakes(await build_question(asked, read), asked, read)
        return QuestionDraft(inspection, question)

    async def _latest(self, entry: UndoEntry) -> UndoEntry:
        """Return the entry of the undo log as it is now: another call may have undone a part of it."""
        return await self.context.store_executor(lambda: self.context.store.undo_log.get(entry.call)) or entry
