"""Large answers: what a model gets is cut to a budget, and the whole stays readable for whoever asked."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.inspection.target import redact_arguments
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.tool_answer import ToolAnswer, compact_json
from saasus_mcp.server.results.truncation import Truncation, truncate
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.store import StoredResult, StoreError

if TYPE_CHECKING:
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)

ANSWER_BUDGET = 24 * 1024
RESULT_LIFETIME = 24 * 3600
RESULTS_URI = "saasus://results/"
RESULT_PURPOSE = "result"
PNG_TYPE = "image/png"
MAX_REPORTED_TRUNCATIONS = 5
"""Cuts that are told one by one."""
NOTE_BYTES = 600
"""Bytes kept free for what is said of the cuts."""


SourceCall = tuple[str, Mapping[str, Any] | None]
"""A call by the key of its operation and its arguments, secrets hidden; None where it stands for any arguments."""


@dataclass(frozen=True, slots=True)
class ResultOrigin:
    """Where an answer comes from.

    Attributes:
        name: the operation's key, or the name of a tool of our own.
        calls: those whose answers it was made of: whoever reads it must be allowed all of them at that time.
    """

    name: str
    calls: tuple[SourceCall, ...]

    def reader(self, principal: Principal) -> Principal:
        """Return the principal under whose narrowing the answer is read: an answer of a job is that of the job's calls."""
        return principal if "." in self.name or not self.calls else principal.for_job(self.name)

    @classmethod
    def of_operation(cls, operation: Operation, arguments: Mapping[str, Any]) -> ResultOrigin:
        """An operation called with these arguments."""
        return cls(operation.key, ((operation.key, redact_arguments(operation, arguments)),))


@dataclass(frozen=True, slots=True)
class FullResult:
    """A kept answer."""

    value: Any
    origin: ResultOrigin


FindForbidden = Callable[[Iterable[SourceCall], Principal], Awaitable[str]]
"""The tool of the first of some calls that would be denied to somebody today; empty where none would."""


def result_of_png(png: str) -> dict[str, str]:
    """A PNG, in base64, as it is kept: in the words of the protocol."""
    return {"mimeType": PNG_TYPE, "blob": png}


def png_of_result(kept: object) -> str | None:
    """The PNG that was kept, in base64; None where it is something else."""
    if isinstance(kept, dict) and kept.keys() == {"mimeType", "blob"} and kept["mimeType"] == PNG_TYPE:
        return str(kept["blob"])
    return None


class ResultStore:
    """Cuts and keeps the answers of one SaaS.

    Args:
        forbidden: asked before a kept answer is given out again.
        budget: bytes of JSON that one answer may have.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        sealer: Encryptor,
        *,
        profile: str,
        clock: Callable[[], float],
        find_forbidden: FindForbidden,
        budget: int = ANSWER_BUDGET,
    ) -> None:
        self._open = store
        self._sealer = sealer
        self._profile = profile
        self._clock = clock
        self._find_forbidden = find_forbidden
        self._budget = budget

    def fits(self, answer: ToolAnswer) -> bool:
        """Whether an answer is within its budget."""
        return len(answer.text.encode()) <= self._budget

    async def truncate(self, answer: ToolAnswer, principal: Principal, source: ResultOrigin) -> ToolAnswer:
        """The answer within its budget. What was cut is said, with the true count and where the whole is."""
        if not answer.ok or self.fits(answer):
            return answer
        return await worker_threads.run_in_worker(principal.id, lambda: self._fitted(answer, principal.id, source))

    async def read(self, identifier: str, principal: Principal) -> FullResult | None:
        """A whole answer that was kept for this principal; None where there is none, or its time is over.

        Raises:
            Refused: a call that it was made of would be denied to the principal today.
        """
        whole = await worker_threads.run_in_worker(principal.id, lambda: self.find_result(identifier, principal.id))
        if whole is None:
            return None
        reader = whole.origin.reader(principal)
        denied = await self._find_forbidden(whole.origin.calls, reader)
        if denied:
            if not await self._find_forbidden(whole.origin.calls, reader.without_narrowing):
                raise CallRefused(
                    Reason.NARROWED,
                    f"This result comes from {denied}, which you are not allowed to call.",
                    NARROWED_HINT,
                )
            raise CallRefused(
                Reason.DENIED,
                f"This result comes from a call of {denied} that you are no longer allowed to make.",
                "Do not try again. The operator's policy decides; saasus://policy says what you may do.",
            )
        return whole

    def list_results(self, principal: str) -> list[StoredResult]:
        """What is kept for a principal, newest first, without what it holds."""
        return self._open().results.list_results(principal, self._profile, self._clock())

    def _fitted(self, answer: ToolAnswer, principal: str, source: ResultOrigin) -> ToolAnswer:
        whole = answer.structured if answer.structured is not None else answer.text
        shown, cuts = truncate(whole, self._budget - NOTE_BYTES - len(answer.note.encode()))
        identifier = self.store_result(whole, principal, source)
        where = (
            f"Full response for 24 hours: {RESULTS_URI}{identifier}; select_from_result picks from it"
            if identifier
            else "The full response could not be stored: request less data"
        )
        text = shown if isinstance(shown, str) else compact_json(shown)
        said = f"{answer.note}\n[Truncated. {_told(cuts)}. {where}.]"
        return replace(answer, text=text + said, structured=shown if answer.structured is not None else None)

    def find_result(self, identifier: str, principal: str) -> FullResult | None:
        """A whole answer that was kept for this principal, for what goes to no model."""
        return open_result(self._open(), self._sealer, identifier, (principal, self._profile), self._clock())

    def store_result(self, whole: Any, principal: str, source: ResultOrigin) -> str:
        """Keep an answer for this principal: its id, or nothing where it cannot be kept."""
        identifier, now = secrets.token_hex(12), self._clock()
        sealed = self._sealer.encrypt([whole, source.calls], RESULT_PURPOSE + identifier)
        kept = StoredResult(identifier, principal, self._profile, source.name, now, now + RESULT_LIFETIME, sealed)
        try:
            self._open().results.add(kept)
        except StoreError as error:
            log.warning("a large response could not be stored: %s", error.message)
            return ""
        return identifier


def open_result(
    store: Store, sealer: Encryptor, identifier: str, whose: tuple[str, str], now: float
) -> FullResult | None:
    """A whole answer out of a store; None where there is none, or its time is over.

    Args:
        whose: the principal for whom it was kept, and in which profile.
    """
    kept = store.results.get(identifier.removeprefix(RESULTS_URI), *whose, now)
    inside = sealer.decrypt(kept.sealed, RESULT_PURPOSE + kept.id) if kept is not None else None
    if kept is None or inside is None:
        return None
    value, calls = inside
    return FullResult(value, ResultOrigin(kept.operation, tuple((key, arguments) for key, arguments in calls)))


def _told(cuts: tuple[Truncation, ...]) -> str:
    """The cuts in words, the first of many one by one."""
    first = [str(each)[: NOTE_BYTES // (MAX_REPORTED_TRUNCATIONS * 2)] for each in cuts[:MAX_REPORTED_TRUNCATIONS]]
    more = len(cuts) - len(first)
    return "; ".join(first) + (f"; and {more} more" if more else "")
