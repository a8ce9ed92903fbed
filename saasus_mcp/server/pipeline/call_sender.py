"""Steps 6 to 9 of a call: commit, send once, read the response, record the end. Nothing else calls the API."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import partial

import anyio

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.secret_vault import SECRET_LIFETIME, SecretCollector
from saasus_mcp.saasus.client import NO_TIME, NO_TIME_HINT, RetryObserver, SendFailed
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.secret_paths import redact, secret_values
from saasus_mcp.saasus.tool_answer import ToolAnswer, build_answer, failed_answer, not_sent_answer
from saasus_mcp.server.pipeline import verification
from saasus_mcp.server.pipeline.audit_recorder import MAX_CHANGES, AuditRecorder
from saasus_mcp.server.pipeline.call_authorization import CallAuthorizer
from saasus_mcp.server.pipeline.context import PipelineContext
from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall
from saasus_mcp.server.results.result_store import RESULT_LIFETIME
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.scheduling.fair_queue import READ_WAIT_SECONDS, WRITE_WAIT_SECONDS, Slot, job_queue
from saasus_mcp.server.scheduling.processor_turns import release_turn
from saasus_mcp.store.errors import StoreError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallSender:
    """Sends authorized calls.

    Attributes:
        authorizer: decides again if another policy came into force since the decision.
    """

    context: PipelineContext
    recorder: AuditRecorder
    authorizer: CallAuthorizer

    async def send(self, call: PreparedCall, authorized: Authorized, read: ApiReader) -> ToolAnswer:
        """Send a call when its principal gets a slot. Nothing is used up before.

        If another policy came into force since the decision, the call is decided on again, without a slot: its reads take their own.

        Args:
            read: makes the internal reads of the call.
        """
        try:
            while True:
                with await self._acquire_slot(call) as slot:
                    if not call.deadline.seconds_left():
                        raise CallRefused(Reason.LATE, NO_TIME, NO_TIME_HINT)  # noqa: TRY301 - refused as below
                    if self.context.policy.generation == authorized.generation:
                        return await self._send(call, authorized, read, slot)
                authorized = await self.authorizer.decide_again(call, authorized, read)
        except CallRefused as refusal:
            await self.recorder.record_refusal(call, authorized, refusal.reason)
            return failed_answer(refusal.message, refusal.hint, why=refusal.reason)

    async def _send(self, call: PreparedCall, authorized: Authorized, read: ApiReader, slot: Slot) -> ToolAnswer:
        """Take steps 6 to 9. A committed call is always ended, even if the client goes away."""
        refusal = await self.recorder.commit_call(call, authorized)
        if refusal is not None:
            return refusal
        started = self.context.clock()
        answer: ToolAnswer | None = None
        refusals = 0
        try:
            await self.recorder.wait_for_begin(call)
            answer = await self._exchange(call)
            slot.release()  # the reads that verify the outcome take their own slots
            # After a 429 the API has done nothing, so the same request may be sent again. The process can stop meanwhile.
            while answer.is_rate_limited and call.on_rate_limit is not None:
                generation = self.context.policy.generation
                given_up = await call.on_rate_limit(call, authorized, answer, refusals)
                if given_up is not None:
                    answer = given_up
                    break
                with await self._acquire_slot(call):
                    if not await self._may_send_again(call, generation):
                        answer = replace(answer, retry_after=0.0)  # to be decided on again, without another wait
                        continue
                    refusals += 1
                    answer = None
                    answer = await self._exchange(call)
            if answer.applied == Outcome.UNKNOWN:
                with anyio.CancelScope(shield=True):
                    answer = await verification.verify_outcome(call, answer, read, authorized.inspection.before)
            answer = self._append_changes(authorized.changes, answer)
        except CallRefused as error:  # the API did not serve the request, and it may not be sent again
            answer = failed_answer(error.message, error.hint, trace_id=call.id, why=error.reason)
            answer = self._append_changes(authorized.changes, answer)
        except Exception:
            log.exception("call %s failed inside the server", call.id)
            answer = _unseen_answer(call, "server.failed", answer)
        finally:
            # No cancellation comes between: the store either answers at once or shields its thread.
            ended = answer if answer is not None else _unseen_answer(call, "server.cancelled")
            await self.recorder.record_end(call, ended, self.context.clock() - started)
        return answer

    async def _may_send_again(self, call: PreparedCall, generation: int) -> bool:
        """Return whether policy and freeze are as they were before a committed call waited for its slot."""
        if self.context.policy.generation != generation:
            return False
        return call.operation.reads or not await self.authorizer.is_frozen()

    async def _exchange(self, call: PreparedCall) -> ToolAnswer:
        """Take steps 7 and 8. A write is not cut off."""
        if call.operation.reads:
            return await self._exchange_once(call)
        with anyio.CancelScope(shield=True):
            answer = await self._exchange_once(call)
        return answer  # noqa: RET504 - for mypy, a context may swallow what leaves its block

    async def _exchange_once(self, call: PreparedCall) -> ToolAnswer:
        """Resolve secret handles, send the request, and turn the response into an answer.

        Raises:
            CallRefused: the API did not serve the request, and the caller's token was revoked before the next attempt.
        """
        operation, principal = call.operation, call.principal.id
        arguments, request = call.arguments, call.request
        if operation.secret_inputs:  # no other argument can be a handle
            try:
                arguments = await self.context.store_executor(
                    lambda: self.context.vault.resolve(call.arguments, principal, self.context.destination.profile)
                )
                if arguments is not call.arguments:
                    request = build_request(operation, arguments)
            except SaasusMcpError as error:
                return failed_answer(error.message, error.hint, trace_id=call.id)
        try:
            async with release_turn():
                deadline = call.deadline if operation.reads else call.deadline.for_send()
                response = await self.context.client.send(
                    operation,
                    request,
                    call.id,
                    deadline=deadline,
                    on_retry=_retry_observer(call),
                    may_retry=lambda: self.authorizer.require_not_revoked(call.principal),
                )
        except SendFailed as failure:
            return not_sent_answer(failure, call.id)
        known = self.context.client.secrets.with_texts(secret_values(operation, arguments))
        if response.trace_id != call.id and known.within(response.trace_id):
            response = replace(response, trace_id=call.id)
        collector = SecretCollector()
        hide = collector.add if call.is_visible else redact
        shape = partial(build_answer, operation, response, hide, known, call.redacted_arguments)
        is_large = len(response.body) > worker_threads.LARGE_BYTES
        is_large = is_large or (bool(operation.secret_inputs) and worker_threads.is_large(arguments))
        answer = await worker_threads.run_in_worker(principal, shape) if is_large else shape()
        if collector.collected:
            await self._store_secrets(call, collector)
        return answer

    async def _store_secrets(self, call: PreparedCall, collector: SecretCollector) -> None:
        origin = {"operation": call.operation.key, "call": call.id}
        lifetime = SECRET_LIFETIME if call.job_step is None else RESULT_LIFETIME  # they must outlive the job
        try:
            await self.context.store_executor(
                lambda: self.context.vault.store_secrets(
                    collector, call.principal.id, self.context.destination.profile, lifetime, **origin
                )
            )
        except StoreError:
            log.warning("the secrets of call %s could not be stored: their handles cannot be revealed", call.id)

    def _append_changes(self, changes: tuple[str, ...], answer: ToolAnswer) -> ToolAnswer:
        """Add the lines of the question that have changed since the approval."""
        if not changes:
            return answer
        heading = message("server.changed_since_approval").text(self.context.language)
        note = "\n".join(["", heading, *(f"  {line}" for line in changes[:MAX_CHANGES])])
        return replace(answer, text=answer.text + note, note=answer.note + note)

    async def _acquire_slot(self, call: PreparedCall) -> Slot:
        """Return a slot. While it waits for one, the request's turn is released: calls that have a slot need turns to go on.

        Raises:
            TooManyCalls: no slot was free in time.
            CallRefused: the caller's token was revoked meanwhile.
        """
        name = job_queue(call.principal.id) if call.of_job else call.principal.id
        slot = self.context.call_queue.take_free(name)
        if slot is not None:
            return slot
        try:
            async with release_turn():
                slot = await self.context.call_queue.acquire(name, _max_wait(call))
            await self.authorizer.require_not_revoked(call.principal)
        except BaseException:  # also: the client went away while the request waited for its turn
            if slot is not None:
                slot.release()
            raise
        return slot


def _unseen_answer(call: PreparedCall, id: str, seen: ToolAnswer | None = None) -> ToolAnswer:
    """Return the answer of a committed call that did not end as it should.

    Args:
        seen: the API's answer, whose outcome stays true. Without one, nobody knows whether a write took effect.
    """
    unseen = Outcome.NOT_APPLIED if call.operation.reads else Outcome.UNKNOWN
    applied = unseen if seen is None else seen.applied
    return failed_answer(message(id), applied=applied, trace_id=call.id)


def _max_wait(call: PreparedCall) -> float:
    """Return the seconds for which a call waits for a slot: at most half of the time left. A call of a job can wait."""
    wait = READ_WAIT_SECONDS if call.operation.reads else WRITE_WAIT_SECONDS
    return min(math.inf if call.of_job else wait, call.deadline.seconds_left() / 2)


def _retry_observer(call: PreparedCall) -> RetryObserver:
    async def report(number: int, most: int, reason: str) -> None:
        await call.progress(None, None, f"{call.operation.tool}: attempt {number} of {most} failed ({reason})")

    return report
