"""A sandbox that lists what arrives, and misbehaves in more ways than its command offers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx2

from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.sandbox import Sandbox
from saasus_mcp.sandbox.app import MatchedOperation, Send, _cut
from saasus_mcp.sandbox.faults import EVERY, FaultInjector, InjectedFault, Kind
from saasus_mcp.sandbox.http_answers import HttpAnswer, failing_answer
from saasus_mcp.sandbox.incoming_request import IncomingRequest, Receive, Scope

PAGE = b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>Under maintenance</h1></body></html>"
AnyKind = (
    Kind
    | Literal[
        "status_after",
        "reset_before",
        "html",
        "broken_json",
        "empty",
        "extra_field",
        "missing_field",
        "wrong_type",
    ]
)
"""Kinds of the command, and: the operation runs before the status, broken_json, empty and drift; not before html."""


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as received. `target` is the raw path with its query; `operation` is empty if no route matched."""

    method: str
    target: str
    body: bytes
    operation: str


@dataclass
class _Scheduled:
    kind: AnyKind
    fault: InjectedFault
    field: str
    left: int | None

    def hits(self, operation: str) -> bool:
        """Count a request for this operation."""
        if self.left == 0 or self.fault.on not in (EVERY, operation):
            return False
        self.left = None if self.left is None else self.left - 1
        return True


class ScheduledFaults(FaultInjector):
    """Faults for a number of requests."""

    def __init__(self) -> None:
        super().__init__()
        self._counted: list[_Scheduled] = []
        self._answers: list[_Scheduled] = []

    def add(self, kind: AnyKind, *, times: int | None = None, field: str = "", **given: Any) -> None:
        """Add a fault.

        Args:
            kind: what happens.
            times: the number of requests; unlimited by default.
            field: the field that drifts: of the answer, or of the first item of its list. The first field by default.
            given: attributes of `InjectedFault`.
        """
        if kind in ("latency", "status", "reset", "drop"):
            self._counted.append(_Scheduled(kind, InjectedFault(kind, **given), field, times))
        else:
            self._answers.append(_Scheduled(kind, InjectedFault("status", **given), field, times))

    def clear(self, on: str | None = None) -> None:
        """Remove all faults, or those of one operation."""
        self._counted = [each for each in self._counted if on not in (None, each.fault.on)]
        self._answers = [each for each in self._answers if on not in (None, each.fault.on)]

    def take(self, operation: str) -> tuple[InjectedFault, ...]:
        self.active = [each.fault for each in self._counted if each.hits(operation)]
        return super().take(operation)

    def take_answers(self, operation: str) -> Iterator[_Scheduled]:
        """Yield the faults that change the answer of an operation, and count each."""
        return (each for each in self._answers if each.hits(operation))


class FaultySandbox(Sandbox):
    """A sandbox with scheduled faults.

    Attributes:
        requests: all that arrived, oldest first.
    """

    faults: ScheduledFaults

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.faults = ScheduledFaults()
        self.requests: list[ReceivedRequest] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except httpx2.ReadError:
            await _cut(scope, receive)

    def _route(self, request: IncomingRequest) -> MatchedOperation | None:
        found = super()._route(request)
        key = found[0].key if found else ""
        self.requests.append(ReceivedRequest(request.method, request.target, request.body, key))
        return found

    def _run(self, request: IncomingRequest, found: MatchedOperation | None, trace_id: str) -> HttpAnswer:
        told = list(self.faults.take_answers(found[0].key if found else ""))
        for each in told:
            if each.kind == "reset_before":
                raise httpx2.ReadError("The sandbox cut the connection.")
            if each.kind == "html":
                return HttpAnswer(200, PAGE, "text/html; charset=utf-8")
        answer = super()._run(request, found, trace_id)
        for each in told:
            answer = _changed(each, answer)
        return answer


def _changed(scheduled: _Scheduled, answer: HttpAnswer) -> HttpAnswer:
    if scheduled.kind == "status_after":
        return failing_answer(scheduled.fault)
    if scheduled.kind == "broken_json":
        return replace(answer, body=answer.body[: len(answer.body) // 2] or b'{"cut')
    if scheduled.kind == "empty":
        return replace(answer, body=b"")
    return _drifting(scheduled, answer)


def _drifting(scheduled: _Scheduled, answer: HttpAnswer) -> HttpAnswer:
    """Return a good answer as an API would give it that no longer matches its documents. Without fields it is unchanged."""
    value = json.loads(answer.body) if answer.body else None
    if not isinstance(value, dict) or not value:
        return answer
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    is_list = bool(lists) and value.keys() - {"cursor"} == {next(iter(value))}
    target = lists[0][0] if is_list else value
    name = scheduled.field or next(iter(target))
    if scheduled.kind == "extra_field":
        target["x_undocumented"] = {"since": "yesterday"}
    elif scheduled.kind == "missing_field":
        target.pop(name, None)
    else:
        target[name] = 12345 if isinstance(target.get(name), str) else "not what the documents say"
    return replace(answer, body=encode_json(value))
