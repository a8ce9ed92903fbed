"""One OpenTelemetry span for each attempt at the API. Without an SDK it costs almost nothing.

A span contains the operation, the route and the status, and no argument, URL or body.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from saasus_mcp.catalog.model import Operation

SERVER_ERROR = 500
_tracer = trace.get_tracer("saasus-mcp")
NO_SPAN = nullcontext(None)
"""In place of the span of an attempt, if nobody receives spans."""


def has_receiver() -> bool:
    """Return True if spans are received, for which an OpenTelemetry SDK must have been set up."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def attempt_span(operation: Operation, trace_id: str) -> Iterator[Span]:
    """Return the span of one attempt. A failure is recorded by its class, never by its text."""
    attributes = {
        "http.request.method": operation.method,
        "url.template": operation.path,
        "saasus.operation": operation.key,
        "saasus.trace_id": trace_id,
    }
    with _tracer.start_as_current_span(
        f"saasus {operation.key}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(Status(StatusCode.ERROR))
            raise


def record_status(current: Span, status: int) -> None:
    """Record the HTTP status of the response."""
    current.set_attribute("http.response.status_code", status)
    if status >= SERVER_ERROR:
        current.set_status(Status(StatusCode.ERROR))
