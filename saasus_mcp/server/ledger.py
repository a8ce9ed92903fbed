"""Steps 6 and 9 of a call, and the refusals: what lets it go, and what the audit is told of it."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.budgets import charges
from saasus_mcp.permissions.case import CasePolicy
from saasus_mcp.permissions.proof import Place
from saasus_mcp.saasus.answer import ToolAnswer, failed
from saasus_mcp.server import aftermath, granted
from saasus_mcp.server.aside import Aside
from saasus_mcp.server.call import Call
from saasus_mcp.server.step import Step, begun, ended, unbuilt
from saasus_mcp.server.watch import Watch
from saasus_mcp.store import AlreadyUsed, Commitment, Ending, Frozen, OverBudget, StoreError, WrongKey

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)


class Ledger:
    """The store as calls see it.

    Args:
        store: opened by the first call.
        policy: whose ceilings hold.
        aside: waits for the store.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        policy: CasePolicy,
        place: Place,
        *,
        watch: Watch,
        clock: Callable[[], float],
        aside: Aside,
    ) -> None:
        self._store = store
        self._policy = policy
        self._place = place
        self._watch = watch
        self._clock = clock
        self._aside = aside

    async def commit(self, step: Step) -> ToolAnswer | None:
        """Let a call go: its proof used up, its audit begun. An answer where it may not go after all."""
        operation, now = step.operation, self._clock()
        affected, asked, of_job = step.survey.impact.affected_users, step.proof is not None, step.part is not None
        commitment = Commitment(
            writes=not operation.reads,
            profile=self._place.profile,
            charges=charges(self._policy.ceilings, operation, step.principal, affected, asked=asked, granted=of_job),
            entry=aftermath.entry(step, self._place, now),
            undoes=(step.undoes.entry.call, step.undoes.part) if step.undoes else None,
            claim=granted.claim(step),
        )
        record, spend = begun(step, self._place, self._policy), step.proof.spend if step.proof else None
        try:
            await self._aside(lambda: self._store().commit(step.id, record, now, spend, commitment))
        except (AlreadyUsed, Frozen, OverBudget) as held_back:
            why = type(held_back).__name__.lower()
            await self.refuse(step, why)
            return replace(failed(held_back.message, held_back.mend), why=why)
        except StoreError as error:
            if not operation.reads or isinstance(error, WrongKey):
                return replace(failed(error.message, error.mend), why="store")
            log.warning("a read was not audited: %s", error.message)
        self._watch.begun(operation)
        return None

    async def end(self, step: Step, given: ToolAnswer, seconds: float) -> None:
        """Note how a call that went has ended."""
        self._watch.ended(step.operation, given, seconds)
        record = ended(given, seconds)
        changed = given.applied != "not_applied"
        ending = None if step.operation.reads else Ending(changed, given.structured, granted.ending(step.part, given))
        try:
            await self._aside(lambda: self._store().end(step.id, record, self._clock(), ending))
        except StoreError as error:
            log.error(  # noqa: TRY400 - the record matters, not the trace
                "the end of call %s could not be audited: %s %s", step.id, error.message, json.dumps(record)
            )

    async def refuse(self, step: Step, why: str) -> None:
        """Note that a call did not go, and why."""
        await self._note(step.id, {**begun(step, self._place, self._policy), "refused": why})

    async def refuse_unbuilt(self, call: Call, error: SaasusMcpError) -> None:
        """Note a call that never became one: no such tool, or arguments that do not fit."""
        await self._note(secrets.token_hex(16), unbuilt(call, self._place, error))

    async def _note(self, call: str, refused: dict[str, Any]) -> None:
        self._watch.refused(refused.get("operation", ""), refused["refused"])
        try:
            await self._aside(lambda: self._store().refuse(call, refused, self._clock()))
        except StoreError as error:
            log.warning("a refusal could not be audited: %s", error.message)
