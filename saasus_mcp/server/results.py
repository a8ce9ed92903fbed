"""Large answers: what a model gets is cut to a budget, and the whole stays readable for whoever asked."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.saasus.answer import ToolAnswer, compact
from saasus_mcp.server.aside import Aside, at_once
from saasus_mcp.server.cutting import cut
from saasus_mcp.store import Kept, StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)

BUDGET = 24 * 1024
LIFETIME = 24 * 3600
URI = "saasus://results/"
PURPOSE = "result"


class Results:
    """Cuts and keeps the answers of one SaaS.

    Args:
        budget: bytes of JSON that one answer may have.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        sealer: Sealer,
        profile: str,
        clock: Callable[[], float],
        *,
        budget: int = BUDGET,
        aside: Aside = at_once,
    ) -> None:
        self._open = store
        self._sealer = sealer
        self._profile = profile
        self._clock = clock
        self._budget = budget
        self._aside = aside

    async def fit(self, answer: ToolAnswer, principal: str, operation: str) -> ToolAnswer:
        """The answer within its budget. What was cut is said, with the true count and where the whole is."""
        if not answer.ok or len(answer.text.encode()) <= self._budget:
            return answer
        whole = answer.structured if answer.structured is not None else answer.text
        shown, cuts = cut(whole, self._budget)
        identifier = await self._aside(lambda: self._keep(whole, principal, operation))
        where = (
            f"The whole is {URI}{identifier} for 24 hours; select_from_result picks from it"
            if identifier
            else "The whole could not be kept: ask for less"
        )
        text = shown if isinstance(shown, str) else compact(shown)
        said = f"{answer.note}\n[Cut to fit. {'; '.join(map(str, cuts))}. {where}.]"
        return replace(answer, text=text + said, structured=shown if answer.structured is not None else None)

    def read(self, identifier: str, principal: str) -> Any:
        """A whole answer that was kept for this principal; None where there is none, or its time is over."""
        kept = self._open().results.find(identifier.removeprefix(URI), principal, self._profile, self._clock())
        return self._sealer.open(kept.sealed, PURPOSE + kept.id) if kept is not None else None

    def of(self, principal: str) -> list[Kept]:
        """What is kept for a principal, newest first."""
        return self._open().results.of(principal, self._profile, self._clock())

    def _keep(self, whole: Any, principal: str, operation: str) -> str:
        identifier, now = secrets.token_hex(12), self._clock()
        sealed = self._sealer.seal(whole, PURPOSE + identifier)
        try:
            self._open().results.keep(
                Kept(identifier, principal, self._profile, operation, sealed, now, now + LIFETIME)
            )
        except StoreError as error:
            log.warning("a large answer could not be kept: %s", error.message)
            return ""
        return identifier
