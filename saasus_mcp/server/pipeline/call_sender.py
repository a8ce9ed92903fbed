"""Steps 6 to 9 of a call: commit, send once, read the response, record the end. Nothing else calls the API."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

import anyio

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.saasus.client import NO_TIME, NO_TIME_HINT, ApiClient, RetryObserver, SendFailed
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.secret_paths import REMOVED, secret_values
from saasus_mcp.saasus.tool_answer import ToolAnswer, build_answer, failed_answer, not_sent_answer
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.audit_recorder import AuditRecorder
from saasus_mcp.server.pipeline.audit_records import MAX_CHANGES
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.scheduling.fair_queue import READ_WAIT_SECONDS, WRITE_WAIT_SECONDS, FairQueue, Slot, TooManyCalls
from saasus_mcp.server.scheduling.processor_turns import release_turn
from saasus_mcp.server.scheduling.store_executor import StoreExecutor
from saasus_mcp.store import StoreError

log = logging.getLogger(__name__)

JOB_QUEUE_PREFIX = "jobs of "
"""Before the id of a principal, in the name under which the steps of its jobs wait for a slot."""


class CallSender:
    """Sends authorized calls.

    Args:
        vault: opens the store and returns the vault with the secrets behind handles.
        reader_for: returns the function for the internal reads of a call.
        call_queue: the slots for calls at the API.
    """

    def __init__(
        self,
        client: ApiClient,
        recorder: AuditRecorder,
        destination: Destination,
        *,
        vault: Callable[[], SecretVault],
        reader_for: Callable[[PreparedCall], ApiReader],
        call_queue: FairQueue,
        language: Language,
        clock: Callable[[], float],
        store_executor: StoreExecutor,
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._profile = destination.profile
        self._vault = vault
        self._reader_for = reader_for
        self._queue = call_queue
        self._language = language
        self._clock = clock
        self._run = store_executor

    async def send(self, call: PreparedCall) -> ToolAnswer:
        """Send a call when its principal gets a slot. Nothing is used up before."""
        try:
            slot = await self._acquire_slot(_queue_name(call), _max_wait(call))
        except TooManyCalls as error:
            await self._recorder.record_refusal(call, "busy")
            return replace(failed_answer(error.message, error.hint), why="busy")
        if not call.deadline.seconds_left():
            slot.release()
            await self._recorder.record_refusal(call, "late")
            return replace(failed_answer(NO_TIME, NO_TIME_HINT), why="late")
        with slot:
            return await self._send(call, slot)

    async def _send(self, call: PreparedCall, slot: Slot) -> ToolAnswer:
        """Take steps 6 to 9. A committed call is always ended, even if the client goes away."""
        refusal = await self._recorder.commit_call(call)
        if refusal is not None:
            return refusal
        started, read = self._clock(), self._reader_for(call)
        unseen = Outcome.NOT_APPLIED if call.operation.reads else Outcome.UNKNOWN
        answer: ToolAnswer | None = None
        refusals = 0
        try:
            answer = await self._exchange(call)
            slot.release()  # the reads that verify the outcome take their own slots
            # After a 429 the API has done nothing, so the same request may be sent again. The process can stop meanwhile.
            while answer.is_rate_limited and call.on_rate_limit is not None:
                given_up = await call.on_rate_limit(call, answer, refusals)
                if given_up is not None:
                    answer = given_up
                    break
                refusals += 1
                with await self._acquire_slot(_queue_name(call), _max_wait(call)):
                    answer = None
                    answer = await self._exchange(call)
            with _shield(call):
                answer = self._append_changes(call, await verification.verify_outcome(call, answer, read))
        except Exception:
            log.exception("call %s failed inside the server", call.id)
            answer = failed_answer(message("server.failed"), applied=unseen, trace_id=call.id)
        finally:
            with anyio.CancelScope(shield=True):
                ended = answer
                if ended is None:
                    ended = failed_answer(message("server.cancelled"), applied=unseen, trace_id=call.id)
                await self._recorder.record_end(call, ended, self._clock() - started)
        return answer

    async def _exchange(self, call: PreparedCall) -> ToolAnswer:
        """Take steps 7 and 8. A write is not cut off."""
        with _shield(call):
            answer = await self._exchange_once(call)
        return answer  # noqa: RET504 - for mypy, a context may swallow what leaves its block

    async def _exchange_once(self, call: PreparedCall) -> ToolAnswer:
        """Resolve secret handles, send the request, and turn the response into an answer."""
        principal = call.principal.id
        try:
            resolved = await self._run(lambda: self._vault().resolve(call.arguments, principal, self._profile))
            request = call.request if resolved is call.arguments else build_request(call.operation, resolved)
        except SaasusMcpError as error:
            return failed_answer(error.message, error.hint, trace_id=call.id)
        try:
            async with release_turn():
                deadline = call.deadline if call.operation.reads else call.deadline.for_send()
                response = await self._client.send(
                    call.operation, request, call.id, deadline=deadline, on_retry=_retry_observer(call)
                )
        except SendFailed as failure:
            return not_sent_answer(failure, call.id)
        known = self._client.secrets.with_texts(secret_values(call.operation, resolved))
        if response.trace_id != call.id and known.within(response.trace_id):
            response = replace(response, trace_id=call.id)
        collector = SecretCollector()
        hide = collector.add if call.is_visible else _remove
        shape = partial(build_answer, call.operation, response, hide, known)
        is_large = len(response.body) > worker_threads.LARGE_BYTES or worker_threads.is_large(resolved)
        answer = await worker_threads.run_in_worker(principal, shape) if is_large else shape()
        if collector.collected:
            await self._store_secrets(call, collector)
        return answer

    async def _store_secrets(self, call: PreparedCall, collector: SecretCollector) -> None:
        origin, lifetime = (
            {"operation": call.operation.key, "call": call.id},
            job_grants.secret_lifetime(call.job_step),
        )
        try:
            await self._run(
                lambda: self._vault().store_secrets(collector, call.principal.id, self._profile, lifetime, **origin)
            )
        except StoreError:
            log.warning("the secrets of call %s could not be stored: their handles cannot be revealed", call.id)

    def _append_changes(self, call: PreparedCall, answer: ToolAnswer) -> ToolAnswer:
        """Add the lines of the question that have changed since the approval."""
        if not call.changes:
            return answer
        heading = message("server.changed_since_approval").text(self._language)
        note = "\n".join(["", heading, *(f"  {line}" for line in call.changes[:MAX_CHANGES])])
        return replace(answer, text=answer.text + note, note=answer.note + note)

    async def _acquire_slot(self, principal: str, max_wait: float) -> Slot:
        """Wait for a slot, and release the request's turn meanwhile: calls that have a slot need turns to go on."""
        slot: Slot | None = None
        try:
            async with release_turn():
                slot = await self._queue.acquire(principal, max_wait)
        except BaseException:  # the client went away while the request waited for its turn
            if slot is not None:
                slot.release()
            raise
        return slot


def _shield(call: PreparedCall) -> AbstractContextManager[object]:
    return nullcontext() if call.operation.reads else anyio.CancelScope(shield=True)


def _queue_name(call: PreparedCall) -> str:
    """Return the name under which a call waits for a slot.

    Jobs have their own queue: their steps are few at a time, and must not fail because their owner is busy.
    """
    return call.principal.id if call.job_step is None else JOB_QUEUE_PREFIX + call.principal.id


def _max_wait(call: PreparedCall) -> float:
    """Return the seconds for which a call waits for a slot: at most half of the time left."""
    wait = READ_WAIT_SECONDS if call.operation.reads else WRITE_WAIT_SECONDS
    return min(wait if call.job_step is None else math.inf, call.deadline.seconds_left() / 2)


def _retry_observer(call: PreparedCall) -> RetryObserver:
    async def report(number: int, most: int, reason: str) -> None:
        await call.progress(None, None, f"{call.operation.tool}: attempt {number} of {most} failed ({reason})")

    return report


def _remove(_: str) -> str:
    return REMOVED
