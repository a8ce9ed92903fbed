"""HTTP answers of the emulator: sound, made up from a schema, or the failure of a fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.common.json_path import Schema
from saasus_mcp.sandbox.faults import InjectedFault
from saasus_mcp.sandbox.state import Refusal, uid

TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer, without the headers that all answers share."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    retry_after: int | None = None


def refusal_answer(refusal: Refusal) -> HttpAnswer:
    return HttpAnswer(refusal.status, encode_json({"type": refusal.kind, "message": refusal.message}))


def failing_answer(fault: InjectedFault) -> HttpAnswer:
    kind = "too_many_requests" if fault.status == TOO_MANY else "internal_error"
    failure = refusal_answer(Refusal(fault.status, kind, "The sandbox is configured to fail."))
    return replace(failure, retry_after=fault.retry_after)


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
