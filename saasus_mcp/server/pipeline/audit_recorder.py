"""Steps 6 and 9 of a call: commit it to the store before it is sent, and record its end. Also records refusals."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Destination, Proof
from saasus_mcp.permissions.policy.budgets import budget_charges
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.audit_records import call_record, outcome_record, rejected_call_record
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_observer import CallObserver
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.scheduling.store_executor import StoreExecutor
from saasus_mcp.store import (
    AlreadyUsed,
    BudgetExceeded,
    CallOutcome,
    Commitment,
    GrantExpired,
    StoreError,
    WritesFrozen,
    WrongKey,
)

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)


class AuditRecorder:
    """Commits calls and jobs to the store, and records how they end or why they are refused.

    Args:
        open_store: called for every access; the first call opens the store.
        policy: sets the ceilings of the budgets.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        policy: Policy,
        destination: Destination,
        *,
        observer: CallObserver,
        clock: Callable[[], float],
        store_executor: StoreExecutor,
    ) -> None:
        self._open_store = open_store
        self._policy = policy
        self._destination = destination
        self._observer = observer
        self._clock = clock
        self._run = store_executor

    async def commit(self, id: str, record: Mapping[str, Any], proof: Proof | None, commitment: Commitment) -> None:
        """Use up the proof, take the budget and write the audit record of a call or job, in one transaction.

        Raises:
            StoreError: nothing was committed.
        """
        use, now = proof.use if proof else None, self._clock()
        await self._run(lambda: self._open_store().commit(id, record, now, use, commitment=commitment))

    async def commit_call(self, call: PreparedCall) -> ToolAnswer | None:
        """Commit a call. Return an answer if it must not be sent."""
        operation = call.operation
        commitment = Commitment(
            writes=not operation.reads,
            profile=self._destination.profile,
            charges=budget_charges(
                self._policy.ceilings,
                operation,
                call.principal,
                call.inspection.impact.affected_users,
                asked=call.proof is not None,
                granted=call.job_step is not None,
            ),
            undo_entry=verification.undo_entry(call, self._destination, self._clock()),
            undoes=(call.undo_ref.entry.call, call.undo_ref.number) if call.undo_ref else None,
            claim=job_grants.grant_claim(call),
        )
        try:
            await self.commit(call.id, call_record(call, self._destination, self._policy), call.proof, commitment)
        except (AlreadyUsed, GrantExpired, WritesFrozen, BudgetExceeded) as error:
            await self.record_refusal(call, error.reason)
            return replace(failed_answer(error.message, error.hint), why=error.reason)
        except StoreError as error:
            if not operation.reads or isinstance(error, WrongKey):
                return replace(failed_answer(error.message, error.hint), why="store")
            log.warning("a read was not audited: %s", error.message)
        self._observer.call_started(operation)
        return None

    async def record_end(self, call: PreparedCall, answer: ToolAnswer, seconds: float) -> None:
        """Record the answer of a committed call."""
        self._observer.call_ended(call.operation, answer, seconds)
        record, outcome = outcome_record(answer, seconds), None
        if not call.operation.reads:
            step = job_grants.step_outcome(call.job_step, answer)
            outcome = CallOutcome(answer.applied != Outcome.NOT_APPLIED, answer.structured, step)
        try:
            await self._run(lambda: self._open_store().finish_call(call.id, record, self._clock(), outcome))
        except StoreError as error:
            log.error("the end of call %s could not be audited: %s %s", call.id, error.message, json.dumps(record))  # noqa: TRY400 - the record matters, not the trace

    async def record_refusal(self, call: PreparedCall, reason: str) -> None:
        """Record that a prepared call was not sent."""
        self._observer.call_refused(call.operation.key, reason)
        await self.write_refusal(call.id, call_record(call, self._destination, self._policy), reason)

    async def record_rejected_call(self, call: Call, error: SaasusMcpError) -> None:
        """Record a call that was not prepared, because it has no such tool or its arguments do not fit."""
        record = rejected_call_record(call, self._destination, error)
        self._observer.call_refused("", record["refused"])
        await self.write_refusal(secrets.token_hex(16), record, record["refused"])

    async def write_refusal(self, id: str, record: Mapping[str, Any], reason: str) -> None:
        """Write the record of a refused call or job. A store that fails cannot turn a refusal into something else."""
        refused = {**record, "refused": reason}
        try:
            await self._run(lambda: self._open_store().record_refusal(id, refused, self._clock()))
        except StoreError as error:
            log.warning("a refusal could not be audited: %s", error.message)
