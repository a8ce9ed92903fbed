"""Steps 6 and 9 of a call, and the refusals: what lets it go, and what the audit is told of it."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.budgets import budget_charges
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_observer import CallObserver
from saasus_mcp.server.pipeline.prepared_call import PreparedCall, call_record, outcome_record, rejected_call_record
from saasus_mcp.server.scheduling.store_executor import StoreExecutor
from saasus_mcp.store import AlreadyUsed, BudgetExceeded, CallOutcome, Commitment, StoreError, WritesFrozen, WrongKey

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)


class AuditRecorder:
    """The store as calls see it.

    Args:
        store: opened by the first call.
        policy: whose ceilings hold.
        aside: waits for the store.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        policy: Policy,
        place: Destination,
        *,
        observer: CallObserver,
        clock: Callable[[], float],
        store_executor: StoreExecutor,
    ) -> None:
        self._store = store
        self._policy = policy
        self._place = place
        self._watch = observer
        self._clock = clock
        self._aside = store_executor

    async def commit(self, step: PreparedCall) -> ToolAnswer | None:
        """Let a call go: its proof used up, its audit begun. An answer where it may not go after all."""
        operation, now = step.operation, self._clock()
        affected, asked, of_job = (
            step.inspection.impact.affected_users,
            step.proof is not None,
            step.job_step is not None,
        )
        commitment = Commitment(
            writes=not operation.reads,
            profile=self._place.profile,
            charges=budget_charges(
                self._policy.ceilings, operation, step.principal, affected, asked=asked, granted=of_job
            ),
            undo_entry=verification.undo_entry(step, self._place, now),
            undoes=(step.undo_ref.entry.call, step.undo_ref.number) if step.undo_ref else None,
            claim=job_grants.grant_claim(step),
        )
        record, spend = call_record(step, self._place, self._policy), step.proof.use if step.proof else None
        try:
            await self._aside(lambda: self._store().commit(step.id, record, now, spend, commitment))
        except (AlreadyUsed, WritesFrozen, BudgetExceeded) as held_back:
            why = held_back.reason
            await self.record_refusal(step, why)
            return replace(failed_answer(held_back.message, held_back.hint), why=why)
        except StoreError as error:
            if not operation.reads or isinstance(error, WrongKey):
                return replace(failed_answer(error.message, error.hint), why="store")
            log.warning("a read was not audited: %s", error.message)
        self._watch.call_started(operation)
        return None

    async def record_end(self, step: PreparedCall, given: ToolAnswer, seconds: float) -> None:
        """Note how a call that went has ended."""
        self._watch.call_ended(step.operation, given, seconds)
        record = outcome_record(given, seconds)
        changed = given.applied != "not_applied"
        ending = (
            None
            if step.operation.reads
            else CallOutcome(changed, given.structured, job_grants.step_ending(step.job_step, given))
        )
        try:
            await self._aside(lambda: self._store().finish_call(step.id, record, self._clock(), ending))
        except StoreError as error:
            log.error("the end of call %s could not be audited: %s %s", step.id, error.message, json.dumps(record))  # noqa: TRY400 - the record matters, not the trace

    async def record_refusal(self, step: PreparedCall, why: str) -> None:
        """Note that a call did not go, and why."""
        await self._note(step.id, {**call_record(step, self._place, self._policy), "refused": why})

    async def record_rejected_call(self, call: Call, error: SaasusMcpError) -> None:
        """Note a call that never became one: no such tool, or arguments that do not fit."""
        await self._note(secrets.token_hex(16), rejected_call_record(call, self._place, error))

    async def _note(self, call: str, refused: dict[str, Any]) -> None:
        self._watch.call_refused(refused.get("operation", ""), refused["refused"])
        try:
            await self._aside(lambda: self._store().record_refusal(call, refused, self._clock()))
        except StoreError as error:
            log.warning("a refusal could not be audited: %s", error.message)
