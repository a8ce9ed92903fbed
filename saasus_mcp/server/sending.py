"""Steps 6 to 9 of a call: committed to, sent once, shaped, ended. Nothing reaches the API but from here."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from saasus_mcp.catalog import Language
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.handles import Handles, Hiding
from saasus_mcp.permissions.target import Read, secret_texts
from saasus_mcp.saasus import request as building
from saasus_mcp.saasus.answer import ToolAnswer, answer, failed, unsent
from saasus_mcp.saasus.client import NO_TIME, NO_TIME_MEND, Applied, Between, Client, SendFailed
from saasus_mcp.saasus.redaction import STRONG, KnownSecrets
from saasus_mcp.saasus.secrets import REMOVED
from saasus_mcp.server import aftermath, granted, large_work
from saasus_mcp.server.aside import Aside
from saasus_mcp.server.fair_queue import READS_WAIT, WRITES_WAIT, Busy, FairQueue, Slot
from saasus_mcp.server.ledger import Ledger
from saasus_mcp.server.step import Step, told
from saasus_mcp.server.turns import waiting
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.permissions.proof import Place

log = logging.getLogger(__name__)

JOBS = "jobs of "
"""Before the id of a principal: whom the steps of its jobs wait as."""


class Sending:
    """Sends what has come so far.

    Args:
        handles: the secrets behind the handles in arguments; opens the store.
        reader: what may be read for a call, to see what became of it.
        calls: whose turn it is at the API.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        place: Place,
        *,
        handles: Callable[[], Handles],
        reader: Callable[[Step], Read],
        calls: FairQueue,
        language: Language,
        clock: Callable[[], float],
        aside: Aside,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._place = place
        self._handles = handles
        self._reader = reader
        self._calls = calls
        self._language = language
        self._clock = clock
        self._aside = aside

    async def send(self, step: Step) -> ToolAnswer:
        """Steps 6 to 9, as soon as the caller may have another call at the API. Until then nothing is used up."""
        who = step.principal.id
        try:
            # Jobs wait apart: their steps are few at a time, and must not fail because their owner is busy.
            slot = await self._slot(who if step.part is None else JOBS + who, _patience(step))
        except Busy as busy:
            await self._ledger.refuse(step, "busy")
            return replace(failed(busy.message, busy.mend), why="busy")
        if not step.deadline.left():
            slot.release()
            await self._ledger.refuse(step, "late")
            return replace(failed(NO_TIME, NO_TIME_MEND), why="late")
        with slot:
            return await self._sent(step, slot)

    async def _sent(self, step: Step, slot: Slot) -> ToolAnswer:
        """Steps 6 to 9. What was begun is ended, also where the client goes away in between."""
        held_back = await self._ledger.commit(step)
        if held_back is not None:
            return held_back
        start = self._clock()
        given = failed("The call was cancelled before it was answered.", applied=_doubt(step), trace_id=step.id)
        try:
            with anyio.CancelScope(shield=not step.operation.reads):
                given = await self._exchanged(step)
                slot.release()  # the reads that follow take their own
                given = told(step, await aftermath.read_back(step, given, self._reader(step)), self._language)
        except Exception:
            log.exception("call %s failed inside the server", step.id)
            given = failed("The server failed while it made this call.", applied=_doubt(step), trace_id=step.id)
        finally:
            await self._ledger.end(step, given, self._clock() - start)
        return given

    async def _exchanged(self, step: Step) -> ToolAnswer:
        """Steps 7 and 8: the one send, and what came of it."""
        who, profile = step.principal.id, self._place.profile
        try:
            resolved = await self._aside(lambda: self._handles().resolve(step.arguments, who, profile))
            request = step.request if resolved is step.arguments else building.build(step.operation, resolved)
        except SaasusMcpError as error:
            return failed(error.message, error.mend, trace_id=step.id)
        try:
            async with waiting():
                deadline = step.deadline if step.operation.reads else step.deadline.for_send()
                response = await self._client.send(step.operation, request, step.id, deadline, _between(step))
        except SendFailed as failure:
            return unsent(failure, step.id)
        known = self._client.secrets.and_also(secret_texts(step.operation, resolved.values))
        if known.within(response.trace_id):
            response = replace(response, trace_id=step.id)
        hiding = Hiding()
        hide = hiding.hide if step.shown else _removed
        shaped = partial(answer, step.operation, response, hide, known)
        large = len(response.body) > large_work.LARGE or large_work.is_large(resolved.values)
        given = await large_work.run(who, shaped) if large else shaped()
        if hiding.found:
            try:
                origin = {"operation": step.operation.key, "call": step.id}
                lifetime = granted.lifetime(step.part)
                await self._aside(lambda: self._handles().keep(hiding, who, profile, lifetime, **origin))
            except StoreError:
                log.warning("the secrets of call %s could not be kept: their handles cannot be revealed", step.id)
        return given

    async def secrets(self, step: Step) -> KnownSecrets:
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
        return KnownSecrets(text for text in secret_texts(step.operation, arguments.values) if len(text) >= STRONG)

    async def _slot(self, who: str, patience: float) -> Slot:
        """Wait for a slot for a call at the API, without the request's turn: calls that have a slot need turns to go on."""
        slot: Slot | None = None
        try:
            async with waiting():
                slot = await self._calls.slot(who, patience)
        except BaseException:  # the client went away while the turn was waited for again
            if slot is not None:
                slot.release()
            raise
        return slot


def _patience(step: Step) -> float:
    """Seconds for which a call waits behind others of its caller; at most half the time that it has left."""
    wait = READS_WAIT if step.operation.reads else WRITES_WAIT
    return min(wait if step.part is None else math.inf, step.deadline.left() / 2)


def _between(step: Step) -> Between:
    """Tells the client, between two attempts of a read, that the call goes on."""

    async def tell(number: int, most: int, reason: str) -> None:
        await step.progress(None, None, f"{step.operation.tool}: attempt {number} of {most} failed ({reason})")

    return tell


def _doubt(step: Step) -> Applied:
    """What is known of a call whose end was not seen."""
    return "not_applied" if step.operation.reads else "unknown"


def _removed(_: str) -> str:
    """What a read that nobody asked for shows of a secret: there is no one to reveal it to."""
    return REMOVED
