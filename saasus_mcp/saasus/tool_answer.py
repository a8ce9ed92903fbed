"""What the pipeline gives back of one call: an answer or a failure, in words and as data. Nothing in it is secret."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.messages import Message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.common.text import MAX_LENGTH, plain_text
from saasus_mcp.saasus import response_body
from saasus_mcp.saasus.client import ApiResponse, SendFailed
from saasus_mcp.saasus.redaction import NO_SECRETS, KnownSecrets
from saasus_mcp.saasus.response_schema import shape_response
from saasus_mcp.saasus.secret_names import Hide, hide_named_values, scrub_text

MAX_OPERATIONS = 512
"""Operations whose declared names are kept: more than there are."""
TOO_MANY = 429
MAX_RETRY_AFTER = 7 * 24 * 3600
"""Seconds of a Retry-After: a longer one is no answer to a call."""
SUCCESS, REDIRECT, CALLERS_FAULT = 2, 3, 4
"""Families of HTTP statuses, by their first digit."""


OUTCOMES: Mapping[Outcome, str] = {
    Outcome.APPLIED: "Outcome: applied.",
    Outcome.NOT_APPLIED: "Outcome: not_applied, nothing was changed.",
    Outcome.UNKNOWN: "Outcome: unknown, the change may or may not have been made.",
}
"""Whether a failed call changed anything, as the model reads it."""
DONE = {"applied": True}
"""What a tool answers where the API answers with nothing."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class AnswerImage:
    """Something to look at beside an answer: a PNG in base64, or a text of fixed width where there is no picture."""

    png: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """The answer of one call.

    Attributes:
        ok: whether the operation did what was asked.
        text: for the model to read: compact JSON, or what happened and what to do next.
        structured: satisfies the tool's outputSchema; None on failure.
        applied: whether anything was changed, as far as is known; a read never changes anything.
        status: the API's HTTP status, or None where nothing came back.
        note: how the answer differs from its documents, which stands at the end of `text`; empty where it does not.
        why: a word for why it was refused before anything was sent (permissions.refusal); empty where it was not.
        figure: what is shown beside it.
    """

    ok: bool
    text: str
    structured: dict[str, Any] | None = None
    applied: Outcome = Outcome.NOT_APPLIED
    status: int | None = None
    trace_id: str = ""
    note: str = ""
    why: str = ""
    figure: AnswerImage | None = None


def build_answer(
    operation: Operation, response: ApiResponse, hide: Hide, known: KnownSecrets = NO_SECRETS
) -> ToolAnswer:
    """What the API's response means.

    Args:
        hide: called with each secret in it (see saasus.shape).
        known: the secrets of the call and of the server, removed where the API repeats them.
    """
    if response.status // 100 != SUCCESS:
        return _refused(operation, response, known)
    if not response.body.strip():
        return _empty(operation, response)
    try:
        value = response_body.parse_body(response.body)
    except ValueError:
        return _unreadable(operation, response)
    value = known.redact(value, _declared(operation))
    if not operation.answers:
        return _done(operation, response, DONE, ("answer: expected none",), hide_named_values(value))
    shaped = shape_response(operation, {"result": value} if operation.wrapped else value, hide)
    return _done(operation, response, shaped.conforming, shaped.drift, shaped.whole)


def not_sent_answer(failure: SendFailed, trace_id: str) -> ToolAnswer:
    """The answer of a call whose request came back with nothing."""
    return failed_answer(failure.message, failure.hint, applied=failure.applied, trace_id=trace_id)


def no_change_answer(operation: Operation, message: Message | str) -> ToolAnswer:
    """The answer of a call that was not made because it would leave everything as it is."""
    structured = {} if operation.answers else {"applied": False}
    return ToolAnswer(True, f"{message} {OUTCOMES[Outcome.NOT_APPLIED]}", structured, why="no_change")


def failed_answer(
    message: Message | str,
    mend: Message | str = "",
    *,
    applied: Outcome = Outcome.NOT_APPLIED,
    status: int | None = None,
    trace_id: str = "",
) -> ToolAnswer:
    """A failure as the model reads it: what happened, whether anything changed, the trace id, what to do next."""
    parts = [str(message), OUTCOMES[applied], f"Trace id: {plain_text(trace_id)}." if trace_id else "", str(mend)]
    return ToolAnswer(False, " ".join(filter(None, parts)), None, applied, status, trace_id)


def compact_json(value: Any) -> str:
    """JSON as a model should pay for it: no spaces, no escapes where none are needed."""
    return _ENCODER.encode(value)


def _done(
    operation: Operation, response: ApiResponse, structured: Any, drift: tuple[str, ...], whole: Any
) -> ToolAnswer:
    note = f"\n[The API's answer differs from its documents: {'; '.join(drift)}]" if drift else ""
    applied: Outcome = Outcome.NOT_APPLIED if operation.reads else Outcome.APPLIED
    return ToolAnswer(True, compact_json(whole) + note, structured, applied, response.status, response.trace_id, note)


def _empty(operation: Operation, response: ApiResponse) -> ToolAnswer:
    if operation.reads and operation.answers:
        return _because(operation, response, "The API answered with an empty body where data was expected.")
    if operation.answers:
        drift = ("answer: expected an object, got an empty body",)
        return _done(operation, response, {}, drift, {})
    return _done(operation, response, DONE, (), DONE)


def _unreadable(operation: Operation, response: ApiResponse) -> ToolAnswer:
    kind = "an HTML page" if b"<" in response.body[:64] else "something that is not JSON"
    said = f"HTTP {response.status}, but with {kind}: a proxy may have answered instead of the API."
    return _because(operation, response, said)


def _because(operation: Operation, response: ApiResponse, message: str) -> ToolAnswer:
    applied: Outcome = Outcome.NOT_APPLIED if operation.reads else Outcome.UNKNOWN
    mend = "Check the current state before repeating the call." if applied == "unknown" else "Try again later."
    return failed_answer(message, mend, applied=applied, status=response.status, trace_id=response.trace_id)


@lru_cache(maxsize=MAX_OPERATIONS)
def _declared(operation: Operation) -> frozenset[str]:
    """The names of the fields that the operation's answer declares, at any depth."""
    return frozenset(_names(operation.output_schema))


def _names(schema: Schema) -> Iterator[str]:
    yield from schema.get("properties", {})
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for each in (*below, schema.get("items"), schema.get("additionalProperties")):
        if isinstance(each, dict):
            yield from _names(each)


def _refused(operation: Operation, response: ApiResponse, known: KnownSecrets) -> ToolAnswer:
    """A status other than 2xx. A 4xx means that nothing was done; after a 5xx to a write, nobody knows."""
    kind, message = _error(response.body, known)
    said = f"The SaaSus API answered HTTP {response.status}"
    if kind or message:
        said += f" {kind}: {message}" if kind and message else f": {kind or message}"
    unsure = not operation.reads and response.status // 100 != CALLERS_FAULT
    applied: Outcome = Outcome.UNKNOWN if unsure else Outcome.NOT_APPLIED
    mend = _next(response.status, applied, response.retry_after)
    return failed_answer(said + ".", mend, applied=applied, status=response.status, trace_id=response.trace_id)


def _error(raw: bytes, known: KnownSecrets) -> tuple[str, str]:
    """`type` and `message` of an error body, as safe text; both empty where it is no such body."""
    try:
        value = response_body.parse_body(raw)
    except ValueError:
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    return _words(value.get("type"), known), _words(value.get("message"), known)


def _words(value: object, known: KnownSecrets) -> str:
    return plain_text(scrub_text(known.text(str(value or ""))[:MAX_LENGTH])).rstrip(". ")


def _next(status: int, applied: Outcome, retry_after: float | None) -> str:
    """Say what to do after an error status, and when where the API said so."""
    if retry_after is None:
        return _what_next(status, applied)
    wait = f"wait {math.ceil(min(retry_after, MAX_RETRY_AFTER))} seconds before the next call."
    if status == TOO_MANY:
        return f"Too many requests: {wait}"
    return f"{_what_next(status, applied)} The API asks to {wait}"


def _what_next(status: int, applied: Outcome) -> str:
    if applied == "unknown":
        return "Check the current state before repeating the call. A 500 can also mean an error in the request."
    if status // 100 == REDIRECT:
        return "Redirects are not followed: check the API base URL with `saasus-mcp doctor`."
    return {
        400: "Check the arguments against the tool's description.",
        401: "The signature or a token was not accepted: `saasus-mcp doctor` checks credentials and clock.",
        403: "The SaaS or the caller's address is not allowed to do this.",
        404: "Look up the id with the matching list or search tool.",
        TOO_MANY: "Too many requests: wait before the next call.",
    }.get(status, "Try again later. If the problem persists, give the trace id to SaaSus support.")
