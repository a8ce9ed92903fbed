"""Steps 6 to 9 of a call: committed to, sent once, shaped, ended. Nothing reaches the API but from here."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.inspection.target import ApiReader, secret_values
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.saasus import request as building
from saasus_mcp.saasus.client import NO_TIME, NO_TIME_HINT, ApiClient, RetryObserver, SendFailed
from saasus_mcp.saasus.redaction import STRONG, KnownSecrets
from saasus_mcp.saasus.secret_names import REMOVED
from saasus_mcp.saasus.tool_answer import ToolAnswer, build_answer, failed_answer, not_sent_answer
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.audit_recorder import AuditRecorder
from saasus_mcp.server.pipeline.prepared_call import PreparedCall, append_changes
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.scheduling.fair_queue import READ_WAIT_SECONDS, WRITE_WAIT_SECONDS, FairQueue, Slot, TooManyCalls
from saasus_mcp.server.scheduling.processor_turns import release_turn
from saasus_mcp.server.scheduling.store_executor import StoreExecutor
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.permissions.approval.proof import Destination

log = logging.getLogger(__name__)

JOB_QUEUE_PREFIX = "jobs of "
"""Before the id of a principal: whom the steps of its jobs wait as."""


class CallSender:
    """Sends what has come so far.

    Args:
        handles: the secrets behind the handles in arguments; opens the store.
        reader: what may be read for a call, to see what became of it.
        calls: whose turn it is at the API.
    """

    def __init__(
        self,
        client: ApiClient,
        ledger: AuditRecorder,
        place: Destination,
        *,
        handles: Callable[[], SecretVault],
        reader: Callable[[PreparedCall], ApiReader],
        call_queue: FairQueue,
        language: Language,
        clock: Callable[[], float],
        store_executor: StoreExecutor,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._place = place
        self._handles = handles
        self._reader = reader
        self._calls = call_queue
        self._language = language
        self._clock = clock
        self._aside = store_executor

    async def send(self, step: PreparedCall) -> ToolAnswer:
        """Steps 6 to 9, as soon as the caller may have another call at the API. Until then nothing is used up."""
        who = step.principal.id
        try:
            # Jobs wait apart: their steps are few at a time, and must not fail because their owner is busy.
            slot = await self._slot(who if step.job_step is None else JOB_QUEUE_PREFIX + who, _patience(step))
        except TooManyCalls as busy:
            await self._ledger.record_refusal(step, "busy")
            return replace(failed_answer(busy.message, busy.hint), why="busy")
        if not step.deadline.seconds_left():
            slot.release()
            await self._ledger.record_refusal(step, "late")
            return replace(failed_answer(NO_TIME, NO_TIME_HINT), why="late")
        with slot:
            return await self._sent(step, slot)

    async def _sent(self, step: PreparedCall, slot: Slot) -> ToolAnswer:
        """Steps 6 to 9. What was begun is ended, also where the client goes away in between."""
        held_back = await self._ledger.commit(step)
        if held_back is not None:
            return held_back
        start = self._clock()
        given = failed_answer("The call was cancelled before it was answered.", applied=_doubt(step), trace_id=step.id)
        try:
            with anyio.CancelScope(shield=not step.operation.reads):
                given = await self._exchanged(step)
                slot.release()  # the reads that follow take their own
                given = append_changes(
                    step, await verification.verify_outcome(step, given, self._reader(step)), self._language
                )
        except Exception:
            log.exception("call %s failed inside the server", step.id)
            given = failed_answer("The server failed while it made this call.", applied=_doubt(step), trace_id=step.id)
        finally:
            await self._ledger.record_end(step, given, self._clock() - start)
        return given

    async def _exchanged(self, step: PreparedCall) -> ToolAnswer:
        """Steps 7 and 8: the one send, and what came of it."""
        who, profile = step.principal.id, self._place.profile
        try:
            resolved = await self._aside(lambda: self._handles().resolve(step.arguments, who, profile))
            request = step.request if resolved is step.arguments else building.build_request(step.operation, resolved)
        except SaasusMcpError as error:
            return failed_answer(error.message, error.hint, trace_id=step.id)
        try:
            async with release_turn():
                deadline = step.deadline if step.operation.reads else step.deadline.for_send()
                response = await self._client.send(
                    step.operation, request, step.id, deadline=deadline, on_retry=_between(step)
                )
        except SendFailed as failure:
            return not_sent_answer(failure, step.id)
        known = self._client.secrets.with_texts(secret_values(step.operation, resolved.values))
        if known.within(response.trace_id):
            response = replace(response, trace_id=step.id)
        hiding = SecretCollector()
        hide = hiding.add if step.is_visible else _removed
        shaped = partial(build_answer, step.operation, response, hide, known)
        large = len(response.body) > worker_threads.LARGE_BYTES or worker_threads.is_large(resolved.values)
        given = await worker_threads.run_in_worker(who, shaped) if large else shaped()
        if hiding.collected:
            try:
                origin = {"operation": step.operation.key, "call": step.id}
                lifetime = job_grants.secret_lifetime(step.job_step)
                await self._aside(lambda: self._handles().store_secrets(hiding, who, profile, lifetime, **origin))
            except StoreError:
                log.warning("the secrets of call %s could not be kept: their handles cannot be revealed", step.id)
        return given

    async def secrets(self, step: PreparedCall) -> KnownSecrets:
        """The longer secrets among a step's arguments, those behind its handles included where these still hold.

        Short ones would also be found in names that have nothing to do with them.
        """
        arguments = step.arguments
        try:
            who, profile = step.principal.id, self._place.profile
            if arguments.handles():
                arguments = await self._aside(lambda: self._handles().resolve(step.arguments, who, profile))
        except SaasusMcpError:
            log.info("a secret handle of call %s no longer holds", step.id)
        return KnownSecrets(text for text in secret_values(step.operation, arguments.values) if len(text) >= STRONG)

    async def _slot(self, who: str, patience: float) -> Slot:
        """Wait for a slot for a call at the API, without the request's turn: calls that have a slot need turns to go on."""
        slot: Slot | None = None
        try:
            async with release_turn():
                slot = await self._calls.acquire(who, patience)
        except BaseException:  # the client went away while the turn was waited for again
            if slot is not None:
                slot.release()
            raise
        return slot


def _patience(step: PreparedCall) -> float:
    """Seconds for which a call waits behind others of its caller; at most half the time that it has left."""
    wait = READ_WAIT_SECONDS if step.operation.reads else WRITE_WAIT_SECONDS
    return min(wait if step.job_step is None else math.inf, step.deadline.seconds_left() / 2)


def _between(step: PreparedCall) -> RetryObserver:
    """Tells the client, between two attempts of a read, that the call goes on."""

    async def tell(number: int, most: int, reason: str) -> None:
        await step.progress(None, None, f"{step.operation.tool}: attempt {number} of {most} failed ({reason})")

    return tell


def _doubt(step: PreparedCall) -> Outcome:
    """What is known of a call whose end was not seen."""
    return Outcome.NOT_APPLIED if step.operation.reads else Outcome.UNKNOWN


def _removed(_: str) -> str:
    """What a read that nobody asked for shows of a secret: there is no one to reveal it to."""
    return REMOVED
