"""HTTP answers of the emulator, sound or changed by a fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.sandbox.faults import InjectedFault
from saasus_mcp.sandbox.state import Refusal

PAGE = b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>Under maintenance</h1></body></html>"
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer, without the headers that all answers share."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    retry_after: int | None = None


def encode_json(value: Any) -> bytes:
    """Return the value as JSON, in the form that the API writes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def refusal_answer(refusal: Refusal) -> HttpAnswer:
    """Return the answer to a refused call."""
    return HttpAnswer(refusal.status, encode_json({"type": refusal.kind, "message": refusal.message}))


def faulty_answer(fault: InjectedFault, answer: HttpAnswer) -> HttpAnswer | None:
    """Return the faulty answer, or None if nothing is sent."""
    if fault.kind == "status":
        kind = "too_many_requests" if fault.status == TOO_MANY else "internal_error"
        failure = refusal_answer(Refusal(fault.status, kind, "The sandbox is configured to fail."))
        return replace(failure, retry_after=fault.retry_after)
    if fault.kind == "html":
        return HttpAnswer(200, PAGE, "text/html; charset=utf-8")
    if fault.kind == "broken_json":
        return replace(answer, body=answer.body[: len(answer.body) // 2] or b'{"cut')
    if fault.kind == "empty":
        return replace(answer, body=b"")
    return None


def drifting_answer(fault: InjectedFault, answer: HttpAnswer) -> HttpAnswer:
    """Return a good answer as an API would give it that no longer matches its documents.

    The first object of a list drifts, or the answer itself. An answer that is not JSON is unchanged.
    """
    try:
        value = json.loads(answer.body)
    except ValueError:
        return answer
    target = _drifting(value)
    if not target:
        return answer
    name = fault.field or next(iter(target))
    if fault.kind == "extra_field":
        target["x_undocumented"] = {"since": "yesterday"}
    elif fault.kind == "missing_field":
        target.pop(name, None)
    else:
        target[name] = 12345 if isinstance(target.get(name), str) else "not what the documents say"
    return replace(answer, body=encode_json(value))


def _drifting(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    is_list = bool(lists) and value.keys() - {"cursor"} == {next(iter(value))}
    return lists[0][0] if is_list else value
