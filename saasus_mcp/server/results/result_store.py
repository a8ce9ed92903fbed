"""Large answers: the model reads a truncated copy, and the full answer is stored encrypted for the caller."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_bytes import compact_json, encode_json
from saasus_mcp.common.json_parts import encode_large_json
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.results.truncation import Truncation, truncate
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import StoredResult

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

log = logging.getLogger(__name__)

ANSWER_BUDGET = 24 * 1024
RESULT_LIFETIME = 24 * 3600
RESULTS_URI = "saasus://results/"
RESULT_PURPOSE = "result"
PNG_TYPE = "image/png"
MAX_REPORTED_TRUNCATIONS = 5
"""Truncations that a note lists one by one."""
NOTE_BYTES = 600
"""Bytes reserved for the note about truncations."""

SourceCall = tuple[str, Mapping[str, Any] | None]
"""The key of an operation and the arguments of a call, secrets redacted. None stands for any arguments."""


@dataclass(frozen=True, slots=True)
class ResultOrigin:
    """The calls that an answer was made from.

    Attributes:
        name: the key of an operation, or the name of a built-in tool or job.
        calls: a reader of the stored answer must be allowed to make all of them at that time.
    """

    name: str
    calls: tuple[SourceCall, ...]

    def reader(self, principal: Principal) -> Principal:
        """Return the principal with the narrowing that applies to the calls. The calls of a job have the narrowing of the job."""
        return principal if "." in self.name or not self.calls else principal.for_job(self.name)

    @classmethod
    def of_operation(cls, operation: Operation, arguments: Mapping[str, Any]) -> ResultOrigin:
        """Return the origin of the answer of one operation. The arguments have their secrets redacted."""
        return cls(operation.key, ((operation.key, arguments),))


@dataclass(frozen=True, slots=True)
class FullResult:
    """A stored answer."""

    value: Any
    origin: ResultOrigin


FindForbidden = Callable[[Iterable[SourceCall], Principal], Awaitable[str]]
"""Returns the tool of the first call that would be denied to the principal now, or an empty text."""


def result_of_png(png: str) -> dict[str, str]:
    """Return the stored form of a PNG in base64."""
    return {"mimeType": PNG_TYPE, "blob": png}


def png_of_result(value: object) -> str | None:
    """Return the PNG in base64, or None if the stored value is not a picture."""
    if isinstance(value, dict) and value.keys() == {"mimeType", "blob"} and value["mimeType"] == PNG_TYPE:
        return str(value["blob"])
    return None


@dataclass(slots=True)
class ResultStore:
    """Truncates and stores the answers of one profile.

    Attributes:
        find_forbidden: called before a stored answer is returned.
        budget: bytes of JSON in one answer.
    """

    open_store: Callable[[], Store]
    encryptor: Encryptor
    _: KW_ONLY
    profile: str
    clock: Callable[[], float]
    find_forbidden: FindForbidden
    budget: int = ANSWER_BUDGET

    def fits(self, answer: ToolAnswer) -> bool:
        """Return whether an answer is within the budget."""
        return len(answer.text) <= self.budget and len(answer.text.encode()) <= self.budget

    async def truncate(self, answer: ToolAnswer, principal: Principal, origin: ResultOrigin) -> ToolAnswer:
        """Return the answer within the budget. A note gives the true counts and the address of the full answer."""
        if not answer.ok or self.fits(answer):
            return answer
        return await worker_threads.run_in_worker(principal.id, lambda: self._truncate(answer, principal.id, origin))

    async def read(self, id: str, principal: Principal) -> FullResult | None:
        """Return a stored answer of this principal, or None if there is no such answer or it has expired.

        Raises:
            CallRefused: a call that the answer was made from would be denied to the principal now.
        """
        result = await worker_threads.run_in_worker(principal.id, lambda: self.find_result(id, principal.id))
        if result is None:
            return None
        calls, reader = result.origin.calls, result.origin.reader(principal)
        denied = await self.find_forbidden(calls, reader)
        if not denied:
            return result
        if await self.find_forbidden(calls, reader.without_narrowing):
            text, hint = message("server.result_denied", tool=denied), message("server.result_denied_hint")
            raise CallRefused(Reason.DENIED, text, hint)
        raise CallRefused(Reason.NARROWED, message("server.result_narrowed", tool=denied), NARROWED_HINT)

    def list_results(self, principal: str) -> list[StoredResult]:
        """Return the stored answers of a principal, newest first, without their content."""
        return self.open_store().results.list_results(principal, self.profile, self.clock())

    def find_result(self, id: str, principal: str) -> FullResult | None:
        """Return a stored answer without a check of the policy, for a reader that is not a model."""
        return open_result(
            self.open_store(), self.encryptor, id, principal=principal, profile=self.profile, now=self.clock()
        )

    def store_result(self, value: Any, principal: str, origin: ResultOrigin) -> str:
        """Store an answer for this principal. Return its id, or an empty text if the store fails."""
        return self._store(encode_large_json(value), principal, origin)

    def _store(self, encoded: bytes, principal: str, origin: ResultOrigin) -> str:
        identifier, now = secrets.token_hex(12), self.clock()
        content = b"[%b,%b]" % (encoded, encode_json(origin.calls))
        sealed = self.encryptor.encrypt_json(content, RESULT_PURPOSE + identifier)
        try:
            self.open_store().results.add(
                StoredResult(identifier, principal, self.profile, origin.name, now, now + RESULT_LIFETIME, sealed)
            )
        except StoreError as error:
            log.warning("a large response could not be stored: %s", error.message)
            return ""
        return identifier

    def _truncate(self, answer: ToolAnswer, principal: str, origin: ResultOrigin) -> ToolAnswer:
        full = answer.structured if answer.structured is not None else answer.text
        encoded = answer.encoded[1] if answer.encoded and answer.encoded[0] is full else encode_large_json(full)
        shown, truncations = truncate(full, self.budget - NOTE_BYTES - len(answer.note.encode()), len(encoded))
        identifier = self._store(encoded, principal, origin)
        address = (
            f"Full response for 24 hours: {RESULTS_URI}{identifier}; select_from_result picks from it"
            if identifier
            else "The full response could not be stored: request less data"
        )
        text = shown if isinstance(shown, str) else compact_json(shown)
        note = f"{answer.note}\n[Truncated. {_list_truncations(truncations)}. {address}.]"
        kept = {"result": RESULTS_URI + identifier} if identifier else {}
        totals = {each.path: each.total for each in truncations[:MAX_REPORTED_TRUNCATIONS] if each.unit == "items"}
        return replace(
            answer,
            text=text + note,
            structured=shown if answer.structured is not None else None,
            encoded=None,
            app_data={**answer.app_data, **kept, "totals": totals},
        )


def open_result(
    store: Store, encryptor: Encryptor, id: str, *, principal: str, profile: str, now: float
) -> FullResult | None:
    """Return a stored answer of a principal in a profile, or None if there is no such answer or it has expired."""
    stored = store.results.get(id.removeprefix(RESULTS_URI), principal, profile, now)
    content = encryptor.decrypt(stored.sealed, RESULT_PURPOSE + stored.id) if stored is not None else None
    if stored is None or content is None:
        return None
    value, calls = content
    return FullResult(value, ResultOrigin(stored.operation, tuple((key, arguments) for key, arguments in calls)))


def _list_truncations(truncations: tuple[Truncation, ...]) -> str:
    longest = NOTE_BYTES // (MAX_REPORTED_TRUNCATIONS * 2)
    listed = [str(each)[:longest] for each in truncations[:MAX_REPORTED_TRUNCATIONS]]
    more = len(truncations) - len(listed)
    return "; ".join(listed) + (f"; and {more} more" if more else "")
