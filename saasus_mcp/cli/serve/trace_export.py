"""Export traces as the variables of OpenTelemetry say, with the extra `otel`. Without it, tracing costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from saasus_mcp import __version__
from saasus_mcp.settings.environment import TracesExporter
from saasus_mcp.settings.validation import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

EXPORTER_PACKAGE = "opentelemetry.exporter"


@contextmanager
def export_traces(to: TracesExporter) -> Iterator[None]:
    """Export spans while the context lasts, and the remaining ones at its end.

    Raises:
        SettingsError: the extra is not installed.
    """
    if to == "none":
        yield
        return
    if find_spec("opentelemetry.sdk") is None or (to == "otlp" and find_spec(EXPORTER_PACKAGE) is None):
        raise SettingsError.of("cli_serve.tracing_not_installed", exporter=to)
    from opentelemetry import trace  # noqa: PLC0415 - only if spans are exported
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    resource = Resource.create({"service.name": "saasus-mcp", "service.version": __version__})
    provider = TracerProvider(resource=resource.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(_exporter(to)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def _exporter(to: TracesExporter) -> SpanExporter:
    if to == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - as above

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above

    return OTLPSpanExporter()
