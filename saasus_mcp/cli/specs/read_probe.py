"""Make every read that an account allows, and compare the responses with the documents.

Each read is a call of the pipeline: the policy decides on it, it is audited, and it runs only if the policy allows it without
a question. Secrets are removed from the responses. The report names differences without values (saasus.schema_drift).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import anyio

from saasus_mcp.catalog.read_planner import PlannedRead, SlotValues, plan_reads
from saasus_mcp.cli.doctor.api_check import PROBE_OPERATION, SUCCESS, UNAUTHORIZED
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.schema_drift import Deviation, SchemaComparison
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

CONCURRENT_READS = 4
"""Few, because the account is in use."""
MAX_CALLS_PER_READ = 5
"""Calls of one read, as long as its responses lack the ids that other reads need."""

SkipReason = Literal["secret", "no_source", "empty", "not_allowed", "not_sent", "stopped"]
StopReason = Literal["", "unauthorized", "unreached", "late"]
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one read.

    Attributes:
        statuses: the documented HTTP statuses of the responses.
        undocumented_statuses: the other statuses.
        unanswered: calls without a response.
        unreadable: successful responses that are empty or not JSON.
    """

    operation: str
    route: str
    calls: int
    statuses: tuple[int, ...]
    undocumented_statuses: tuple[int, ...]
    unanswered: int
    unreadable: int
    deviations: tuple[Deviation, ...]

    @property
    def agrees(self) -> bool:
        return not (self.undocumented_statuses or self.unanswered or self.unreadable or self.deviations)


@dataclass(frozen=True, slots=True)
class SkippedRead:
    """A read that was not made. `parameters`: the parameters without a value, if that is the reason."""

    operation: str
    route: str
    why: SkipReason
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The results by operation, without values of responses. `stopped`: why the run ended early."""

    made: tuple[ProbeResult, ...]
    not_made: tuple[SkippedRead, ...]
    stopped: StopReason = ""

    @property
    def agrees(self) -> bool:
        return all(one.agrees for one in self.made)


@dataclass(slots=True)
class _ProbeProgress:
    comparison: SchemaComparison
    attempts: list[dict[str, Any]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    unanswered: int = 0
    unreadable: int = 0
    refused: SkipReason | None = None


async def probe_reads(
    pipeline: Pipeline, principal: Principal, facts: Mapping[str, Any], *, seconds: float, progress: ProgressCallback
) -> ProbeReport:
    """Make the reads and report them.

    Args:
        facts: the summary of every operation, by key (catalog.openapi_summary).
        seconds: for the whole run. The report lists the reads that were not made by then.
        progress: receives how many reads were made, and how many are possible.
    """
    run = _Run(pipeline, principal, facts, progress)
    with anyio.move_on_after(seconds) as scope:
        await run.all()
    return run.report(late=scope.cancelled_caught)


class _Run:
    """One run over an account: rounds of reads, each with ids from the responses of earlier rounds."""

    def __init__(
        self, pipeline: Pipeline, principal: Principal, facts: Mapping[str, Any], progress: ProgressCallback
    ) -> None:
        self._pipeline = pipeline
        self._principal = principal
        self._part = JobStepRef(secrets.token_hex(16))
        self._now = datetime.fromtimestamp(pipeline.clock(), UTC)
        self._reads = plan_reads(pipeline.catalogue)
        self._states = {read.key: _ProbeProgress(SchemaComparison(facts[read.key])) for read in self._reads}
        self._rows: list[SlotValues] = []
        self._limit = anyio.CapacityLimiter(CONCURRENT_READS)
        self._progress = progress
        self._stopped: StopReason = ""

    async def all(self) -> None:
        """Make the reads. The first runs alone and shows whether the credentials work and the API responds."""
        first = next((read for read in self._reads if read.key == PROBE_OPERATION), None)
        if first is not None and await self._make([(first, {})]):
            return
        while calls := list(self._next_calls()):
            if await self._make(calls):
                return

    async def _make(self, calls: list[tuple[PlannedRead, dict[str, Any]]]) -> bool:
        """Make these calls, a few at a time, and store their ids. Return True if the run must stop."""
        found = list[list[SlotValues]]([[] for _ in calls])
        with anyio.CancelScope() as scope:

            async def one(at: int, read: PlannedRead, arguments: dict[str, Any]) -> None:
                async with self._limit:
                    found[at] = await self._call(read, arguments)
                if self._stopped:
                    scope.cancel()

            async with anyio.create_task_group() as group:
                for at, (read, arguments) in enumerate(calls):
                    group.start_soon(partial(one, at, read, arguments))
        for rows in found:
            self._rows += rows
        return bool(self._stopped)

    def _next_calls(self) -> Iterator[tuple[PlannedRead, dict[str, Any]]]:
        """Yield the reads that can be made now, for the first time or with another id."""
        for read in self._reads:
            state = self._states[read.key]
            if not read.possible or state.refused or (state.attempts and not self._needs_another_call(read, state)):
                continue
            choices = read.arguments(self._rows, self._now)
            chosen = next((each for each in choices if each not in state.attempts), None)
            if chosen is not None:
                yield read, chosen

    def _needs_another_call(self, read: PlannedRead, state: _ProbeProgress) -> bool:
        """Return True if another call of this read could give an id that another read needs."""
        if len(state.attempts) >= MAX_CALLS_PER_READ:
            return False
        missing = {source.slot for source in read.sources} - {slot for row in self._rows for slot in row}
        waiting = (one for one in self._reads if one.possible and not self._states[one.key].attempts)
        return any(not missing.isdisjoint(slots) for one in waiting for slots in one.needs.values())

    async def _call(self, read: PlannedRead, arguments: dict[str, Any]) -> list[SlotValues]:
        """Make one call and compare its response. Return the ids in it."""
        state = self._states[read.key]
        state.attempts.append(arguments)
        given = await self._pipeline.run(Call(read.operation.tool, arguments, self._principal, job_step=self._part))
        self._progress(
            sum(bool(one.attempts) for one in self._states.values()), sum(one.possible for one in self._reads)
        )
        if isinstance(given, PendingElicitation) or given.why == "denied":
            state.refused = "not_allowed"
            return []
        if given.why or not (given.status or given.trace_id):  # without a trace id, no request was sent
            state.refused = "not_sent"
            return []
        if given.status is None:
            state.unanswered += 1
            if not any(one.statuses for one in self._states.values()):
                self._stopped = "unreached"
            return []
        state.statuses.add(given.status)
        if given.status == UNAUTHORIZED:
            self._stopped = "unauthorized"
        if given.status not in SUCCESS:
            return []
        if not given.ok:
            state.unreadable += 1
            return []
        answer = _response(given)
        state.comparison.add(given.status, answer)
        return read.rows(arguments, answer)

    def report(self, *, late: bool) -> ProbeReport:
        made = tuple(self._made(read) for read in self._reads if self._was_made(read))
        left = tuple(self._not_made(read, late=late) for read in self._reads if not self._was_made(read))
        return ProbeReport(made, left, self._stopped or ("late" if late else ""))

    def _was_made(self, read: PlannedRead) -> bool:
        state = self._states[read.key]
        return bool(state.statuses or state.unanswered)

    def _made(self, read: PlannedRead) -> ProbeResult:
        state = self._states[read.key]
        known = {status for status in state.statuses if state.comparison.documents_status(status)}
        return ProbeResult(
            read.key,
            _route(read),
            len(state.attempts),
            tuple(sorted(known)),
            tuple(sorted(state.statuses - known)),
            state.unanswered,
            state.unreadable,
            state.comparison.deviations(),
        )

    def _not_made(self, read: PlannedRead, *, late: bool) -> SkippedRead:
        state, route = self._states[read.key], _route(read)
        if read.secret:
            secret = tuple(name for name in read.needs if name in read.operation.secret_inputs)
            return SkippedRead(read.key, route, "secret", secret)
        unknown = tuple(name for name, slots in read.needs.items() if not slots)
        if unknown:
            return SkippedRead(read.key, route, "no_source", unknown)
        if state.refused:
            return SkippedRead(read.key, route, state.refused)
        if late or self._stopped or state.attempts:
            return SkippedRead(read.key, route, "stopped")
        given = {slot for row in self._rows for slot in row}
        return SkippedRead(
            read.key, route, "empty", tuple(name for name, slots in read.needs.items() if given.isdisjoint(slots))
        )


def _route(read: PlannedRead) -> str:
    return f"{read.operation.method} {read.operation.path}"


def _response(given: ToolAnswer) -> Any:
    """Return the whole response without secrets; `structured` lacks the fields that do not conform."""
    return json.loads(given.text.removesuffix(given.note))
