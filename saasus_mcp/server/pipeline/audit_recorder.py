"""Steps 6 and 9 of a call: commit it to the store before it is sent, and record its end or its refusal. No record has a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from saasus_mcp.catalog import UnknownTool
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.awaited import AwaitedApproval
from saasus_mcp.permissions.approval.proof import Destination, Proof
from saasus_mcp.permissions.policy.budgets import budget_costs
from saasus_mcp.permissions.policy.model import Decision, Policy, Principal
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import job_grants, verification
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.context import PipelineContext
from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall
from saasus_mcp.server.scheduling.processor_turns import release_turn
from saasus_mcp.store.errors import (
    AlreadyUsed,
    BudgetExceeded,
    GrantExpired,
    StoreError,
    StoreUnavailable,
    WritesFrozen,
    WrongKey,
)
from saasus_mcp.store.records import CallOutcome, Commitment

log = logging.getLogger(__name__)

END_SECONDS = 5.0
"""For which the end of a write waits for a database that restarts, and its answer with it."""
END_RETRY_SECONDS = 0.25
WAITING_RETRY_SECONDS = 0.05
"""Between two attempts to record what waits. Each may block the event loop, so others get their turn between them."""
MAX_AUDITED_NAME = 80
"""Characters of a name that a client sent."""
MAX_CHANGES = 20
"""Lines of the changes since an approval, in the audit record and in the answer."""


@dataclass(frozen=True, slots=True)
class AuditRecorder:
    """Commits calls and jobs to the store, and records how they end or why they are refused."""

    context: PipelineContext

    async def commit(
        self, id: str, record: Mapping[str, Any], proof: Proof | None, commitment: Commitment | None
    ) -> None:
        """Use up the proof, take the budget and write the audit record of a call or job, in one transaction.

        The record of a read that takes nothing waits for those of other reads while other calls are in progress: see `wait_for_begin`.

        Raises:
            StoreError: nothing was committed, unless `StoreError.may_have_written` is true.
        """
        use, now, store = proof.use if proof else None, self.context.clock(), self.context.store
        takes_nothing = proof is None and commitment is None
        if takes_nothing and self.context.call_queue.is_shared and self._record_soon(store.begin_read_soon, id, record):
            return
        try:
            if commitment is not None and commitment.claim is not None and (group := self.context.write_group):
                within = partial(store.commit_within, call=id, record=record, at=now, proof=use, commitment=commitment)
                await group.run(within, durable=True)
            else:
                await self.context.store_executor(lambda: store.commit(id, record, now, use, commitment=commitment))
        except WritesFrozen as error:
            error.hint = _freeze_hint(error, self.context)
            raise

    async def commit_call(self, call: PreparedCall, authorized: Authorized) -> ToolAnswer | None:
        """Commit a call. Return an answer if it must not be sent."""
        record = _call_record(call, authorized, self.context)
        try:
            await self.commit(call.id, record, authorized.proof, self._commitment(call, authorized))
        except (AlreadyUsed, GrantExpired, WritesFrozen, BudgetExceeded) as error:
            await self.record_refusal(call, authorized, error.reason)
            return failed_answer(error.message, error.hint, why=error.reason)
        except StoreError as error:
            # A read that uses up a proof or a step of a job waits too: either could be sent again.
            uses_up = authorized.proof is not None or job_grants.grant_claim(call) is not None
            if not call.operation.reads or uses_up or isinstance(error, WrongKey):
                answer = _uncommitted_answer(error, authorized.proof)
                if error.may_have_written and call.job_step is None:  # a job looks for itself what became of its step
                    await self._write_end(call, answer, 0.0)  # so that an undo or a budget does not stay taken
                return answer
            log.warning("a read was not audited: %s", error.message)
        self.context.observer.call_started(call.operation)
        return None

    async def wait_for_begin(self, call: PreparedCall) -> None:
        """Return when the begin of a committed call is recorded. That of a read may wait for the end of this turn of the event loop."""
        if call.operation.reads and self.context.store.has_waiting_records:
            await asyncio.sleep(0)

    def _record_soon(
        self, record_soon: Callable[[str, Mapping[str, Any], float], int], id: str, record: Mapping[str, Any]
    ) -> bool:
        """Record in the next turn of the event loop, with all others of this turn. Return False if it must be recorded at once."""
        waiting = record_soon(id, record, self.context.clock())
        if waiting == 1:
            asyncio.get_running_loop().call_soon(self._record_waiting)
        return waiting > 0

    def _record_waiting(self) -> None:
        """Record what waits, and what is left because another thread was writing for too long, a little later."""
        self.context.store.record_waiting()
        if self.context.store.has_waiting_records:
            asyncio.get_running_loop().call_later(WAITING_RETRY_SECONDS, self._record_waiting)

    def _commitment(self, call: PreparedCall, authorized: Authorized) -> Commitment | None:
        """Return what a call commits beside its record and its proof, or None if that is nothing.

        It is nothing for a read, unless the read is a step of a job or undoes a call: each can be made only once.
        """
        operation = call.operation
        claim = None if call.job_step is None else job_grants.grant_claim(call)
        if operation.reads and claim is None and call.undo_ref is None:
            return None
        inspection = authorized.inspection
        return Commitment(
            writes=not operation.reads,
            profile=self.context.destination.profile,
            costs=budget_costs(
                self.context.policy.ceilings,
                operation,
                call.principal,
                inspection.impact.affected_users,
                asked=authorized.proof is not None,
                granted=call.job_step is not None,
            ),
            undo_entry=verification.undo_entry(call, inspection, self.context.destination, self.context.clock()),
            undoes=(call.undo_ref.entry.call, call.undo_ref.number) if call.undo_ref else None,
            claim=claim,
        )

    async def record_end(self, call: PreparedCall, answer: ToolAnswer, seconds: float) -> None:
        """Record the answer of a committed call."""
        self.context.observer.call_ended(call.operation, answer, seconds)
        await self._write_end(call, answer, seconds)

    async def _write_end(self, call: PreparedCall, answer: ToolAnswer, seconds: float) -> None:
        record, outcome = _outcome_record(answer, seconds), None
        if not call.operation.reads:
            step = job_grants.step_outcome(call.job_step, answer, self.context.language)
            outcome = CallOutcome(answer.applied != Outcome.NOT_APPLIED, answer.structured, step)
        store = self.context.store
        if outcome is None and self._record_soon(store.finish_read_soon, call.id, record):
            return  # it is recorded after the answer
        at = self.context.clock()
        try:
            if outcome is not None and outcome.step is not None and (group := self.context.write_group):
                await group.run(partial(store.finish_within, call=call.id, record=record, at=at, outcome=outcome))
            else:
                await self.context.store_executor(lambda: store.finish_call(call.id, record, at, outcome))
        except StoreError as error:
            restarts = outcome is not None and isinstance(error, StoreUnavailable)
            if not (restarts and await self._record_end_later(call.id, record, at, outcome)):
                log.error("the end of call %s could not be audited: %s %s", call.id, error.message, json.dumps(record))  # noqa: TRY400 - the record matters, not the trace

    async def _record_end_later(
        self, id: str, record: Mapping[str, Any], at: float, outcome: CallOutcome | None
    ) -> bool:
        """Record the end of a write when the database is back, as only this process knows it. Return False if it stays away."""
        until = anyio.current_time() + END_SECONDS
        with anyio.CancelScope(shield=True):
            while anyio.current_time() < until:
                async with release_turn():
                    await anyio.sleep(END_RETRY_SECONDS)
                with suppress(StoreError):
                    await self.context.store_executor(
                        lambda: self.context.store.finish_call(id, record, at, outcome, again=True)
                    )
                    return True
        return False

    async def record_refusal(
        self, call: PreparedCall, authorized: Authorized, reason: str, awaited: AwaitedApproval | None = None
    ) -> None:
        """Record that a prepared call was not sent, with who consented to it or the code of the approval that it waits for."""
        self.context.observer.call_refused(call.operation.key, reason)
        record = _call_record(call, authorized, self.context)
        await self.write_refusal(call.id, record, reason, awaited)

    async def record_rejected_call(self, call: Call, error: SaasusMcpError) -> None:
        """Record a call that was not prepared, because it has no such tool or its arguments do not fit."""
        record = _rejected_call_record(call, self.context.destination, error)
        self.context.observer.call_refused("", record["refused"])
        await self.write_refusal(secrets.token_hex(16), record, record["refused"])

    async def write_refusal(
        self, id: str, record: Mapping[str, Any], reason: str, awaited: AwaitedApproval | None = None
    ) -> None:
        """Write the record of a refused call or job, with the code of the approval that it waits for.

        A store that fails cannot turn a refusal into something else.
        """
        code = {} if awaited is None else {"code": awaited.approval.code}
        refused = {**record, **code, "refused": reason}
        try:
            await self.context.store_executor(
                lambda: self.context.store.record_refusal(id, refused, self.context.clock())
            )
        except StoreError as error:
            log.warning("a refusal could not be audited: %s", error.message)


def _freeze_hint(error: WritesFrozen, context: PipelineContext) -> Message:
    """Return who can lift a freeze, and where."""
    command, url = error.command, context.console_url()
    if not context.is_hosted:
        here = message("store.frozen_here_hint", command=command, url=url)
        return here if url else message("store.frozen_hint", command=command)
    if url and error.profile:
        return message("store.frozen_hosted_hint", command=command, url=url)
    return message("store.frozen_server_hint", command=command)


def _uncommitted_answer(error: StoreError, proof: Proof | None) -> ToolAnswer:
    """Return the answer of a call that was not sent because the store failed. A consent may have been used up all the same."""
    if not error.may_have_written or proof is None:
        return failed_answer(error.message, error.hint, why="store")
    perhaps_used = message("server.consent_perhaps_used", why=error)
    return failed_answer(perhaps_used, message("server.consent_perhaps_used_hint"), why="store")


def _call_record(call: PreparedCall, authorized: Authorized, context: PipelineContext) -> dict[str, Any]:
    """Return the record of a call before it is sent: who, what, where, by which rule and with whose consent."""
    record: dict[str, Any] = {
        "operation": call.operation.key,
        **_caller(call.principal, context.destination),
        "groups": sorted(call.principal.groups),
        "arguments": call.redacted_arguments(),
        **_authorization(authorized.decision, authorized.proof, context.policy),
    }
    if call.reason:
        record["stated_reason"] = call.reason
    if authorized.changes:
        record["since"] = list(authorized.changes[:MAX_CHANGES])
    if authorized.inspection.impact.findings:
        record["impact"] = dict(authorized.inspection.impact.counts)
    if call.parent:
        record["parent"] = call.parent
    if call.job_step is not None and call.job_step.step:
        record["step"] = call.job_step.step
    if call.undo_ref is not None:
        record["undoes"] = call.undo_ref.entry.call
    return record


def job_record(
    name: str, principal: Principal, context: PipelineContext, decision: Decision, proof: Proof | None, **details: Any
) -> dict[str, Any]:
    """Return the record of a job before it starts. `details` are the arguments, the plan and the steps."""
    groups = {"groups": sorted(principal.groups)} if principal.groups else {}
    authorization = _authorization(decision, proof, context.policy)
    return {"operation": name, **_caller(principal, context.destination), **groups, **details, **authorization}


def _authorization(decision: Decision, proof: Proof | None, policy: Policy) -> dict[str, Any]:
    """Return the members that say why a call or job may happen, and with whose consent."""
    record = {"decision": decision.outcome, "rule": decision.rule, "reason": str(decision.reason)}
    if proof is not None:
        used = {"proof": proof.use.kind, "proof_id": proof.use.id}
        record |= {**used, "by": proof.by, "shown": proof.question_digest}
    if policy.announcement:
        record["announcement"] = policy.announcement
    return record


def _rejected_call_record(call: Call, destination: Destination, error: SaasusMcpError) -> dict[str, Any]:
    """Return the record of a call that was not prepared. It contains no argument, because none was checked for secrets."""
    record: dict[str, Any] = {
        "tool": visible_text(call.name[:MAX_AUDITED_NAME]),
        **_caller(call.principal, destination),
        "refused": _rejection_reason(error),
    }
    if isinstance(error, InvalidArguments):
        record["field"] = visible_text(error.field[:MAX_AUDITED_NAME])
    return record


def _outcome_record(answer: ToolAnswer, seconds: float) -> dict[str, Any]:
    """Return the record of a finished call."""
    return {
        "ok": answer.ok,
        "applied": str(answer.applied),  # an enumeration is slow to encode
        "status": answer.status,
        "trace_id": answer.trace_id,
        "ms": round(seconds * 1000, 1),
    }


def _caller(principal: Principal, destination: Destination) -> dict[str, Any]:
    record: dict[str, Any] = {
        "principal": principal.id,
        **principal.person.to_audit(),
        "profile": destination.profile,
        "saas_id": destination.saas_id,
    }
    if principal.is_narrowed:
        record["narrowing"] = principal.narrowing.to_audit()
    return record


def _rejection_reason(error: SaasusMcpError) -> str:
    if isinstance(error, CallRefused | StoreError):
        return error.reason
    return "unknown_tool" if isinstance(error, UnknownTool) else "invalid_arguments"
