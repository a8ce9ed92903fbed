"""The emulated API without faults: authenticate, route, validate, run and log a request."""

from __future__ import annotations

import logging

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.saasus.signature import Clock, Credentials
from saasus_mcp.sandbox import behaviours, call_log, incoming_request, seed, signature_check
from saasus_mcp.sandbox.call import SandboxCall
from saasus_mcp.sandbox.engine import require_known
from saasus_mcp.sandbox.http_answers import HttpAnswer, encode_json, refusal_answer
from saasus_mcp.sandbox.incoming_request import IncomingRequest
from saasus_mcp.sandbox.refusals import Refusal, missing
from saasus_mcp.sandbox.routes import Routes
from saasus_mcp.sandbox.samples import declared_fields, sample_of
from saasus_mcp.sandbox.state import State

CREDENTIALS = Credentials(saas_id="sandbox", api_key="sandbox-api-key", secret_key="sandbox-secret-key")  # noqa: S106 - public
Found = tuple[Operation, tuple[str, ...]]
"""An operation, and the raw values of its path."""
_log = logging.getLogger(__name__)


class EmulatedApi:
    """An emulated SaaS and the operations on it.

    Args:
        state: what the SaaS holds; demonstration data where none is given.
    """

    def __init__(self, catalogue: Catalogue, clock: Clock, state: State | None = None) -> None:
        self._clock = clock
        self._routes = Routes(catalogue)
        self._behaviours = behaviours.behaviours_by_operation(catalogue)
        self.state = state if state is not None else seed.plant_demonstration(self._now())

    def route(self, request: IncomingRequest) -> Found | None:
        """Return the operation that a request reaches."""
        try:
            return self._routes.match(request.method, request.path)
        except UnicodeDecodeError:
            return None

    def answer(self, request: IncomingRequest, found: Found | None, trace_id: str) -> HttpAnswer:
        """Run the request and return its answer. A request without a valid signature is not logged."""
        try:
            signature_check.verify_signature(CREDENTIALS, request, self._clock())
        except Refusal as refusal:
            return refusal_answer(refusal)
        try:
            answer = self._carry_out(request, found)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        except Exception:  # noqa: BLE001 - a defect here is the 500 that a client would see
            _log.exception("The sandbox failed at %s %s", request.method, request.path)
            answer = refusal_answer(Refusal(500, "internal_error", "The sandbox itself failed: see its log."))
        call_log.record_call(self.state, self._now(), request, answer, trace_id)
        return answer

    def _carry_out(self, request: IncomingRequest, found: Found | None) -> HttpAnswer:
        if found is None:
            raise missing("route")
        operation, segments = found
        values = incoming_request.validate_request(operation, segments, request)
        scope = tuple(values.path.values())
        call = SandboxCall(operation, self.state, scope, values.path, values.query, values.body, self._now())
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
