"""What happened here, in numbers: calls by level and outcome, refusals, times. Nothing of what callers sent is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import anyio

from saasus_mcp import __version__
from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.hosting.exposition import Counter, Histogram, series
from saasus_mcp.saasus.tool_answer import ToolAnswer

SECONDS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
NO_OPERATION = "none"


class InFlightCounter:
    """How much of something is under way."""

    def __init__(self) -> None:
        self.count = 0
        self._none = anyio.Event()

    def increment(self) -> None:
        self.count += 1

    def decrement(self) -> None:
        self.count -= 1
        if not self.count:
            self._none.set()

    async def wait_until_zero(self) -> None:
        """Wait until nothing is."""
        while self.count:
            self._none = anyio.Event()
            await self._none.wait()


class Metrics:
    """The numbers of this process."""

    def __init__(self) -> None:
        self.requests, self.in_flight = InFlightCounter(), InFlightCounter()
        self.calls = Counter(
            "saasus_mcp_calls_total",
            "Calls sent to the API, including reads for previews; unknown: the change may or may not have been made.",
            ("profile", "level", "outcome"),
        )
        self.refusals = Counter(
            "saasus_mcp_refusals_total", "Calls that were not sent, by reason.", ("profile", "level", "why")
        )
        self.upstream = Histogram(
            "saasus_mcp_upstream_seconds",
            "Seconds from the first API attempt to the response, including retries.",
            ("profile", "level"),
            SECONDS_BUCKETS,
        )
        self.responses = Counter("saasus_mcp_http_responses_total", "HTTP responses begun.", ("status",))

    def render(
        self, pending: Iterable[tuple[str, int]], stores: Iterable[tuple[str, bool]], profiles: frozenset[str]
    ) -> Iterator[str]:
        """Everything, as Prometheus reads it.

        Args:
            profiles: whose calls are told.
            pending: how many approvals wait, by profile.
            stores: whether each profile's store works.
        """
        yield from series("saasus_mcp_info", "gauge", "What runs.", [({"version": __version__}, 1)])
        for each in (self.calls, self.refusals, self.upstream, self.responses):
            yield from each.lines(lambda labels: labels.get("profile", "") in {"", *profiles})
        gauges = {
            "saasus_mcp_calls_in_flight": ("Calls sent and not yet answered.", self.in_flight.count),
            "saasus_mcp_http_requests_in_flight": ("HTTP requests and open streams.", self.requests.count),
        }
        for name, (said, value) in gauges.items():
            yield from series(name, "gauge", said, [({}, value)])
        waiting = (({"profile": profile}, count) for profile, count in pending)
        yield from series("saasus_mcp_approvals_pending", "gauge", "Calls waiting for a person.", waiting)
        working = (({"profile": profile}, int(works)) for profile, works in stores)
        yield from series("saasus_mcp_store_up", "gauge", "Whether the store is available.", working)


@dataclass(frozen=True, slots=True)
class MetricsObserver:
    """Counts the calls of one profile (server.watch)."""

    metrics: Metrics
    profile: str
    catalogue: Catalogue

    def call_refused(self, operation: str, why: str) -> None:
        level = self.catalogue.find(operation).level if operation else NO_OPERATION
        self.metrics.refusals.count(self.profile, level, why)

    def call_started(self, operation: Operation) -> None:
        self.metrics.in_flight.increment()

    def call_ended(self, operation: Operation, given: ToolAnswer, seconds: float) -> None:
        self.metrics.in_flight.decrement()
        outcome = "ok" if given.ok else "unknown" if given.applied == "unknown" else "failed"
        self.metrics.calls.count(self.profile, operation.level, outcome)
        self.metrics.upstream.observe(seconds, self.profile, operation.level)
