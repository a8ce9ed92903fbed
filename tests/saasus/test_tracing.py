"""Spans: one for each attempt at the API, with its outcome and without its content."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from saasus_mcp.catalog import Catalogue
from saasus_mcp.saasus import arguments, request, tracing
from saasus_mcp.saasus.client import ApiClient, SendFailed
from tests.support.pipeline import CREDENTIALS

HUSH = "hush-hush-in-a-span"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


async def send(catalogue: Catalogue, transport: httpx2.MockTransport) -> None:
    operation = catalogue.find("auth_create_saas_user")
    built = request.build_request(
        operation, arguments.check_arguments(operation, {"email": "taro@example.com", "password": HUSH})
    )
    async with ApiClient(CREDENTIALS, transport=transport) as client:
        await client.send(operation, built, "a" * 32)


async def test_a_call_is_a_span_without_what_was_said_in_it(catalogue: Catalogue, spans: InMemorySpanExporter) -> None:
    await send(catalogue, httpx2.MockTransport(lambda _: httpx2.Response(201, json={"id": HUSH})))
    [seen] = spans.get_finished_spans()
    assert seen.name == "saasus auth.CreateSaasUser"
    assert seen.attributes is not None
    assert seen.attributes["http.response.status_code"] == 201
    assert seen.attributes["saasus.trace_id"] == "a" * 32
    assert HUSH not in seen.to_json()
    assert "taro" not in seen.to_json()


async def test_a_failure_is_marked_by_its_kind_alone(catalogue: Catalogue, spans: InMemorySpanExporter) -> None:
    def broken(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError(HUSH)

    with pytest.raises(SendFailed):
        await send(catalogue, httpx2.MockTransport(broken))
    [seen] = spans.get_finished_spans()
    assert seen.attributes is not None
    assert seen.attributes["error.type"] == "ReadError"
    assert not seen.status.is_ok
    assert HUSH not in seen.to_json()
