"""The emulated API as an ASGI application: authenticate, route, validate, run and log a request, under the faults in force."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC
from email.utils import format_datetime
from typing import Any

import anyio
import httpx2

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.saasus.signature import Clock, Credentials, now
from saasus_mcp.sandbox import behaviours, incoming_request, seed
from saasus_mcp.sandbox.behaviours import logs
from saasus_mcp.sandbox.call import SandboxCall
from saasus_mcp.sandbox.engine import require_known
from saasus_mcp.sandbox.faults import FaultInjector
from saasus_mcp.sandbox.http_answers import HttpAnswer, declared_fields, failing_answer, refusal_answer, sample_of
from saasus_mcp.sandbox.incoming_request import IncomingRequest, Routes
from saasus_mcp.sandbox.state import Refusal, State, missing, uid

CREDENTIALS = Credentials(saas_id="sandbox", api_key="sandbox-api-key", secret_key="sandbox-secret-key")  # noqa: S106 - public
MatchedOperation = tuple[Operation, tuple[str, ...]]
"""An operation, and the raw values of its path."""
CONNECTION = "saasus_mcp.sandbox.connection"
"""Where in the ASGI state the served sandbox finds the connection that it may have to cut."""
TRACE = "x-saasus-trace-id"

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_log = logging.getLogger(__name__)


class Sandbox:
    """An emulated SaaSus API with demonstration data of its own.

    Args:
        catalogue: the operations that it answers.
        clock: the present; data and deadlines are relative to it.
        state: the data; demonstration data if omitted.

    Attributes:
        faults: the faults in force; may be changed at any time.
        state: the current data.
    """

    def __init__(self, catalogue: Catalogue, *, clock: Clock = now, state: State | None = None) -> None:
        self.faults = FaultInjector()
        self._clock = clock
        self._routes = Routes(catalogue)
        self._behaviours = behaviours.behaviours_by_operation(catalogue)
        self.state = state if state is not None else seed.plant_demonstration(self._now())
        self._arrived = 0

    def transport(self) -> httpx2.ASGITransport:
        """Return a transport that reaches this sandbox without a network."""
        return httpx2.ASGITransport(app=self)

    async def __call__(self, scope: incoming_request.Scope, receive: incoming_request.Receive, send: Send) -> None:
        """Answer one request, under the faults in force."""
        request = await incoming_request.read_request(scope, receive)
        self._arrived += 1
        trace_id = request.headers.get(TRACE) or uid("trace", self._arrived)
        found = self._route(request)
        hits = self.faults.take(found[0].key if found else "")
        await anyio.sleep(sum(fault.seconds for fault in hits))
        fault = next((each for each in hits if each.kind != "latency"), None)
        if fault is None:
            await self._send(send, self._run(request, found, trace_id), trace_id)
        elif fault.kind == "status":
            await self._send(send, failing_answer(fault), trace_id)
        elif fault.kind == "drop":
            await receive()  # until the caller gives up
        else:
            self._run(request, found, trace_id)
            await _cut(scope, receive)

    def _route(self, request: IncomingRequest) -> MatchedOperation | None:
        return self._routes.match(request.method, request.path)

    def _run(self, request: IncomingRequest, found: MatchedOperation | None, trace_id: str) -> HttpAnswer:
        """Run the request and return its answer. A request without a valid signature is not logged."""
        try:
            incoming_request.verify_signature(CREDENTIALS, request, self._clock())
        except Refusal as refusal:
            return refusal_answer(refusal)
        try:
            answer = self._carry_out(request, found)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        except Exception:  # noqa: BLE001 - a defect here is the 500 that a client would see
            _log.exception("The sandbox failed at %s %s", request.method, request.path)
            answer = refusal_answer(Refusal(500, "internal_error", "The sandbox itself failed: see its log."))
        logs.record_call(self.state, self._now(), request, answer, trace_id)
        return answer

    def _carry_out(self, request: IncomingRequest, found: MatchedOperation | None) -> HttpAnswer:
        if found is None:
            raise missing("route")
        operation, segments = found
        path, query, body = incoming_request.validate_request(operation, segments, request)
        call = SandboxCall(operation, self.state, tuple(path.values()), path, query, body, self._now())
        behaviours.apply_due_changes(self.state, call.now)
        require_known(call)
        behaviour = self._behaviours.get(operation.key)
        value = behaviour(call) if behaviour is not None else sample_of(operation.output_schema)
        status = next(status for status in operation.statuses if 200 <= status < 300)  # noqa: PLR2004 - success
        return HttpAnswer(
            status, encode_json(declared_fields(operation.output_schema, value)) if operation.answers else b""
        )

    def _now(self) -> int:
        return int(self._clock().timestamp())

    async def _send(self, send: Send, answer: HttpAnswer, trace_id: str) -> None:
        date = format_datetime(self._clock().astimezone(UTC), usegmt=True)
        headers = {"date": date, "content-length": str(len(answer.body)), TRACE: trace_id}
        if answer.body:
            headers["content-type"] = answer.content_type
        if answer.retry_after is not None:
            headers["retry-after"] = str(answer.retry_after)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.body})


async def _cut(scope: incoming_request.Scope, receive: incoming_request.Receive) -> None:
    """Break the connection, or raise the error that a client would see."""
    connection = scope.get("state", {}).get(CONNECTION)
    if connection is None:
        raise httpx2.ReadError("The sandbox cut the connection.")
    connection.abort()
    await receive()
