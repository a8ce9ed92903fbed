"""The way of a call, in one direction. Nothing reaches the API that did not come down this page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from saasus_mcp.catalog import Catalogue, Language, Operation
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions import preconditions
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.case import CasePolicy, Principal
from saasus_mcp.permissions.confirmation import Confirmations, Reply
from saasus_mcp.permissions.handles import Handles, References, no_references
from saasus_mcp.permissions.narrowed import NARROWED, NARROWED_MEND, NarrowingCeiling, require
from saasus_mcp.permissions.preconditions import NoChange
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.question.build import Asked, question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.survey import sights, survey, unasked
from saasus_mcp.permissions.target import Read, Seen, secret_texts
from saasus_mcp.saasus import arguments as checking
from saasus_mcp.saasus import request as building
from saasus_mcp.saasus.answer import ToolAnswer, failed, unneeded
from saasus_mcp.saasus.arguments import Arguments
from saasus_mcp.saasus.client import Client
from saasus_mcp.saasus.deadline import CALL_SECONDS, NO_DEADLINE, Deadline
from saasus_mcp.server import aftermath, granted, large_work, reason
from saasus_mcp.server.aside import Aside, at_once
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.server.deciding import Deciding
from saasus_mcp.server.fair_queue import FairQueue
from saasus_mcp.server.ledger import Ledger
from saasus_mcp.server.results import BUDGET, Made, Results, Source
from saasus_mcp.server.sending import Sending
from saasus_mcp.server.settling import MOST_ROUNDS, Looked, Matter, Settled, Settling
from saasus_mcp.server.step import Step
from saasus_mcp.server.watch import UNWATCHED, Watch
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Entry, Store


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
        zone: tzinfo | None = None,
        clock: Callable[[], float] = time.time,
        references: References = no_references,
        budget: int = BUDGET,
        watch: Watch = UNWATCHED,
        aside: Aside = at_once,
        console: Callable[[], str] = str,
        calls: FairQueue | None = None,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self.catalogue = catalogue
        self.policy: CasePolicy = NarrowingCeiling(policy)
        self.place = place
        self._client = client
        self._open = store
        self._sealer = sealer
        self.language: Language = language
        self.zone = zone
        self.clock = clock
        self._references = references
        self._budget = budget
        self.aside = aside
        self.ledger = Ledger(lambda: self.store, policy, place, watch=watch, clock=clock, aside=aside)
        self._console = console
        self.calls = calls or FairQueue()
        self._call_seconds = call_seconds

    @cached_property
    def store(self) -> Store:
        """What survives its calls. Opened by the first: a client that only lists tools need not wait for a database."""
        return self._open()

    @cached_property
    def _handles(self) -> Handles:
        return Handles(self.store, self._sealer, self.clock, self._references)

    @cached_property
    def sending(self) -> Sending:
        """What sends calls that may go."""
        return Sending(
            self._client,
            self.ledger,
            self.place,
            handles=lambda: self._handles,
            reader=self.reader,
            calls=self.calls,
            language=self.language,
            clock=self.clock,
            aside=self.aside,
        )

    @cached_property
    def settling(self) -> Settling:
        """What comes to a person's yes."""
        confirmations, approvals = (
            Confirmations(self._sealer),
            Approvals(self.store, Reader.of(self.language, self.zone)),
        )
        return Settling(
            confirmations,
            approvals,
            language=self.language,
            zone=self.zone,
            clock=self.clock,
            aside=self.aside,
            console=self._console,
        )

    @cached_property
    def deciding(self) -> Deciding:
        """What the policy says of a call."""
        return Deciding(self.catalogue, self.policy, self.place)

    @cached_property
    def results(self) -> Results:
        """Large answers, cut for the model and kept whole for whoever asked."""
        profile, clock = self.place.profile, self.clock
        return Results(
            lambda: self.store,
            self._sealer,
            profile=profile,
            clock=clock,
            forbidden=self.forbidden,
            budget=self._budget,
        )

    def listed(self, principal: Principal) -> list[Operation]:
        """The operations of which some call could be anything but denied to this principal."""
        profile = self.place.profile
        return [operation for operation in self.catalogue if self.policy.could_allow(operation, principal, profile)]

    async def run(self, call: Call) -> ToolAnswer | Asking:
        """The answer of a call, or the question that a person must answer first.

        Raises nothing that a client could cause: every refusal and failure is an answer.
        """
        call, asked = replace(call, deadline=self.deadline(call)).timed()
        try:
            step = await self._stepped(call)
        except SaasusMcpError as error:
            return await self.refused(call, error)
        limit, reply, rounds = step.deadline, call.reply, 0
        try:
            while True:
                step = replace(step, deadline=limit.postponed(asked()))
                read = sights(self.reader(replace(step, deadline=step.deadline.for_preliminary_reads())))
                step = replace(step, decision=await self.deciding.decide(step, read))
                asker = call.asker if rounds < MOST_ROUNDS else None
                settled = await self._settled(step, read, replace(call, asker=asker, reply=reply))
                if not isinstance(settled, Reply):
                    break
                reply, rounds = settled, rounds + 1  # while the person thought, all of it may have changed
        except NoChange as nothing:
            await self.ledger.refuse(step, nothing.why)
            return unneeded(step.operation, nothing.message)
        except Refused as refusal:
            await self.ledger.refuse(step, refusal.why)
            return replace(failed(refusal.message, refusal.mend), why=refusal.why)
        except SaasusMcpError as error:
            await self.ledger.refuse(step, "failed")
            return replace(failed(error.message, error.mend), why="store" if isinstance(error, StoreError) else "")
        except anyio.get_cancelled_exc_class():
            await self.ledger.refuse(step, "cancelled")
            raise
        if isinstance(settled, Asking):
            await self.ledger.refuse(step, "confirmation")
            return settled
        return await self.sending.send(settled)

    def deadline(self, call: Call) -> Deadline:
        """When a call must be over. What a job does goes on after its caller has gone and has no limit as a whole."""
        if call.deadline is not None:
            return call.deadline
        return Deadline.after(self._call_seconds) if call.part is None else NO_DEADLINE

    async def forbidden(self, calls: Iterable[Made], principal: Principal, deadline: Deadline | None = None) -> str:
        """The tool of the first of some calls that would be denied today; empty where none would.

        Without arguments, a call would be denied if it were with all of them. What cannot be decided on is denied, and what
        takes longer than the deadline cannot.
        """
        deadline = deadline or Deadline.after(self._call_seconds)
        for key, arguments in calls:
            try:
                operation = self.catalogue.find(key)
                if not self.policy.could_allow(operation, principal, self.place.profile):
                    return operation.tool
                if arguments is not None:
                    built = self._built(operation, checking.check(operation, arguments), principal)
                    step = replace(built, deadline=deadline)
                    decision = await self.deciding.decide(step, sights(self.reader(step)))
                    if decision.outcome == "deny":
                        return operation.tool
            except SaasusMcpError:
                return key
        return ""

    async def refused(self, call: Call, error: SaasusMcpError) -> ToolAnswer:
        """The answer of a call that never became one: no such tool, or arguments that do not fit. Audited."""
        await self.ledger.refuse_unbuilt(call, error)
        return failed(error.message, error.mend)

    async def cut(self, call: Call, given: ToolAnswer) -> ToolAnswer:
        """The answer of a call within its budget; where it is cut, the whole is kept under the call as it was understood."""
        if not given.ok or self.results.fits(given):
            return given
        step = await self._stepped(call)
        return await self.results.fit(given, call.principal, Source.of(step.operation, step.arguments.values))

    async def _stepped(self, call: Call) -> Step:
        """Steps 1 to 3, in a thread where the arguments are large."""
        if not large_work.is_large(call.arguments):
            return self.step(call)
        return await large_work.run(call.principal.id, lambda: self.step(call))

    def step(self, call: Call) -> Step:
        """Steps 1 to 3: what a call is, checked and built.

        Raises:
            SaasusMcpError: there is no such tool, or the arguments do not fit it.
        """
        operation, part = self.catalogue.find(call.name), call.part
        try:
            step = self._built(operation, checking.understand(operation, call.arguments), call.principal)
        except SaasusMcpError:
            require(operation, call.principal)  # no use in mending the arguments of what is denied
            raise
        why = self._reason(call.reason, step) if call.reason else ""
        step = replace(step, deadline=self.deadline(call), progress=call.progress, reason=why)
        if part is None:
            return replace(step, undoes=call.undoes)
        return replace(step, part=part, parent=part.job, id=part.call if part.step else step.id)

    def _reason(self, given: str, step: Step) -> str:
        secrets = secret_texts(step.operation, step.arguments.values)
        return reason.shown(given, self._client.secrets.and_also(secrets))

    @staticmethod
    def _built(operation: Operation, arguments: Arguments, principal: Principal) -> Step:
        return Step(operation, arguments, building.build(operation, arguments), principal)

    async def _settled(self, step: Step, read: Read, call: Call) -> Step | Asking | Reply:
        """Step 5: with the proof where one is needed, and with what was seen of what is there."""
        operation, decision, values = step.operation, step.decision, step.arguments.values
        if decision.outcome == "deny":
            mend = NARROWED_MEND if decision.why == NARROWED else "Do not try again."
            raise Refused(decision.why, f"{operation.tool} is not allowed: {decision.reason}.", mend)
        preconditions.check_arguments(operation, values, self.clock(), self.language)
        if step.part is not None and granted.suffices(step, step.part):
            part = step.part
            known = await self.aside(lambda: granted.earlier(part, self.store.jobs))
            granted.check_filled(step, part, known)
            return await granted.looked_at(step, part, self.place, read, self.language)
        if step.undoes is not None:
            await aftermath.see_unchanged(self.catalogue, await self._as_it_is(step.undoes.entry), read)
        if decision.outcome == "allow":
            if call.reply is not None:
                self.settling.heed(call.reply)
            counted = self.policy.ceilings is not None
            seen = await unasked(operation, values, self.place.saas_id, read, counted=counted)
            return replace(step, survey=seen)
        settled = await self.settling.settle(
            Matter(
                decision,
                step.binding(self.place),
                lambda: self._looked(step, read),
                call.asker,
                call.reply,
                self.policy.two_person,
                call.usher,
                call.visited,
            )
        )
        if not isinstance(settled, Settled):
            return settled
        return replace(step, proof=settled.proof, survey=settled.survey, since=settled.since)

    async def _as_it_is(self, entry: Entry) -> Entry:
        """The journal's entry with what was undone of it since somebody read it."""
        return await self.aside(lambda: self.store.journal.find(entry.call)) or entry

    async def _looked(self, step: Step, read: Read) -> Looked:
        values = step.arguments.values
        seen = await survey(step.operation, values, self.place.saas_id, read)
        now, language = self.clock(), self.language
        await preconditions.check_present(step.operation, values, seen, read, now=now, language=language)
        asked = Asked(
            step.operation,
            values,
            self.place,
            step.principal.id,
            seen,
            reason=step.reason,
            typed=step.decision.typed,
        )
        return Looked(seen, await question(asked, read))

    def reader(self, parent: Step) -> Read:
        """Reads for a preview, a policy or a read back: child calls, decided and audited like any other.

        No narrowing holds for them: a caller must not hide from the person who is asked, or from a rule, what a call hits.
        """
        principal = parent.principal.unnarrowed

        async def read(key: str, args: Mapping[str, Any]) -> Seen:
            try:
                operation = self.catalogue.find(key)
                step = replace(
                    self._built(operation, checking.check(operation, args), principal),
                    parent=parent.id,
                    probe=True,
                    deadline=parent.deadline,
                    progress=parent.progress,
                )
            except SaasusMcpError as error:
                return Seen(why_not=error.message)
            step = replace(step, decision=await self.deciding.decide(step, read))
            if not operation.reads or step.decision.outcome != "allow":
                await self.ledger.refuse(step, "denied")
                return Seen(why_not="you may not read it")
            given = await self.sending.send(step)
            if given.ok:
                known = await self.sending.secrets(parent)
                if known.redact(given.structured) is not given.structured:
                    return Seen(why_not="it repeats a secret of this call", status=given.status)
                return Seen(given.structured, status=given.status)
            return Seen(why_not=f"HTTP {given.status}" if given.status else "no answer", status=given.status)

        return read
