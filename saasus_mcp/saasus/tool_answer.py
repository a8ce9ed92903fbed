"""The answer of a call, for the model as text and as data, or the explanation of its failure. It contains no secret."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.common.json_parts import PART_BYTES, encode_large_json
from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, join_sentences, message, one_of
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.common.text import MAX_LENGTH, plain_text
from saasus_mcp.saasus import response_body
from saasus_mcp.saasus.client import ApiResponse, SendFailed
from saasus_mcp.saasus.redaction import NO_SECRETS, KnownSecrets
from saasus_mcp.saasus.response_schema import shape_response
from saasus_mcp.saasus.secret_names import hide_named_values, scrub_text
from saasus_mcp.saasus.secret_paths import Hide

_CACHE_SIZE = 512
"""More than the number of operations."""
_BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY_REQUESTS = 400, 401, 404, 429
_MAX_RETRY_AFTER = 7 * 24 * 3600
"""Seconds of a Retry-After that are repeated. A longer one is useless to the caller of a tool."""
_SUCCESS, _REDIRECT, _CLIENT_ERROR = 2, 3, 4
"""Classes of HTTP statuses, by the first digit."""
_STATUS_HINTS: Mapping[int, str] = {
    _BAD_REQUEST: "bad_request",
    _UNAUTHORIZED: "unauthorized",
    403: "forbidden",
    _NOT_FOUND: "not_found",
    _TOO_MANY_REQUESTS: "too_many_requests",
}

_OUTCOMES: Mapping[Outcome, Message] = {outcome: one_of("api.outcome", outcome.value) for outcome in Outcome}
"""The sentence that says whether a failed call changed something."""
DONE = {"applied": True}
"""The structured answer of a tool whose operation answers with an empty body."""


@dataclass(frozen=True, slots=True)
class AnswerImage:
    """An image beside an answer: a PNG in base64, or a text of fixed width for clients without images."""

    png: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, what to do next, and the sentence about the outcome unless it is the usual one."""

    message: Message
    hint: Message | None = None
    outcome: Message | None = None


def _unknown_arguments() -> Mapping[str, Any]:
    """Raise an error: with invented arguments, a reader of the stored answer would be checked against the wrong call."""
    raise LookupError("the answer is not that of a call")


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """The answer of one call.

    Attributes:
        ok: the operation succeeded.
        text: the answer as the model reads it: compact JSON, or what happened and what to do next, in English.
        structured: the answer as data, valid by the tool's outputSchema. None on failure.
        applied: whether something was changed. A read never changes anything.
        status: the API's HTTP status, or None without a response.
        retry_after: the seconds after which the API accepts another call, if it names them.
        note: how the answer differs from the API's documents, as it stands at the end of `text`, or empty.
        why: the reason of a refusal before anything was sent (permissions.refusal), or empty.
        figure: an image beside the answer.
        failure: what went wrong, for a reader in any language; or why a call was not sent, although that is no fault. Else None.
        encoded: a value and its JSON, if it was written already: large values are not written twice.
        redacted_arguments: returns the arguments of the call, secrets redacted. Called only if the answer has to be stored.
        app_data: what an app shows beside the answer. The model does not get it, and clients without apps neither.
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
    failure: Failure | None = None
    retry_after: float | None = None
    encoded: tuple[Any, bytes] | None = field(default=None, compare=False, repr=False)
    redacted_arguments: Callable[[], Mapping[str, Any]] = field(default=_unknown_arguments, compare=False, repr=False)
    app_data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_rate_limited(self) -> bool:
        """Whether the API refused the call because there were too many. It did nothing then."""
        return self.status == _TOO_MANY_REQUESTS

    def explain(self, language: Language) -> str:
        """Return the text of the answer, or the explanation of its failure in `language`."""
        if self.failure is None:
            return self.text
        return _explain(self.failure, self.applied, self.trace_id, language) + self.note

    def failure_parts(self, language: Language) -> tuple[str, ...]:
        """Return what happened, whether something changed, the trace id and what to do next, as far as there is one. Empty on success."""
        return () if self.failure is None else _parts(self.failure, self.applied, self.trace_id, language)

    @property
    def cause(self) -> str:
        """What `cause_in` returns in English, as a model reads it."""
        return self.cause_in("en")

    def cause_in(self, language: Language) -> str:
        """Return what happened and the trace id, for a text that says on its own whether anything was changed."""
        if self.failure is None:
            return self.text
        trace = message("api.trace_id", trace_id=plain_text(self.trace_id)).text(language) if self.trace_id else ""
        return " ".join(filter(None, (self.failure.message.text(language), trace)))

    def with_arguments(self, redacted: Callable[[], Mapping[str, Any]]) -> ToolAnswer:
        """Return the answer with the arguments of its call, unless it has them or is a failure, which is never stored."""
        has_them = self.redacted_arguments is not _unknown_arguments
        return self if has_them or not self.ok else replace(self, redacted_arguments=redacted)

    def with_outcome(self, applied: Outcome, sentence: Message) -> ToolAnswer:
        """Return the failure with another outcome and the sentence about it."""
        if self.failure is None:
            return replace(self, applied=applied)
        failure = replace(self.failure, outcome=sentence)
        text = _explain(failure, applied, self.trace_id, "en") + self.note
        return replace(self, applied=applied, failure=failure, text=text)


def build_answer(
    operation: Operation,
    response: ApiResponse,
    hide: Hide,
    known: KnownSecrets = NO_SECRETS,
    redacted_arguments: Callable[[], Mapping[str, Any]] = _unknown_arguments,
) -> ToolAnswer:
    """Return the answer that a response of the API stands for.

    Args:
        hide: called with each secret in the response. Its result is shown instead.
        known: the secrets of the call and of the server, removed wherever the API repeats them.
        redacted_arguments: see `ToolAnswer`. A failure is never stored, and has none.
    """
    if response.status // 100 != _SUCCESS:
        return _error_answer(operation, response, known)
    if not response.body.strip():
        return _empty_body_answer(operation, response)
    try:
        body = response_body.parse_body(response.body)
    except ValueError:
        is_html = b"<" in response.body[:64]
        fault = message("api.html_body" if is_html else "api.other_body", status=response.status)
        return _unusable_body_answer(operation, response, fault)
    value = known.redact(body.value, _declared_names(operation), body.texts)
    if not operation.answers:
        return _success(operation, response, DONE, drift=("answer: expected none",), full=hide_named_values(value))
    shaped = shape_response(operation, {"result": value} if operation.wrapped else value, hide, body.columns)
    return _success(
        operation,
        response,
        shaped.conforming,
        drift=shaped.drift,
        full=shaped.whole,
        redacted_arguments=redacted_arguments,
    )


def not_sent_answer(failure: SendFailed, trace_id: str) -> ToolAnswer:
    """Return the answer of a call whose request got no response."""
    return failed_answer(failure.message, failure.hint, applied=failure.applied, trace_id=trace_id)


def no_change_answer(operation: Operation, reason: Message, hint: Message | None) -> ToolAnswer:
    """Return the answer of a call that was not sent because it would change nothing."""
    structured, failure = {} if operation.answers else {"applied": False}, Failure(reason, hint)
    text = _explain(failure, Outcome.NOT_APPLIED, "", "en")
    return ToolAnswer(True, text, structured, why="no_change", failure=failure)


def failed_answer(
    message: Message,
    hint: Message | None = None,
    *,
    applied: Outcome = Outcome.NOT_APPLIED,
    status: int | None = None,
    trace_id: str = "",
    why: str = "",
) -> ToolAnswer:
    """Return a failure: what happened, whether something changed, the trace id, what to do next."""
    failure = Failure(message, hint)
    text = _explain(failure, applied, trace_id, "en")
    return ToolAnswer(False, text, None, applied, status, trace_id, why=why, failure=failure)


def _parts(failure: Failure, applied: Outcome, trace_id: str, language: Language) -> tuple[str, ...]:
    trace = message("api.trace_id", trace_id=plain_text(trace_id)) if trace_id else ""
    parts = (failure.message, failure.outcome or _OUTCOMES[applied], trace, failure.hint)
    texts = [part.text(language) if isinstance(part, Message) else part for part in parts]
    return tuple(filter(None, texts))


def _explain(failure: Failure, applied: Outcome, trace_id: str, language: Language) -> str:
    return join_sentences(_parts(failure, applied, trace_id, language), language)


def _success(
    operation: Operation,
    response: ApiResponse,
    structured: Any,
    *,
    drift: tuple[str, ...],
    full: Any,
    redacted_arguments: Callable[[], Mapping[str, Any]] = _unknown_arguments,
) -> ToolAnswer:
    note = f"\n[The API's answer differs from its documents: {'; '.join(drift)}]" if drift else ""
    if (
        operation.empty
        and isinstance(full, dict)
        and not any(isinstance(each, list) and each for each in full.values())
    ):
        note += f"\n[{operation.empty}]"
    applied = Outcome.NOT_APPLIED if operation.reads else Outcome.APPLIED
    is_large = len(response.body) > PART_BYTES
    encoded = encode_large_json(full) if is_large else encode_json(full)
    text = encoded.decode() + note
    return ToolAnswer(
        True,
        text,
        structured,
        applied,
        response.status,
        response.trace_id,
        note,
        encoded=(full, encoded),
        redacted_arguments=redacted_arguments,
    )


def _empty_body_answer(operation: Operation, response: ApiResponse) -> ToolAnswer:
    if operation.reads and operation.answers:
        return _unusable_body_answer(operation, response, message("api.empty_body"))
    if operation.answers:
        return _success(operation, response, {}, drift=("answer: expected an object, got an empty body",), full={})
    return _success(operation, response, DONE, drift=(), full=DONE)


def _unusable_body_answer(operation: Operation, response: ApiResponse, fault: Message) -> ToolAnswer:
    applied = Outcome.NOT_APPLIED if operation.reads else Outcome.UNKNOWN
    hint = message("api.check_state_hint" if applied is Outcome.UNKNOWN else "api.later_hint")
    return failed_answer(fault, hint, applied=applied, status=response.status, trace_id=response.trace_id)


@lru_cache(maxsize=_CACHE_SIZE)
def _declared_names(operation: Operation) -> frozenset[str]:
    """Return the names of the fields that the operation's answer declares, at any depth."""
    return frozenset(_names(operation.output_schema))


def _names(schema: Schema) -> Iterator[str]:
    yield from schema.get("properties", {})
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for each in (*inner, schema.get("items"), schema.get("additionalProperties")):
        if isinstance(each, dict):
            yield from _names(each)


def _error_answer(operation: Operation, response: ApiResponse, known: KnownSecrets) -> ToolAnswer:
    """Return the failure of a status other than 2xx.

    A 4xx means that nothing was done. After a 5xx, the outcome of a write is unknown.
    """
    kind, text = _error_text(response.body, known)
    if kind and text:
        fault = message("api.error_with_type", status=response.status, type=kind, text=text)
    elif kind or text:
        fault = message("api.error_with_text", status=response.status, text=kind or text)
    else:
        fault = message("api.error", status=response.status)
    is_unknown = not operation.reads and response.status // 100 != _CLIENT_ERROR
    applied = Outcome.UNKNOWN if is_unknown else Outcome.NOT_APPLIED
    hint = _status_hint(operation, response.status, applied, named=bool(text))
    if response.retry_after is not None:
        seconds = math.ceil(min(response.retry_after, _MAX_RETRY_AFTER))
        hint = (
            message("api.wait_hint", seconds=seconds)
            if response.status == _TOO_MANY_REQUESTS
            else message("api.and_wait_hint", hint=hint, seconds=seconds)
        )
    answer = failed_answer(fault, hint, applied=applied, status=response.status, trace_id=response.trace_id)
    return replace(answer, retry_after=response.retry_after)


def _error_text(raw: bytes, known: KnownSecrets) -> tuple[str, str]:
    """Return `type` and `message` of an error body as safe text, or empty texts for any other body."""
    try:
        value = response_body.parse_body(raw).value
    except ValueError:
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    return _safe_text(value.get("type"), known), _safe_text(value.get("message"), known)


def _safe_text(value: object, known: KnownSecrets) -> str:
    return plain_text(scrub_text(known.text(str(known.redact(value) or ""))[:MAX_LENGTH])).rstrip(". ")


def _status_hint(operation: Operation, status: int, applied: Outcome, *, named: bool) -> Message:
    if applied is Outcome.UNKNOWN:
        return message("api.status_hint.unknown")
    if status // 100 == _REDIRECT:
        return message("api.status_hint.redirect")
    if status == _UNAUTHORIZED and operation.effects.user_token is not None:
        return message("api.bad_user_token_hint", alternative=operation.effects.user_token)
    if status == _BAD_REQUEST and named:
        return message("api.bad_request_named_hint")
    if status == _NOT_FOUND and operation.lookup_tools:
        return message("api.look_up_hint", tools=operation.lookup_tools)
    by_address = status == _NOT_FOUND and "email" in operation.query_parameters
    return one_of("api.status_hint", "no_such_address" if by_address else _STATUS_HINTS.get(status, "other"))
