"""Large answers: what a model gets is cut to a budget, and the whole stays readable for whoever asked."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.target import shown_arguments
from saasus_mcp.saasus.answer import ToolAnswer, compact
from saasus_mcp.server import large_work
from saasus_mcp.server.cutting import Cut, cut
from saasus_mcp.store import Kept, StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)

BUDGET = 24 * 1024
LIFETIME = 24 * 3600
URI = "saasus://results/"
PURPOSE = "result"
PNG = "image/png"
MOST_TOLD = 5
"""Cuts that are told one by one."""
LONGEST_NOTE = 600
"""Bytes kept free for what is said of the cuts."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an answer comes from.

    Attributes:
        name: the operation's key, or the name of a tool of our own.
        arguments: of an operation, secrets hidden; None for a tool of our own, on which nothing is to be decided.
    """

    name: str
    arguments: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, operation: Operation, arguments: Mapping[str, Any]) -> Source:
        """An operation called with these arguments."""
        return cls(operation.key, shown_arguments(operation, arguments))


@dataclass(frozen=True, slots=True)
class Whole:
    """A kept answer."""

    value: Any
    source: Source


May = Callable[[str, Mapping[str, Any], Principal], Awaitable[bool]]
"""Whether a call of the operation with this key would be anything but denied to somebody today."""


def pictured(png: str) -> dict[str, str]:
    """A PNG, in base64, as it is kept: in the words of the protocol."""
    return {"mimeType": PNG, "blob": png}


def picture(kept: object) -> str | None:
    """The PNG that was kept, in base64; None where it is something else."""
    if isinstance(kept, dict) and kept.keys() == {"mimeType", "blob"} and kept["mimeType"] == PNG:
        return str(kept["blob"])
    return None


class Results:
    """Cuts and keeps the answers of one SaaS.

    Args:
        may: asked before a kept answer is given out again.
        budget: bytes of JSON that one answer may have.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        sealer: Sealer,
        *,
        profile: str,
        clock: Callable[[], float],
        may: May,
        budget: int = BUDGET,
    ) -> None:
        self._open = store
        self._sealer = sealer
        self._profile = profile
        self._clock = clock
        self._may = may
        self._budget = budget

    async def fit(self, answer: ToolAnswer, principal: Principal, source: Source) -> ToolAnswer:
        """The answer within its budget. What was cut is said, with the true count and where the whole is."""
        if not answer.ok or len(answer.text.encode()) <= self._budget:
            return answer
        return await large_work.run(principal.id, lambda: self._fitted(answer, principal.id, source))

    async def read(self, identifier: str, principal: Principal) -> Whole | None:
        """A whole answer that was kept for this principal, decided like the call it came of.

        None where there is none, its time is over, or its call would be denied to the principal today.
        """
        whole = await large_work.run(principal.id, lambda: self.found(identifier, principal.id))
        if whole is None or whole.source.arguments is None:
            return whole
        return whole if await self._may(whole.source.name, whole.source.arguments, principal) else None

    def of(self, principal: str) -> list[Kept]:
        """What is kept for a principal, newest first, without what it holds."""
        return self._open().results.of(principal, self._profile, self._clock())

    def _fitted(self, answer: ToolAnswer, principal: str, source: Source) -> ToolAnswer:
        whole = answer.structured if answer.structured is not None else answer.text
        shown, cuts = cut(whole, self._budget - LONGEST_NOTE - len(answer.note.encode()))
        identifier = self.keep(whole, principal, source)
        where = (
            f"The whole is {URI}{identifier} for 24 hours; select_from_result picks from it"
            if identifier
            else "The whole could not be kept: ask for less"
        )
        text = shown if isinstance(shown, str) else compact(shown)
        said = f"{answer.note}\n[Cut to fit. {_told(cuts)}. {where}.]"
        return replace(answer, text=text + said, structured=shown if answer.structured is not None else None)

    def found(self, identifier: str, principal: str) -> Whole | None:
        """A whole answer that was kept for this principal, for what goes to no model."""
        return opened(self._open(), self._sealer, identifier, (principal, self._profile), self._clock())

    def keep(self, whole: Any, principal: str, source: Source) -> str:
        """Keep an answer for this principal: its id, or nothing where it cannot be kept."""
        identifier, now = secrets.token_hex(12), self._clock()
        sealed = self._sealer.seal([whole, source.arguments], PURPOSE + identifier)
        kept = Kept(identifier, principal, self._profile, source.name, now, now + LIFETIME, sealed)
        try:
            self._open().results.keep(kept)
        except StoreError as error:
            log.warning("a large answer could not be kept: %s", error.message)
            return ""
        return identifier


def opened(store: Store, sealer: Sealer, identifier: str, whose: tuple[str, str], now: float) -> Whole | None:
    """A whole answer out of a store; None where there is none, or its time is over.

    Args:
        whose: the principal for whom it was kept, and in which profile.
    """
    kept = store.results.find(identifier.removeprefix(URI), *whose, now)
    inside = sealer.open(kept.sealed, PURPOSE + kept.id) if kept is not None else None
    return None if kept is None or inside is None else Whole(inside[0], Source(kept.operation, inside[1]))


def _told(cuts: tuple[Cut, ...]) -> str:
    """The cuts in words, the first of many one by one."""
    first = [str(each)[: LONGEST_NOTE // (MOST_TOLD * 2)] for each in cuts[:MOST_TOLD]]
    more = len(cuts) - len(first)
    return "; ".join(first) + (f"; and {more} more" if more else "")
