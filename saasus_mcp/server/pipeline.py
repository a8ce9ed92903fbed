"""The way of a call, in one direction. Nothing reaches the API that did not come down this page."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from saasus_mcp.catalog import Catalogue, Language, Operation
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.confirmation import Confirmations
from saasus_mcp.permissions.handles import Handles, Hiding
from saasus_mcp.permissions.policy import Decision, Policy, Principal
from saasus_mcp.permissions.proof import Binding, Place, Proof
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.target import Seen, secret_texts, shown_arguments
from saasus_mcp.saasus import arguments as checking
from saasus_mcp.saasus import request as building
from saasus_mcp.saasus.answer import ToolAnswer, answer, failed, unsent, without
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.saasus.client import Applied, Client, SendFailed
from saasus_mcp.saasus.request import Request
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.server.settling import Matter, Settling
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    """What is known of a call once it is decided on."""

    operation: Operation
    arguments: Arguments
    request: Request
    decision: Decision
    principal: Principal
    parent: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(16))


class Pipeline:
    """Runs calls: found, checked, built, decided, settled, committed, sent, shaped, ended."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        policy: Policy,
        client: Client,
        store: Callable[[], Store],
        sealer: Sealer,
        place: Place,
        language: Language = "en",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalogue = catalogue
        self.policy = policy
        self.place = place
        self._client = client
        self._open = store
        self._sealer = sealer
        self._language: Language = language
        self._clock = clock

    @cached_property
    def _store(self) -> Store:
        """Opened by the first call: a client that only lists tools need not wait for a database."""
        return self._open()

    @cached_property
    def _handles(self) -> Handles:
        return Handles(self._store, self._sealer, self._clock)

    @cached_property
    def _settling(self) -> Settling:
        confirmations, approvals = Confirmations(self._sealer), Approvals(self._store)
        return Settling(confirmations, approvals, self.place, language=self._language, clock=self._clock)

    def listed(self, principal: Principal) -> list[Operation]:
        """The operations of which some call could be anything but denied to this principal."""
        return [operation for operation in self.catalogue if self.policy.could_allow(operation, principal)]

    def decide(self, operation: Operation, values: Mapping[str, Any], principal: Principal) -> Decision:
        """Step 4 alone, for people who want to know."""
        return self.policy.decide(operation, values, principal)

    async def run(self, call: Call) -> ToolAnswer | Asking:
        """The answer of a call, or the question that a person must answer first.

        Raises nothing that a client could cause: every refusal and failure is an answer.
        """
        try:
            operation = self.catalogue.find(call.name)
            step = self._decided(operation, checking.check(operation, call.arguments), call.principal)
        except SaasusMcpError as error:
            return failed(error.message, error.mend)
        try:
            proof = await self._settled(step, call)
        except Refused as refusal:
            self._note_refusal(step, refusal)
            return failed(refusal.message, refusal.mend)
        except SaasusMcpError as error:
            return failed(error.message, error.mend)
        if isinstance(proof, Asking):
            return proof
        return await self._send(step, proof)

    def _decided(self, operation: Operation, arguments: Arguments, principal: Principal, parent: str = "") -> _Step:
        request = building.build(operation, arguments)
        decision = self.policy.decide(operation, arguments.values, principal)
        return _Step(operation, arguments, request, decision, principal, parent)

    async def _settled(self, step: _Step, call: Call) -> Proof | Asking | None:
        """Step 5: None where no yes is needed."""
        if step.decision.outcome == "deny":
            raise Refused(
                "denied", f"{step.operation.tool} is not allowed: {step.decision.reason}.", "Do not try again."
            )
        if step.decision.outcome == "allow":
            return None

        async def read(key: str, args: Mapping[str, Any]) -> Seen:
            return await self._read(key, args, step)

        binding = Binding(
            step.operation.key, step.request.digest(), step.principal.id, self.place.profile, self.place.saas_id
        )
        matter = Matter(step.operation, step.arguments.values, step.decision, binding, call.asker, call.reply, read)
        return await self._settling.settle(matter)

    async def _read(self, key: str, args: Mapping[str, Any], parent: _Step) -> Seen:
        """A read that a preview makes: a child call, decided and audited like any other."""
        try:
            operation = self.catalogue.find(key)
            step = self._decided(operation, checking.check(operation, args), parent.principal, parent.id)
        except SaasusMcpError as error:
            return Seen(why_not=error.message)
        if not operation.reads or step.decision.outcome != "allow":
            self._note_refusal(step, Refused("denied", step.decision.reason))
            return Seen(why_not="you may not read it")
        seen = await self._send(step, None)
        return Seen(seen.structured) if seen.ok else Seen(why_not=f"HTTP {seen.status}" if seen.status else "no answer")

    async def _send(self, step: _Step, proof: Proof | None) -> ToolAnswer:
        """Steps 6 to 9. What was begun is ended, also where the client goes away in between."""
        try:
            self._store.commit(step.id, self._record(step, proof), self._clock(), proof.spend if proof else None)
        except StoreError as error:
            return failed(error.message, error.mend)
        given = failed(
            "The call was cancelled before it was answered.", applied=_doubt(step.operation), trace_id=step.id
        )
        try:
            with anyio.CancelScope(shield=not step.operation.reads):
                given = await self._exchanged(step)
        except Exception:
            log.exception("call %s failed inside the server", step.id)
            given = failed(
                "The server failed while it made this call.", applied=_doubt(step.operation), trace_id=step.id
            )
        finally:
            self._end(step, given)
        return given

    async def _exchanged(self, step: _Step) -> ToolAnswer:
        """Steps 7 and 8: the one send, and what came of it."""
        try:
            resolved = self._handles.resolve(step.arguments, step.principal.id, self.place.profile)
            request = step.request if resolved is step.arguments else building.build(step.operation, resolved)
        except SaasusMcpError as error:
            return failed(error.message, error.mend, trace_id=step.id)
        try:
            response = await self._client.send(step.operation, request, step.id)
        except SendFailed as failure:
            return unsent(failure, step.id)
        hiding = Hiding()
        own = secret_texts(step.operation, resolved.values)
        given = without(answer(step.operation, response, hiding.hide), own)
        try:
            self._handles.keep(hiding, step.principal.id, self.place.profile)
        except StoreError:
            log.warning("the secrets of call %s could not be kept: their handles cannot be revealed", step.id)
        return given

    def _record(self, step: _Step, proof: Proof | None) -> dict[str, Any]:
        """What the audit says of a call: who, what, where, by which rule, on whose yes. No secret."""
        record: dict[str, Any] = {
            "operation": step.operation.key,
            "principal": step.principal.id,
            "profile": self.place.profile,
            "saas_id": self.place.saas_id,
            "arguments": shown_arguments(step.operation, step.arguments.values),
            "decision": step.decision.outcome,
            "rule": step.decision.rule,
            "reason": step.decision.reason,
        }
        if proof is not None:
            record |= {"proof": proof.spend.kind, "proof_id": proof.spend.id, "by": proof.by, "shown": proof.shown}
        if step.parent:
            record["parent"] = step.parent
        if self.policy.announcement:
            record["announcement"] = self.policy.announcement
        return record

    def _note_refusal(self, step: _Step, refusal: Refused) -> None:
        record = {**self._record(step, None), "refused": refusal.why}
        try:
            self._store.refuse(step.id, record, self._clock())
        except StoreError as error:
            log.warning("a refusal could not be audited: %s", error.message)

    def _end(self, step: _Step, given: ToolAnswer) -> None:
        record = {"ok": given.ok, "applied": given.applied, "status": given.status, "trace_id": given.trace_id}
        try:
            self._store.end(step.id, record, self._clock())
        except StoreError as error:
            log.error(  # noqa: TRY400 - the record matters, not the trace
                "the end of call %s could not be audited: %s %s", step.id, error.message, json.dumps(record)
            )


def _doubt(operation: Operation) -> Applied:
    """What is known of a call whose end was not seen."""
    return "not_applied" if operation.reads else "unknown"
