"""The nine steps of a call. Nothing reaches the API in another way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import anyio

from saasus_mcp.catalog import Operation
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.confirmation import ConfirmationReply
from saasus_mcp.permissions.inspection.inspect import cache_reads
from saasus_mcp.permissions.inspection.preconditions import NoChange
from saasus_mcp.permissions.policy.model import Decision, Principal
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer, no_change_answer
from saasus_mcp.server.pipeline.approval_gate import ApprovalGate
from saasus_mcp.server.pipeline.audit_recorder import AuditRecorder
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_authorization import CallAuthorizer
from saasus_mcp.server.pipeline.call_sender import CallSender
from saasus_mcp.server.pipeline.context import PipelineContext
from saasus_mcp.server.pipeline.internal_reads import InternalReader
from saasus_mcp.server.pipeline.prepared_call import (
    UNDECIDED,
    Authorized,
    PreparedCall,
    prepare_call,
    prepare_internal_call,
)
from saasus_mcp.server.results.result_store import ResultOrigin, ResultStore, SourceCall
from saasus_mcp.server.scheduling.worker_threads import is_large, run_in_worker
from saasus_mcp.store.errors import StoreError


class Pipeline(PipelineContext):
    """Runs calls.

    Steps: 1 find the operation, 2 check the arguments, 3 build the request, 4 decide, 5 authorize, 6 commit, 7 send,
    8 read the response and verify an unknown outcome, 9 record the end.
    """

    @cached_property
    def recorder(self) -> AuditRecorder:
        return AuditRecorder(self)

    @cached_property
    def approval_gate(self) -> ApprovalGate:
        """The gate that obtains the consent of a person."""
        return ApprovalGate(self)

    @cached_property
    def authorizer(self) -> CallAuthorizer:
        """Decides on calls by the policy in force, and authorizes them."""
        return CallAuthorizer(self, self.approval_gate)

    @cached_property
    def sender(self) -> CallSender:
        return CallSender(self, self.recorder, self.authorizer)

    @cached_property
    def results(self) -> ResultStore:
        """The store of large answers, which the model reads truncated."""
        return ResultStore(
            lambda: self.store,
            self.encryptor,
            profile=self.destination.profile,
            clock=self.clock,
            find_forbidden=self.find_forbidden,
            budget=self.budget,
        )

    def list_operations(self, principal: Principal) -> list[Operation]:
        """Return the operations that the policy does not deny to this principal in every case."""
        profile = self.destination.profile
        return [operation for operation in self.catalogue if self.policy.could_allow(operation, principal, profile)]

    async def run(self, call: Call) -> ToolAnswer | PendingElicitation:
        """Return the answer of a call, or the question that a person must answer first.

        A client cannot cause an exception: each refusal and failure is an answer.
        """
        try:
            prepared = await self._prepare(call)
        except SaasusMcpError as error:
            return await self.reject(call, error)
        decision = UNDECIDED
        try:
            while True:
                if call.rounds or call.job_step is not None:
                    await self.authorizer.require_not_revoked(call.principal)
                reader = self.reader_for(prepared)
                read = cache_reads(reader.before_call())
                generation = self.policy.generation
                decision = await self.authorizer.decide(prepared, read)
                result = await self.authorizer.authorize(prepared, decision, read, call)
                if not isinstance(result, ConfirmationReply):
                    break
                call = call.answered(result)
                prepared = replace(prepared, deadline=prepared.deadline.postponed(result.seconds))
        except SaasusMcpError as error:
            return await self._refuse(prepared, decision, error)
        except anyio.get_cancelled_exc_class():
            await self.recorder.record_refusal(prepared, Authorized(decision), "cancelled")
            raise
        if isinstance(result, PendingElicitation):
            await self.recorder.record_refusal(prepared, Authorized(decision), "confirmation")
            return result
        answer = await self.sender.send(prepared, result.decided_in(generation), reader)
        return answer.with_arguments(prepared.redacted_arguments)

    def reader_for(self, call: PreparedCall) -> InternalReader:
        """Return the reader for the internal reads of a call, until its deadline."""
        return InternalReader(self.sender, call, call.deadline)

    def deadline_for(self, call: Call) -> Deadline:
        """Return the deadline of a call. A job outlives its caller and has no time limit as a whole."""
        if call.deadline is not None:
            return call.deadline
        return self.new_deadline() if call.job_step is None else NO_DEADLINE

    def new_deadline(self) -> Deadline:
        """Return the deadline of a client's call that begins now."""
        return Deadline.after(self.call_seconds)

    async def find_forbidden(
        self, calls: Iterable[SourceCall], principal: Principal, deadline: Deadline | None = None
    ) -> str:
        """Return the tool of the first call that would be denied now, or an empty text.

        Without arguments, a call is denied if it would be with any arguments. A call that cannot be decided on before
        the deadline is denied.
        """
        deadline = deadline or self.new_deadline()
        for key, arguments in calls:
            try:
                operation = self.catalogue.find(key)
                if not self.policy.could_allow(operation, principal, self.destination.profile):
                    return operation.tool
                if arguments is not None:
                    prepared = prepare_internal_call(operation, arguments, principal, deadline)
                    read = cache_reads(self.reader_for(prepared))
                    decision = await self.authorizer.decide(prepared, read)
                    if decision.outcome == "deny":
                        return operation.tool
            except SaasusMcpError:
                return key
        return ""

    async def reject(self, call: Call, error: SaasusMcpError) -> ToolAnswer:
        """Record a call that cannot be prepared, and return its answer.

        If the store failed so that nobody knows whether the call took effect, it has no record of a refusal.
        """
        if isinstance(error, StoreError) and error.may_have_written:
            return failed_answer(error.message, error.hint, applied=Outcome.UNKNOWN, why="store")
        await self.recorder.record_rejected_call(call, error)
        answer = failed_answer(error.message, error.hint)
        return replace(answer, app_data=error.app_data) if isinstance(error, CallRefused) else answer

    async def _refuse(self, call: PreparedCall, decision: Decision, error: SaasusMcpError) -> ToolAnswer:
        """Record that a prepared call is not sent, and return its answer."""
        if not isinstance(error, CallRefused):
            await self.recorder.record_refusal(call, Authorized(decision), "failed")
            return failed_answer(error.message, error.hint, why="store" if isinstance(error, StoreError) else "")
        await self.recorder.record_refusal(call, Authorized(decision), error.reason, error.awaited)
        if isinstance(error, NoChange):
            answer = no_change_answer(call.operation, error.message, error.hint)
        else:
            answer = failed_answer(error.message, error.hint, why=error.reason)
        return replace(answer, app_data=error.app_data, redacted_arguments=call.redacted_arguments)

    async def truncate(self, operation: Operation, answer: ToolAnswer, principal: Principal) -> ToolAnswer:
        """Return the answer of an operation within its budget. If it is truncated, the full answer is stored with the call."""
        if not answer.ok or self.results.fits(answer):
            return answer
        origin = ResultOrigin.of_operation(operation, answer.redacted_arguments())
        return await self.results.truncate(answer, principal, origin)

    async def _prepare(self, call: Call) -> PreparedCall:
        """Prepare a call, in a worker thread if its arguments are large."""
        deadline = self.deadline_for(call)
        if not is_large(call.arguments):  # as `run_by_size`, without its closure for every small call
            return self.prepare(call, deadline)
        return await run_in_worker(call.principal.id, lambda: self.prepare(call, deadline))

    def prepare(self, call: Call, deadline: Deadline = NO_DEADLINE) -> PreparedCall:
        """Take steps 1 to 3: find the operation, check the arguments, build the request.

        Args:
            deadline: of a call that has none of its own.

        Raises:
            SaasusMcpError: there is no such tool, or the arguments do not fit it.
        """
        return prepare_call(self.catalogue.find(call.name), call, self.client.secrets, deadline)
