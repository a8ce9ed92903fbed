"""HTTP answers of the emulator: sound, made up from a schema, or changed by a fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.common.json_path import Schema
from saasus_mcp.sandbox.faults import InjectedFault
from saasus_mcp.sandbox.state import Refusal, uid

PAGE = b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>Under maintenance</h1></body></html>"
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer, without the headers that all answers share."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    retry_after: int | None = None


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


BY_NAME: dict[str, Any] = {
    "link": "https://console.aws.example.com/cloudformation/home#/stacks/create/review?stackName=sandbox",
    "secret_code": "SANDBOXSANDBOXSANDBOX234",
    "challenge_name": "PASSWORD_VERIFIER",
}
"""Fields for which a made-up text would mislead."""


def sample_of(schema: Schema, name: str = "value") -> Any:
    """Return a value that satisfies the schema, with every declared field. `name` is the field that contains it."""
    if name in BY_NAME:
        return BY_NAME[name]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {field: sample_of(below, field) for field, below in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample_of(schema["items"], name)]
    return {"boolean": False, "integer": 1, "number": 1.0}.get(kind, _text(schema, name))


def _text(schema: Schema, name: str) -> str:
    if name == "id" or name.endswith("_id"):
        return uid("sample", name)
    return {"date": "2026-01-01", "date-time": "2026-01-01T00:00:00Z"}.get(schema.get("format", ""), f"sandbox-{name}")


def declared_fields(schema: Schema, value: Any) -> Any:
    """Return the value without undeclared fields, since records contain more than the API shows."""
    if "anyOf" in schema:
        return value if value is None else declared_fields(schema["anyOf"][0], value)
    if isinstance(value, dict) and "properties" in schema:
        declared = schema["properties"]
        return {name: declared_fields(below, value[name]) for name, below in declared.items() if name in value}
    if isinstance(value, list) and "items" in schema:
        return [declared_fields(schema["items"], item) for item in value]
    return value
