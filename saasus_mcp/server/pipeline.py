"""The way of a call, in one direction. Nothing reaches the API that did not come down this page."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from saasus_mcp.catalog import Catalogue, Language, Operation
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.budgets import charges
from saasus_mcp.permissions.case import Case, CasePolicy, Decision, Principal, stricter
from saasus_mcp.permissions.confirmation import Confirmations
from saasus_mcp.permissions.handles import Handles, Hiding, References, no_references
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.survey import glance, survey, worth_a_glance
from saasus_mcp.permissions.target import Read, Seen, secret_texts
from saasus_mcp.saasus import arguments as checking
from saasus_mcp.saasus import request as building
from saasus_mcp.saasus.answer import ToolAnswer, answer, failed, unsent
from saasus_mcp.saasus.client import Applied, Client, SendFailed
from saasus_mcp.saasus.secrets import REMOVED
from saasus_mcp.server import aftermath, granted
from saasus_mcp.server.call import Asking, Call, Part
from saasus_mcp.server.results import BUDGET, Results
from saasus_mcp.server.settling import Looked, Matter, Settling
from saasus_mcp.server.step import Step, begun, ended, unbuilt
from saasus_mcp.server.watch import UNWATCHED, Watch
from saasus_mcp.store import AlreadyUsed, Commitment, Ending, Frozen, OverBudget, StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Store
    from saasus_mcp.store.journal import Journal

log = logging.getLogger(__name__)


class Pipeline:
    """Runs calls: found, checked, built, decided, settled, committed, sent, shaped, ended."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        policy: CasePolicy,
        client: Client,
        store: Callable[[], Store],
        sealer: Sealer,
        place: Place,
        language: Language = "en",
        clock: Callable[[], float] = time.time,
        references: References = no_references,
        budget: int = BUDGET,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.catalogue = catalogue
        self.policy = policy
        self.place = place
        self._client = client
        self._open = store
        self._sealer = sealer
        self.language: Language = language
        self.clock = clock
        self._references = references
        self._budget = budget
        self._watch = watch

    @cached_property
    def _store(self) -> Store:
        """Opened by the first call: a client that only lists tools need not wait for a database."""
        return self._open()

    @cached_property
    def _handles(self) -> Handles:
        return Handles(self._store, self._sealer, self.clock, self._references)

    @cached_property
    def settling(self) -> Settling:
        """What comes to a person's yes."""
        confirmations, approvals = Confirmations(self._sealer), Approvals(self._store)
        return Settling(confirmations, approvals, language=self.language, clock=self.clock)

    @property
    def store(self) -> Store:
        """What survives its calls, opened where it is not yet."""
        return self._store

    @property
    def journal(self) -> Journal:
        """What was changed here, for undoing."""
        return self._store.journal

    @cached_property
    def results(self) -> Results:
        """Large answers, cut for the model and kept whole for whoever asked."""
        return Results(lambda: self._store, self._sealer, self.place.profile, self.clock, self._budget)

    def listed(self, principal: Principal) -> list[Operation]:
        """The operations of which some call could be anything but denied to this principal."""
        profile = self.place.profile
        return [operation for operation in self.catalogue if self.policy.could_allow(operation, principal, profile)]

    async def run(self, call: Call) -> ToolAnswer | Asking:
        """The answer of a call, or the question that a person must answer first.

        Raises nothing that a client could cause: every refusal and failure is an answer.
        """
        try:
            operation = self.catalogue.find(call.name)
            step = self._of(call, operation)
        except SaasusMcpError as error:
            return self.refused(call, error)
        try:
            step = replace(step, decision=await self._decided(step))
            settled = await self._settled(step, call)
        except Refused as refusal:
            self._note_refusal(step, refusal.why)
            return replace(failed(refusal.message, refusal.mend), why=refusal.why)
        except SaasusMcpError as error:
            return failed(error.message, error.mend)
        return settled if isinstance(settled, Asking) else await self._send(settled)

    def refused(self, call: Call, error: SaasusMcpError) -> ToolAnswer:
        """The answer of a call that never became one: no such tool, or arguments that do not fit. Audited."""
        self._note(secrets.token_hex(16), unbuilt(call, self.place, error))
        return failed(error.message, error.mend)

    async def weigh(self, call: Call) -> granted.Weighed:
        """What would be decided on a step of a job now. Nothing goes but reads for that.

        Raises:
            SaasusMcpError: there is no such tool, or the arguments do not fit it.
        """
        step, part = self._of(call, self.catalogue.find(call.name)), call.part or Part("")
        decision = await self._decided(step)
        if step.operation.effects.bind:
            seen = await glance(step.operation, step.arguments.values, self.place.saas_id, self._reader(step))
            part = replace(part, bound=seen.sight.bound)
        return granted.Weighed(decision, granted.digest_of(step, part), part.bound)

    async def recover(self, call: Call) -> ToolAnswer:
        """What became of a job's step that was begun and not seen to end: it is read back, and never sent again."""
        step = self._of(call, self.catalogue.find(call.name))
        given = failed("The server stopped while it made this call.", applied="unknown", trace_id=step.id)
        given = await aftermath.read_back(step, given, self._reader(step))
        self._end(step, given, 0.0)
        return given

    def undecided(self, call: Call) -> bool:
        """Whether an approval of this very call waits for a person."""
        binding = self._of(call, self.catalogue.find(call.name)).binding(self.place)
        return any(each.status == "pending" for each in self._store.approvals(self.clock(), binding.digest()))

    def _of(self, call: Call, operation: Operation) -> Step:
        """Steps 2 and 3."""
        step, part = self._built(operation, call.arguments, call.principal), call.part
        if part is None:
            return replace(step, undoes=call.undoes)
        return replace(step, part=part, parent=part.job, id=part.call if part.step else step.id)

    @staticmethod
    def _built(operation: Operation, raw: object, principal: Principal) -> Step:
        arguments = checking.check(operation, raw)
        return Step(operation, arguments, building.build(operation, arguments), principal)

    async def _decided(self, step: Step) -> Decision:
        """Step 4, with the live state that the policy's rules on such a call speak of."""
        decision = await self._ruled(step, step.case(self.place))
        if step.undoes is None:
            return decision
        undone = step.undoes.entry
        original = Case(self.catalogue.find(undone.operation), undone.arguments, step.principal, self.place.profile)
        return stricter(decision, await self._ruled(step, original))

    async def _ruled(self, step: Step, case: Case) -> Decision:
        needs = self.policy.needs(case.operation, case.principal, case.profile)
        if needs and not step.probe:
            see = survey if "impact" in needs else glance
            seen = await see(case.operation, case.args, self.place.saas_id, self._reader(step))
            impact = {**seen.impact.counts, **seen.impact.shown} if "impact" in needs else None
            case = replace(case, target=seen.sight.target, impact=impact)
        return self.policy.decide(case)

    async def _settled(self, step: Step, call: Call) -> Step | Asking:
        """Step 5: with the proof where one is needed, and with what was seen of what is there."""
        operation, decision = step.operation, step.decision
        if decision.outcome == "deny":
            raise Refused("denied", f"{operation.tool} is not allowed: {decision.reason}.", "Do not try again.")
        read = self._reader(step)
        if step.part is not None and granted.suffices(step, step.part):
            granted.check_filled(step, step.part, lambda steps: self._store.jobs.answers(step.parent, steps))
            return await granted.looked_at(step, step.part, self.place, read)
        if step.undoes is not None:
            await aftermath.see_unchanged(self.catalogue, step.undoes.entry, read)
        if decision.outcome == "allow":
            if not worth_a_glance(operation):
                return step
            seen = await glance(operation, step.arguments.values, self.place.saas_id, read)
            return replace(step, survey=seen)
        settled = await self.settling.settle(
            Matter(
                decision,
                step.binding(self.place),
                lambda: self._looked(step, read),
                call.asker,
                call.reply,
                self.policy.two_person,
            )
        )
        return settled if isinstance(settled, Asking) else replace(step, proof=settled.proof, survey=settled.survey)

    async def _looked(self, step: Step, read: Read) -> Looked:
        values = step.arguments.values
        seen = await survey(step.operation, values, self.place.saas_id, read)
        return Looked(seen, seen.previews(step.operation, values, self.place))

    def _reader(self, parent: Step) -> Read:
        """Reads for a preview, a policy or a read back: child calls, decided and audited like any other."""

        async def read(key: str, args: Mapping[str, Any]) -> Seen:
            try:
                operation = self.catalogue.find(key)
                step = replace(self._built(operation, args, parent.principal), parent=parent.id, probe=True)
            except SaasusMcpError as error:
                return Seen(why_not=error.message)
            step = replace(step, decision=await self._decided(step))
            if not operation.reads or step.decision.outcome != "allow":
                self._note_refusal(step, "denied")
                return Seen(why_not="you may not read it")
            given = await self._send(step)
            if given.ok:
                return Seen(given.structured, status=given.status)
            return Seen(why_not=f"HTTP {given.status}" if given.status else "no answer", status=given.status)

        return read

    async def _send(self, step: Step) -> ToolAnswer:
        """Steps 6 to 9. What was begun is ended, also where the client goes away in between."""
        held_back = self._commit(step)
        if held_back is not None:
            return held_back
        self._watch.begun(step.operation)
        start = self.clock()
        given = failed("The call was cancelled before it was answered.", applied=_doubt(step), trace_id=step.id)
        try:
            with anyio.CancelScope(shield=not step.operation.reads):
                given = await self._exchanged(step)
                given = await aftermath.read_back(step, given, self._reader(step))
        except Exception:
            log.exception("call %s failed inside the server", step.id)
            given = failed("The server failed while it made this call.", applied=_doubt(step), trace_id=step.id)
        finally:
            self._end(step, given, self.clock() - start)
        return given

    def _commit(self, step: Step) -> ToolAnswer | None:
        """Step 6; an answer where the call may not go after all."""
        operation, now = step.operation, self.clock()
        ceilings = self.policy.ceilings
        commitment = Commitment(
            writes=not operation.reads,
            charges=charges(
                ceilings,
                operation,
                step.principal,
                step.survey.impact.affected_users,
                granted=step.part is not None,
            ),
            entry=aftermath.entry(step, self.place, now),
            undoes=(step.undoes.entry.call, step.undoes.part) if step.undoes else None,
            claim=granted.claim(step),
        )
        record = begun(step, self.place, self.policy)
        try:
            self._store.commit(step.id, record, now, step.proof.spend if step.proof else None, commitment)
        except (AlreadyUsed, Frozen, OverBudget) as held_back:
            why = type(held_back).__name__.lower()
            self._note_refusal(step, why)
            return replace(failed(held_back.message, held_back.mend), why=why)
        except StoreError as error:
            if not operation.reads:
                return failed(error.message, error.mend)
            log.warning("a read goes without an audit: %s", error.message)
        return None

    async def _exchanged(self, step: Step) -> ToolAnswer:
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
        hide = hiding.hide if step.shown else _removed
        given = answer(step.operation, response, hide, secret_texts(step.operation, resolved.values))
        try:
            self._handles.keep(hiding, step.principal.id, self.place.profile, granted.lifetime(step.part))
        except StoreError:
            log.warning("the secrets of call %s could not be kept: their handles cannot be revealed", step.id)
        return given

    def _note_refusal(self, step: Step, why: str) -> None:
        self._note(step.id, {**begun(step, self.place, self.policy), "refused": why})

    def _note(self, call: str, refused: dict[str, Any]) -> None:
        self._watch.refused(refused.get("operation", ""), refused["refused"])
        try:
            self._store.refuse(call, refused, self.clock())
        except StoreError as error:
            log.warning("a refusal could not be audited: %s", error.message)

    def _end(self, step: Step, given: ToolAnswer, seconds: float) -> None:
        self._watch.ended(step.operation, given, seconds)
        record = ended(given, seconds)
        changed = given.applied != "not_applied"
        ending = None if step.operation.reads else Ending(changed, given.structured, granted.ending(step.part, given))
        try:
            self._store.end(step.id, record, self.clock(), ending)
        except StoreError as error:
            log.error(  # noqa: TRY400 - the record matters, not the trace
                "the end of call %s could not be audited: %s %s", step.id, error.message, json.dumps(record)
            )


def _doubt(step: Step) -> Applied:
    """What is known of a call whose end was not seen."""
    return "not_applied" if step.operation.reads else "unknown"


def _removed(_: str) -> str:
    """What a read that nobody asked for shows of a secret: there is no one to reveal it to."""
    return REMOVED
