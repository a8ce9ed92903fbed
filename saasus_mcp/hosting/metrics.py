"""Prometheus metrics: calls by level and outcome, refusals and times. They contain nothing that callers sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from saasus_mcp import __version__
from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.model import Level
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.context import CallObserver

SECONDS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
NO_OPERATION = "none"
WORKERS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder in which workers count. The library reads it when it is imported."""
CALL_OUTCOMES = ("ok", "failed", "unknown")


class InFlightCounter:
    """Counts what is running now in this process.

    Args:
        gauge: gets each count, if workers count in files. Otherwise the gauge reads the count itself.
    """

    def __init__(self, gauge: Gauge | None = None) -> None:
        self.count = 0
        self._gauge = gauge
        self._zero = asyncio.Event()

    def increment(self) -> None:
        self.count += 1
        if self._gauge is not None:
            self._gauge.set(self.count)

    def decrement(self) -> None:
        self.count -= 1
        if self._gauge is not None:
            self._gauge.set(self.count)
        if not self.count:
            self._zero.set()

    async def wait_until_zero(self) -> None:
        while self.count:
            self._zero = asyncio.Event()
            await self._zero.wait()


class Metrics:
    """The metrics of this process, or of all workers.

    Workers count in files of a common folder (the multiprocess mode of prometheus_client), so that any of them answers for all.
    Counters include workers that have ended.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.calls = Counter(
            "saasus_mcp_calls",
            "Calls sent to the API, including reads for previews; unknown: the change may or may not have been made.",
            ("profile", "level", "outcome"),
            registry=self._registry,
        )
        self.refusals = Counter(
            "saasus_mcp_refusals",
            "Calls that were not sent, by reason.",
            ("profile", "level", "why"),
            registry=self._registry,
        )
        self.upstream = Histogram(
            "saasus_mcp_upstream_seconds",
            "Seconds from the first API attempt to the response, including retries.",
            ("profile", "level"),
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self.responses = Counter(
            "saasus_mcp_http_responses", "HTTP responses started.", ("status",), registry=self._registry
        )
        self._response_counters: dict[int, Counter] = {}
        self._call_counters: dict[tuple[str, Level, str], tuple[Counter, Histogram]] = {}
        self.in_flight = self._in_flight("saasus_mcp_calls_in_flight", "Calls sent and not yet answered.")
        self.requests = self._in_flight("saasus_mcp_http_requests_in_flight", "HTTP requests and open streams.")
        self._collected = self._registry
        if folder := os.environ.get(WORKERS_VARIABLE):
            self._collected = CollectorRegistry()
            MultiProcessCollector(self._collected, folder)  # type: ignore[no-untyped-call]  # as the library declares it

    def count_response(self, status: int) -> None:
        counter = self._response_counters.get(status)
        if counter is None:  # looking a label up costs more than counting
            counter = self._response_counters[status] = self.responses.labels(str(status))
        counter.inc()

    def count_call(self, profile: str, level: Level, outcome: str, seconds: float) -> None:
        """Count a call that has ended, and the seconds that it took."""
        key = (profile, level, outcome)
        found = self._call_counters.get(key)
        if found is None:
            found = self.calls.labels(*key), self.upstream.labels(profile, level)
            self._call_counters[key] = found
        count, duration = found
        count.inc()
        duration.observe(seconds)

    def render(self, accept: str, pending: Mapping[str, int], stores: Mapping[str, bool]) -> tuple[bytes, str]:
        """Return the metrics of some profiles in the format that a scraper accepts, and its content type.

        Args:
            pending: the number of pending approvals by profile.
            stores: whether the store works, by profile. Samples of other profiles are left out.
        """
        encode, content_type = choose_encoder(accept)
        return encode(_ProfileView(self._collected, pending, stores)), content_type

    def _in_flight(self, name: str, help: str) -> InFlightCounter:
        gauge = Gauge(name, help, registry=self._registry, multiprocess_mode="livesum")
        if WORKERS_VARIABLE in os.environ:
            gauge.set(0)
            return InFlightCounter(gauge)
        counter = InFlightCounter()
        gauge.set_function(lambda: counter.count)
        return counter


@dataclass(frozen=True, slots=True)
class _ProfileView:
    """A registry as one scraper may see it."""

    registry: CollectorRegistry
    pending: Mapping[str, int]
    stores: Mapping[str, bool]

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("saasus_mcp", "The running version.", {"version": __version__})
        for metric in self.registry.collect():
            metric.samples = [each for each in metric.samples if each.labels.get("profile", "") in {"", *self.stores}]
            yield metric
        yield _by_profile("saasus_mcp_approvals_pending", "Calls waiting for a person.", self.pending.items())
        yield _by_profile("saasus_mcp_store_up", "Whether the store is available.", self.stores.items())


def _by_profile(name: str, help: str, values: Iterable[tuple[str, int]]) -> Metric:
    gauge = GaugeMetricFamily(name, help, labels=["profile"])
    for profile, value in values:
        gauge.add_metric([profile], value)
    return gauge


@dataclass(frozen=True, slots=True)
class MetricsObserver(CallObserver):
    """Counts the calls of one profile."""

    metrics: Metrics
    profile: str
    catalogue: Catalogue

    def __post_init__(self) -> None:
        """Export zeros before the first call: `increase` in Prometheus does not see the first value of a new series."""
        for level in get_args(Level):
            for outcome in CALL_OUTCOMES:
                self.metrics.calls.labels(self.profile, level, outcome)

    def call_refused(self, operation: str, why: str) -> None:
        level = self.catalogue.find(operation).level if operation else NO_OPERATION
        self.metrics.refusals.labels(self.profile, level, why).inc()

    def call_started(self, operation: Operation) -> None:
        self.metrics.in_flight.increment()

    def call_ended(self, operation: Operation, answer: ToolAnswer, seconds: float) -> None:
        self.metrics.in_flight.decrement()
        outcome = "ok" if answer.ok else "unknown" if answer.applied == "unknown" else "failed"
        self.metrics.count_call(self.profile, operation.level, outcome, seconds)
