"""The way of a call, in one direction. Nothing reaches the API that did not come down this page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.confirmation import ConfirmationReply, ConfirmationService
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection import preconditions
from saasus_mcp.permissions.inspection.inspect import cache_reads, inspect_call, inspect_without_question
from saasus_mcp.permissions.inspection.preconditions import NoChange
from saasus_mcp.permissions.inspection.target import ApiReader, ReadResult, secret_values
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT, NarrowedPolicy, require_not_narrowed
from saasus_mcp.permissions.question.builder import QuestionInput, build_question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretReferences, SecretVault, no_references
from saasus_mcp.saasus import arguments as checking
from saasus_mcp.saasus import request as building
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.deadline import CALL_SECONDS, NO_DEADLINE, Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer, no_change_answer
from saasus_mcp.server.pipeline import job_grants, stated_reason, verification
from saasus_mcp.server.pipeline.approval_gate import (
    MAX_ROUNDS,
    ApprovalGate,
    AuthorizationRequest,
    Authorized,
    QuestionDraft,
)
from saasus_mcp.server.pipeline.audit_recorder import AuditRecorder
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_observer import NULL_OBSERVER, CallObserver
from saasus_mcp.server.pipeline.call_sender import CallSender
from saasus_mcp.server.pipeline.policy_evaluator import PolicyEvaluator
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.results.result_store import ANSWER_BUDGET, ResultOrigin, ResultStore, SourceCall
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.scheduling.fair_queue import FairQueue
from saasus_mcp.server.scheduling.store_executor import StoreExecutor, run_inline
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Store, UndoEntry


class Pipeline:
    """Runs calls: found, checked, built, decided, settled, committed, sent, shaped, ended."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        policy: Policy,
        client: ApiClient,
        open_store: Callable[[], Store],
        encryptor: Encryptor,
        destination: Destination,
        language: Language = "en",
        zone: tzinfo | None = None,
        clock: Callable[[], float] = time.time,
        references: SecretReferences = no_references,
        budget: int = ANSWER_BUDGET,
        observer: CallObserver = NULL_OBSERVER,
        store_executor: StoreExecutor = run_inline,
        console_url: Callable[[], str] = str,
        call_queue: FairQueue | None = None,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self.catalogue = catalogue
        self.policy: Policy = NarrowedPolicy(policy)
        self.destination = destination
        self._client = client
        self._open = open_store
        self._sealer = encryptor
        self.language: Language = language
        self.zone = zone
        self.clock = clock
        self._references = references
        self._budget = budget
        self.store_executor = store_executor
        self.recorder = AuditRecorder(
            lambda: self.store, policy, destination, observer=observer, clock=clock, store_executor=store_executor
        )
        self._console = console_url
        self.call_queue = call_queue or FairQueue()
        self._call_seconds = call_seconds

    @cached_property
    def store(self) -> Store:
        """What survives its calls. Opened by the first: a client that only lists tools need not wait for a database."""
        return self._open()

    @cached_property
    def _handles(self) -> SecretVault:
        return SecretVault(self.store, self._sealer, self.clock, self._references)

    @cached_property
    def sender(self) -> CallSender:
        """What sends calls that may go."""
        return CallSender(
            self._client,
            self.recorder,
            self.destination,
            handles=lambda: self._handles,
            reader=self.reader_for,
            call_queue=self.call_queue,
            language=self.language,
            clock=self.clock,
            store_executor=self.store_executor,
        )

    @cached_property
    def approval_gate(self) -> ApprovalGate:
        """What comes to a person's yes."""
        confirmations, approvals = (
            ConfirmationService(self._sealer),
            ApprovalService(self.store, Reader.of(self.language, self.zone)),
        )
        return ApprovalGate(
            confirmations,
            approvals,
            language=self.language,
            zone=self.zone,
            clock=self.clock,
            store_executor=self.store_executor,
            console_url=self._console,
        )

    @cached_property
    def policy_evaluator(self) -> PolicyEvaluator:
        """What the policy says of a call."""
        return PolicyEvaluator(self.catalogue, self.policy, self.destination)

    @cached_property
    def results(self) -> ResultStore:
        """Large answers, cut for the model and kept whole for whoever asked."""
        profile, clock = self.destination.profile, self.clock
        return ResultStore(
            lambda: self.store,
            self._sealer,
            profile=profile,
            clock=clock,
            forbidden=self.find_forbidden,
            budget=self._budget,
        )

    def list_operations(self, principal: Principal) -> list[Operation]:
        """The operations of which some call could be anything but denied to this principal."""
        profile = self.destination.profile
        return [operation for operation in self.catalogue if self.policy.could_allow(operation, principal, profile)]

    async def run(self, call: Call) -> ToolAnswer | PendingElicitation:
        """The answer of a call, or the question that a person must answer first.

        Raises nothing that a client could cause: every refusal and failure is an answer.
        """
        call, asked = replace(call, deadline=self.deadline_for(call)).with_timer()
        try:
            step = await self._stepped(call)
        except SaasusMcpError as error:
            return await self.reject(call, error)
        limit, reply, rounds = step.deadline, call.reply, 0
        try:
            while True:
                step = replace(step, deadline=limit.postponed(asked()))
                read = cache_reads(self.reader_for(replace(step, deadline=step.deadline.for_preliminary_reads())))
                step = replace(step, decision=await self.policy_evaluator.decide(step, read))
                asker = call.elicitor if rounds < MAX_ROUNDS else None
                settled = await self._settled(step, read, replace(call, elicitor=asker, reply=reply))
                if not isinstance(settled, ConfirmationReply):
                    break
                reply, rounds = settled, rounds + 1  # while the person thought, all of it may have changed
        except NoChange as nothing:
            await self.recorder.record_refusal(step, nothing.reason)
            return no_change_answer(step.operation, nothing.message)
        except CallRefused as refusal:
            await self.recorder.record_refusal(step, refusal.reason)
            return replace(failed_answer(refusal.message, refusal.hint), why=refusal.reason)
        except SaasusMcpError as error:
            await self.recorder.record_refusal(step, "failed")
            return replace(
                failed_answer(error.message, error.hint), why="store" if isinstance(error, StoreError) else ""
            )
        except anyio.get_cancelled_exc_class():
            await self.recorder.record_refusal(step, "cancelled")
            raise
        if isinstance(settled, PendingElicitation):
            await self.recorder.record_refusal(step, "confirmation")
            return settled
        return await self.sender.send(settled)

    def deadline_for(self, call: Call) -> Deadline:
        """When a call must be over. What a job does goes on after its caller has gone and has no limit as a whole."""
        if call.deadline is not None:
            return call.deadline
        return Deadline.after(self._call_seconds) if call.job_step is None else NO_DEADLINE

    async def find_forbidden(
        self, calls: Iterable[SourceCall], principal: Principal, deadline: Deadline | None = None
    ) -> str:
        """The tool of the first of some calls that would be denied today; empty where none would.

        Without arguments, a call would be denied if it were with all of them. What cannot be decided on is denied, and what
        takes longer than the deadline cannot.
        """
        deadline = deadline or Deadline.after(self._call_seconds)
        for key, arguments in calls:
            try:
                operation = self.catalogue.find(key)
                if not self.policy.could_allow(operation, principal, self.destination.profile):
                    return operation.tool
                if arguments is not None:
                    built = self._built(operation, checking.check_arguments(operation, arguments), principal)
                    step = replace(built, deadline=deadline)
                    decision = await self.policy_evaluator.decide(step, cache_reads(self.reader_for(step)))
                    if decision.outcome == "deny":
                        return operation.tool
            except SaasusMcpError:
                return key
        return ""

    async def reject(self, call: Call, error: SaasusMcpError) -> ToolAnswer:
        """The answer of a call that never became one: no such tool, or arguments that do not fit. Audited."""
        await self.recorder.record_rejected_call(call, error)
        return failed_answer(error.message, error.hint)

    async def truncate(self, call: Call, given: ToolAnswer) -> ToolAnswer:
        """The answer of a call within its budget; where it is cut, the whole is kept under the call as it was understood."""
        if not given.ok or self.results.fits(given):
            return given
        step = await self._stepped(call)
        return await self.results.truncate(
            given, call.principal, ResultOrigin.of_operation(step.operation, step.arguments.values)
        )

    async def _stepped(self, call: Call) -> PreparedCall:
        """Steps 1 to 3, in a thread where the arguments are large."""
        if not worker_threads.is_large(call.arguments):
            return self.prepare(call)
        return await worker_threads.run_in_worker(call.principal.id, lambda: self.prepare(call))

    def prepare(self, call: Call) -> PreparedCall:
        """Steps 1 to 3: what a call is, checked and built.

        Raises:
            SaasusMcpError: there is no such tool, or the arguments do not fit it.
        """
        operation, part = self.catalogue.find(call.name), call.job_step
        try:
            step = self._built(operation, checking.parse_arguments(operation, call.arguments), call.principal)
        except SaasusMcpError:
            require_not_narrowed(operation, call.principal)  # no use in mending the arguments of what is denied
            raise
        why = self._reason(call.reason, step) if call.reason else ""
        step = replace(step, deadline=self.deadline_for(call), progress=call.progress, reason=why)
        if part is None:
            return replace(step, undo_ref=call.undo_ref)
        return replace(step, job_step=part, parent=part.job, id=part.call_id if part.step else step.id)

    def _reason(self, given: str, step: PreparedCall) -> str:
        secrets = secret_values(step.operation, step.arguments.values)
        return stated_reason.sanitize_reason(given, self._client.secrets.with_texts(secrets))

    @staticmethod
    def _built(operation: Operation, arguments: Arguments, principal: Principal) -> PreparedCall:
        return PreparedCall(operation, arguments, building.build_request(operation, arguments), principal)

    async def _settled(
        self, step: PreparedCall, read: ApiReader, call: Call
    ) -> PreparedCall | PendingElicitation | ConfirmationReply:
        """Step 5: with the proof where one is needed, and with what was seen of what is there."""
        operation, decision, values = step.operation, step.decision, step.arguments.values
        if decision.outcome == "deny":
            mend = NARROWED_HINT if decision.refusal_reason == Reason.NARROWED else "Do not try again."
            raise CallRefused(decision.refusal_reason, f"{operation.tool} is not allowed: {decision.reason}.", mend)
        preconditions.check_argument_requirements(operation, values, self.clock())
        if step.job_step is not None and job_grants.grant_covers(step, step.job_step):
            part = step.job_step
            known = await self.store_executor(lambda: job_grants.earlier_answers(part, self.store.jobs))
            job_grants.require_filled_values(step, part, known)
            return await job_grants.recheck_target(step, part, self.destination, read)
        if step.undo_ref is not None:
            await verification.require_unchanged(self.catalogue, await self._as_it_is(step.undo_ref.entry), read)
        if decision.outcome == "allow":
            if call.reply is not None:
                self.approval_gate.require_not_declined(call.reply)
            counted = self.policy.ceilings is not None
            seen = await inspect_without_question(
                operation, values, self.destination.saas_id, read, count_users=counted
            )
            return replace(step, inspection=seen)
        settled = await self.approval_gate.authorize(
            AuthorizationRequest(
                decision,
                step.binding(self.destination),
                lambda: self._looked(step, read),
                call.elicitor,
                call.reply,
                self.policy.two_person,
                call.url_elicitor,
                call.url_answers,
            )
        )
        if not isinstance(settled, Authorized):
            return settled
        return replace(step, proof=settled.proof, inspection=settled.inspection, changes=settled.changes)

    async def _as_it_is(self, entry: UndoEntry) -> UndoEntry:
        """The journal's entry with what was undone of it since somebody read it."""
        return await self.store_executor(lambda: self.store.undo_log.get(entry.call)) or entry

    async def _looked(self, step: PreparedCall, read: ApiReader) -> QuestionDraft:
        values = step.arguments.values
        seen = await inspect_call(step.operation, values, self.destination.saas_id, read)
        now = self.clock()
        await preconditions.check_target_requirements(step.operation, values, seen, read, now=now)
        asked = QuestionInput(
            step.operation,
            values,
            self.destination,
            step.principal.id,
            seen,
            reason=step.reason,
            typed=step.decision.typed,
        )
        return QuestionDraft(seen, await build_question(asked, read))

    def reader_for(self, parent: PreparedCall) -> ApiReader:
        """Reads for a preview, a policy or a read back: child calls, decided and audited like any other.

        No narrowing holds for them: a caller must not hide from the person who is asked, or from a rule, what a call hits.
        """
        principal = parent.principal.without_narrowing

        async def read(key: str, args: Mapping[str, Any]) -> ReadResult:
            try:
                operation = self.catalogue.find(key)
                step = replace(
                    self._built(operation, checking.check_arguments(operation, args), principal),
                    parent=parent.id,
                    probe=True,
                    deadline=parent.deadline,
                    progress=parent.progress,
                )
            except SaasusMcpError as error:
                return ReadResult(read_error=str(error.message))
            step = replace(step, decision=await self.policy_evaluator.decide(step, read))
            if not operation.reads or step.decision.outcome != "allow":
                await self.recorder.record_refusal(step, "denied")
                return ReadResult(read_error="you may not read it")
            given = await self.sender.send(step)
            if given.ok:
                known = await self.sender.secrets(parent)
                if known.redact(given.structured) is not given.structured:
                    return ReadResult(read_error="it repeats a secret of this call", status=given.status)
                return ReadResult(given.structured, status=given.status)
            return ReadResult(read_error=f"HTTP {given.status}" if given.status else "no answer", status=given.status)

        return read
