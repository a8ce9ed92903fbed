"""Large answers: what a model gets is cut to a budget, and the whole stays readable for whoever asked."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.narrowed import NARROWED, NARROWED_MEND
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.refusal import Refused
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


Made = tuple[str, Mapping[str, Any] | None]
"""A call by the key of its operation and its arguments, secrets hidden; None where it stands for any arguments."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an answer comes from.

    Attributes:
        name: the operation's key, or the name of a tool of our own.
        calls: those whose answers it was made of: whoever reads it must be allowed all of them at that time.
    """

    name: str
    calls: tuple[Made, ...]

    def reader(self, principal: Principal) -> Principal:
        """Return the principal under whose narrowing the answer is read: an answer of a job is that of the job's calls."""
        return principal if "." in self.name or not self.calls else principal.in_job(self.name)

    @classmethod
    def of(cls, operation: Operation, arguments: Mapping[str, Any]) -> Source:
        """An operation called with these arguments."""
        return cls(operation.key, ((operation.key, shown_arguments(operation, arguments)),))


@dataclass(frozen=True, slots=True)
class Whole:
    """A kept answer."""

    value: Any
    source: Source


Forbidden = Callable[[Iterable[Made], Principal], Awaitable[str]]
"""The tool of the first of some calls that would be denied to somebody today; empty where none would."""


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
        forbidden: asked before a kept answer is given out again.
        budget: bytes of JSON that one answer may have.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        sealer: Sealer,
        *,
        profile: str,
        clock: Callable[[], float],
        forbidden: Forbidden,
        budget: int = BUDGET,
    ) -> None:
        self._open = store
        self._sealer = sealer
        self._profile = profile
        self._clock = clock
        self._forbidden = forbidden
        self._budget = budget

    def fits(self, answer: ToolAnswer) -> bool:
        """Whether an answer is within its budget."""
        return len(answer.text.encode()) <= self._budget

    async def fit(self, answer: ToolAnswer, principal: Principal, source: Source) -> ToolAnswer:
        """The answer within its budget. What was cut is said, with the true count and where the whole is."""
        if not answer.ok or self.fits(answer):
            return answer
        return await large_work.run(principal.id, lambda: self._fitted(answer, principal.id, source))

    async def read(self, identifier: str, principal: Principal) -> Whole | None:
        """A whole answer that was kept for this principal; None where there is none, or its time is over.

        Raises:
            Refused: a call that it was made of would be denied to the principal today.
        """
        whole = await large_work.run(principal.id, lambda: self.found(identifier, principal.id))
        if whole is None:
            return None
        reader = whole.source.reader(principal)
        denied = await self._forbidden(whole.source.calls, reader)
        if denied:
            if not await self._forbidden(whole.source.calls, reader.unnarrowed):
                raise Refused(
                    NARROWED, f"This result comes from {denied}, which you are not allowed to call.", NARROWED_MEND
                )
            raise Refused(
                "denied",
                f"This result comes from a call of {denied} that you are no longer allowed to make.",
                "Do not try again. The operator's policy decides; saasus://policy says what you may do.",
            )
        return whole

    def of(self, principal: str) -> list[Kept]:
        """What is kept for a principal, newest first, without what it holds."""
        return self._open().results.of(principal, self._profile, self._clock())

    def _fitted(self, answer: ToolAnswer, principal: str, source: Source) -> ToolAnswer:
        whole = answer.structured if answer.structured is not None else answer.text
        shown, cuts = cut(whole, self._budget - LONGEST_NOTE - len(answer.note.encode()))
        identifier = self.keep(whole, principal, source)
        where = (
            f"Full response for 24 hours: {URI}{identifier}; select_from_result picks from it"
            if identifier
            else "The full response could not be stored: request less data"
        )
        text = shown if isinstance(shown, str) else compact(shown)
        said = f"{answer.note}\n[Truncated. {_told(cuts)}. {where}.]"
        return replace(answer, text=text + said, structured=shown if answer.structured is not None else None)

    def found(self, identifier: str, principal: str) -> Whole | None:
        """A whole answer that was kept for this principal, for what goes to no model."""
        return opened(self._open(), self._sealer, identifier, (principal, self._profile), self._clock())

    def keep(self, whole: Any, principal: str, source: Source) -> str:
        """Keep an answer for this principal: its id, or nothing where it cannot be kept."""
        identifier, now = secrets.token_hex(12), self._clock()
        sealed = self._sealer.seal([whole, source.calls], PURPOSE + identifier)
        kept = Kept(identifier, principal, self._profile, source.name, now, now + LIFETIME, sealed)
        try:
            self._open().results.keep(kept)
        except StoreError as error:
            log.warning("a large response could not be stored: %s", error.message)
            return ""
        return identifier


def opened(store: Store, sealer: Sealer, identifier: str, whose: tuple[str, str], now: float) -> Whole | None:
    """A whole answer out of a store; None where there is none, or its time is over.

    Args:
        whose: the principal for whom it was kept, and in which profile.
    """
    kept = store.results.find(identifier.removeprefix(URI), *whose, now)
    inside = sealer.open(kept.sealed, PURPOSE + kept.id) if kept is not None else None
    if kept is None or inside is None:
        return None
    value, calls = inside
    return Whole(value, Source(kept.operation, tuple((key, arguments) for key, arguments in calls)))


def _told(cuts: tuple[Cut, ...]) -> str:
    """The cuts in words, the first of many one by one."""
    first = [str(each)[: LONGEST_NOTE // (MOST_TOLD * 2)] for each in cuts[:MOST_TOLD]]
    more = len(cuts) - len(first)
    return "; ".join(first) + (f"; and {more} more" if more else "")
