"""Make every read that an account allows, and compare the answers with the documents. `specs probe` prints the report.

Only reads are made. Each is a call of the pipeline: the policy decides on it, it is audited, and it runs only where the policy
allows it without a question. Secrets are removed from the answers and not kept. saasus.conformity describes the differences
without values.
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

from saasus_mcp.catalog.read_planner import PlannedRead, Row, plan_reads
from saasus_mcp.cli.doctor.api_check import PROBE_OPERATION as FIRST
from saasus_mcp.cli.doctor.api_check import SUCCESS, UNAUTHORIZED
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.saasus.schema_drift import Deviation, SchemaComparison
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

CONCURRENT_READS = 4
"""Reads under way at the same time: the account is in use."""
MAX_CALLS_PER_READ = 5
"""Calls of one read, while it answers without the ids that other reads need."""

SkipReason = Literal["secret", "no_source", "empty", "not_allowed", "not_sent", "stopped"]
StopReason = Literal["", "unauthorized", "unreached", "late"]
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One read that was made.

    Attributes:
        statuses: the documented HTTP statuses of its answers.
        undocumented_statuses: the others.
        unanswered: calls without any answer.
        unreadable: successful answers that are not JSON, or empty.
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
    """One read that was not made, and why.

    Attributes:
        parameters: those without a value, where that is why.
    """

    operation: str
    route: str
    why: SkipReason
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was found, by operation. Holds no value of any answer.

    Attributes:
        stopped: why the rest was given up.
    """

    made: tuple[ProbeResult, ...]
    not_made: tuple[SkippedRead, ...]
    stopped: StopReason = ""

    @property
    def agrees(self) -> bool:
        return all(one.agrees for one in self.made)


@dataclass(slots=True)
class _State:
    """How far one read is."""

    comparison: SchemaComparison
    asked: list[dict[str, Any]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    unanswered: int = 0
    unreadable: int = 0
    refused: SkipReason | None = None


async def probe_reads(
    pipeline: Pipeline, principal: Principal, facts: Mapping[str, Any], *, seconds: float, progress: ProgressCallback
) -> ProbeReport:
    """Make the reads and report them.

    Args:
        facts: of every operation, by key (catalog.facts).
        seconds: for all of it. What is not made by then is reported as such.
        progress: told how many reads were made, of how many that may be.
    """
    run = _Run(pipeline, principal, facts, progress)
    with anyio.move_on_after(seconds) as scope:
        await run.all()
    return run.report(late=scope.cancelled_caught)


class _Run:
    """One run over an account: rounds of reads, each with what the rounds before it answered."""

    def __init__(
        self, pipeline: Pipeline, principal: Principal, facts: Mapping[str, Any], progress: ProgressCallback
    ) -> None:
        self._pipeline = pipeline
        self._principal = principal
        self._part = JobStepRef(secrets.token_hex(16))
        self._now = datetime.fromtimestamp(pipeline.clock(), UTC)
        self._reads = plan_reads(pipeline.catalogue)
        self._states = {read.key: _State(SchemaComparison(facts[read.key])) for read in self._reads}
        self._rows: list[Row] = []
        self._limit = anyio.CapacityLimiter(CONCURRENT_READS)
        self._progress = progress
        self._stopped: StopReason = ""

    async def all(self) -> None:
        """Make the reads, one alone first: it tells whether the credentials are good and the API is there."""
        first = next((read for read in self._reads if read.key == FIRST), None)
        if first is not None and await self._round([(first, {})]):
            return
        while wave := list(self._wave()):
            if await self._round(wave):
                return

    async def _round(self, wave: list[tuple[PlannedRead, dict[str, Any]]]) -> bool:
        """Make these calls, a few at a time, and keep the ids that they give; true where nothing more is to be done."""
        found = list[list[Row]]([[] for _ in wave])
        with anyio.CancelScope() as scope:

            async def one(at: int, read: PlannedRead, arguments: dict[str, Any]) -> None:
                async with self._limit:
                    found[at] = await self._call(read, arguments)
                if self._stopped:
                    scope.cancel()

            async with anyio.create_task_group() as group:
                for at, (read, arguments) in enumerate(wave):
                    group.start_soon(partial(one, at, read, arguments))
        for rows in found:
            self._rows += rows
        return bool(self._stopped)

    def _wave(self) -> Iterator[tuple[PlannedRead, dict[str, Any]]]:
        """The reads that can be made now: those not made yet, and those that are to be tried with another id."""
        for read in self._reads:
            state = self._states[read.key]
            if not read.possible or state.refused or (state.asked and not self._again(read, state)):
                continue
            choices = read.arguments(self._rows, self._now)
            chosen = next((each for each in choices if each not in state.asked), None)
            if chosen is not None:
                yield read, chosen

    def _again(self, read: PlannedRead, state: _State) -> bool:
        """Whether a read that was made has not yet given an id that another read waits for, and has calls left."""
        if len(state.asked) >= MAX_CALLS_PER_READ:
            return False
        missing = {source.slot for source in read.sources} - {slot for row in self._rows for slot in row}
        waiting = (one for one in self._reads if one.possible and not self._states[one.key].asked)
        return any(not missing.isdisjoint(slots) for one in waiting for slots in one.needs.values())

    async def _call(self, read: PlannedRead, arguments: dict[str, Any]) -> list[Row]:
        """Make one call and compare its answer: the ids that it gives."""
        state = self._states[read.key]
        state.asked.append(arguments)
        given = await self._pipeline.run(Call(read.operation.tool, arguments, self._principal, job_step=self._part))
        self._progress(sum(bool(one.asked) for one in self._states.values()), sum(one.possible for one in self._reads))
        if isinstance(given, PendingElicitation) or given.why == "denied":
            state.refused = "not_allowed"
            return []
        if given.why or not (given.status or given.trace_id):  # without a trace id, nothing was on its way
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
        answer = _whole(given)
        state.comparison.add(given.status, answer)
        return read.rows(arguments, answer)

    def report(self, *, late: bool) -> ProbeReport:
        """What was found so far."""
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
            len(state.asked),
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
        if late or self._stopped or state.asked:
            return SkippedRead(read.key, route, "stopped")
        given = {slot for row in self._rows for slot in row}
        return SkippedRead(
            read.key, route, "empty", tuple(name for name, slots in read.needs.items() if given.isdisjoint(slots))
        )


def _route(read: PlannedRead) -> str:
    return f"{read.operation.method} {read.operation.path}"


def _whole(given: ToolAnswer) -> Any:
    """All that the API answered, secrets removed: `structured` leaves out what does not conform."""
    return json.loads(given.text.removesuffix(given.note))
