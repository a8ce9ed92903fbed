"""What a job works with: reads in pages, and the rows of its plan. Every call goes through the pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar, cast

import anyio

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.jobs.plan import Plan, StepGroup
from saasus_mcp.jobs.read_log import ReadLog
from saasus_mcp.jobs.step_runner import CANCELLED_REASON, StepRunner
from saasus_mcp.jobs.store_retry import query_jobs
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.target import redact_arguments
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.scheduling import worker_threads

T = TypeVar("T")
Checkpoint = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Runs a part of a job under a name and remembers what it gave (JSON): when the job runs anew, it is given that again."""

PAGE_SIZE = 100
"""The most that the API's paged lists give at once."""
MAX_PAGES = 10_000
"""Of one list: a million rows of 100 a page. An API that goes on giving new cursors is stopped here."""
MAX_CONCURRENT = 4
"""Rows and reads under way at the same time: an API that others use, too, is not to be flooded."""
BATCH_SIZE = 20
"""Rows between two checkpoints. What became of a row is known from the store at any time; this is only how often we look."""
CROWDED = "The job will need an approval of its own, and too many others are pending. Nothing was changed."
STOPPING_REASONS = frozenset({"frozen", "overbudget", CANCELLED_REASON})
"""Why a row is refused that will refuse the next one, too."""


async def run_concurrently(makes: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Make several things, a few at the same time. Within them nothing is remembered: that has an order.

    Raises:
        SaasusMcpError: the first that could not be made; no other one is begun.
    """
    limit, failed = anyio.CapacityLimiter(MAX_CONCURRENT), list[SaasusMcpError]()

    async def one(make: Callable[[], Awaitable[None]]) -> None:
        async with limit:
            if failed:
                return
            try:
                await make()
            except SaasusMcpError as error:
                failed.append(error)

    async with anyio.create_task_group() as group:
        for make in makes:
            group.start_soon(one, make)
    if failed:
        raise failed[0]


class ReadFailed(SaasusMcpError):
    """Something that the job must read cannot be read."""


async def no_checkpoint(_: str, make: Callable[[], Awaitable[Any]]) -> Any:
    """Makes no checkpoint: for a plan, which is made anew each time."""
    return await make()


class JobReader:
    """Reads for one job, each a call of its own, decided on and audited under the job.

    Attributes:
        principal: for whom it reads.
        calls: the reads that were made.

    Args:
        part: the job.
        checkpoint: remembers what was read.
        deadline: when the reads must be over; None for a job that goes on without its caller.
        caller: who asks for the job, where the connection leaves less of kept results than of the job's reads.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        principal: Principal,
        part: JobStepRef,
        checkpoint: Checkpoint = no_checkpoint,
        *,
        deadline: Deadline | None = None,
        caller: Principal | None = None,
    ) -> None:
        self.read_log = ReadLog()
        self._pipeline = pipeline
        self.principal = principal
        self._caller = caller or principal
        self._part = part
        self._checkpoint = checkpoint
        self._deadline = deadline

    @property
    def place(self) -> Destination:
        """Where the job reads and writes."""
        return self._pipeline.destination

    def now(self) -> int:
        """Epoch seconds. For a plan alone: a job that runs again must find what it found before."""
        return int(self._pipeline.clock())

    def validate_arguments(self, key: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as an operation takes them, before a call with them is planned.

        Raises:
            InvalidArguments: it does not take them.
        """
        return dict(arguments.parse_arguments(self._pipeline.catalogue.find(key), args).values)

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Run work on a large input in a thread, in the principal's turn."""
        return await worker_threads.run_in_worker(self.principal.id, work)

    async def read(self, key: str, args: Mapping[str, Any] | None = None, take: Callable[[Any], T] | None = None) -> T:
        """An operation's answer, or what `take` makes of it, which is what is remembered.

        Raises:
            Unreadable: there is none.
        """

        async def fetched() -> Any:
            answer, why = await self.fetch(key, args or {})
            return {"why": why} if why else {"given": answer if take is None else take(answer)}

        self._note(key, args or {})
        found = await self._checkpoint(key, fetched)
        if "why" in found:
            raise ReadFailed(found["why"], "Nothing more was done.")
        return cast("T", found["given"])

    async def read_many(
        self, key: str, calls: Sequence[Mapping[str, Any]], take: Callable[[Any], T]
    ) -> list[tuple[T | None, str]]:
        """What `take` makes of the answer to each of several calls of one operation, a few under way at a time and
        remembered together; where there is no answer, None and why.
        """

        async def fetched() -> list[Any]:
            found = list[Any]([None] * len(calls))

            async def one(number: int, args: Mapping[str, Any]) -> None:
                answer, why = await self.fetch(key, args)
                found[number] = [None, why] if why else [take(answer), ""]

            await run_concurrently([partial(one, number, args) for number, args in enumerate(calls)])
            return found

        for args in calls:
            self._note(key, args)
        return [(given, why) for given, why in await self._checkpoint(key, fetched)]

    async def read_pages(
        self, key: str, args: Mapping[str, Any], take: Callable[[Any], T], size: int = PAGE_SIZE
    ) -> AsyncIterator[T]:
        """What `take` makes of each page of a paged list, one page in memory at a time.

        Raises:
            Unreadable: a page cannot be read, the API gives a cursor again, or the pages do not end.
        """
        cursor, seen = "", set[str]()
        while len(seen) < MAX_PAGES:
            given = {**args, "limit": size, **({"cursor": cursor} if cursor else {})}
            page: list[Any] = await self.read(key, given, lambda answer: [take(answer), answer.get("cursor") or ""])
            yield page[0]
            cursor = page[1]
            if not cursor:
                return
            if cursor in seen:
                raise self._endless(key, "the API gave the same cursor twice, so its pages would never end")
            seen.add(cursor)
        raise self._endless(key, f"the API gave more than {MAX_PAGES:,} pages")

    def _endless(self, key: str, why: str) -> ReadFailed:
        tool = self._pipeline.catalogue.find(key).tool
        return ReadFailed(f"{tool}: {why}.", "Nothing more was done. Report it to the operator of the API.")

    async def load_result(self, identifier: str) -> Any:
        """A large answer that was kept for this principal; None where there is none.

        Raises:
            Refused: the principal may no longer read it.
        """
        whole = await self._pipeline.results.read(identifier, self._caller)
        if whole is None:
            return None
        self.read_log.extend(whole.origin.calls)
        return whole.value

    def _note(self, key: str, args: Mapping[str, Any]) -> None:
        self.read_log.record(key, redact_arguments(self._pipeline.catalogue.find(key), args))

    async def fetch(self, key: str, args: Mapping[str, Any]) -> tuple[Any, str]:
        """What the API answered, or why there is nothing."""
        tool = self._pipeline.catalogue.find(key).tool
        call = Call(tool, dict(args), self.principal, job_step=self._part, deadline=self._deadline)
        given = await self._pipeline.run(call)
        if isinstance(given, PendingElicitation):
            return None, f"{tool} asks first."
        return (given.structured, "") if given.ok else (None, f"{tool}: {given.text}")


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What became of one row.

    Attributes:
        outcome: `applied` where all of it was done; `not_applied` or `unknown` from the step on that `at` names.
        answers: what the API answered to its steps, by step, secrets hidden.
    """

    group: str
    outcome: str
    failed_step: str = ""
    text: str = ""
    reason: str = ""
    answers: Mapping[str, Any] | None = None


class JobCancelled(Exception):
    """Somebody cancelled the job: nothing more is to be begun."""


class JobContext(JobReader):
    """A job at work.

    Attributes:
        stopped: whether it was cancelled before its rows were through.
    """

    cancelled = False

    async def wait_for_approvals(self, plan: Plan) -> None:
        """Wait, before anything is changed, until the approvals can be asked for that its steps will need of their own.

        Raises:
            SaasusMcpError: too many others are pending. Nothing was changed.
        """
        levels = (self._pipeline.catalogue.find(entry.operation).level for entry in plan.steps)
        begun = await query_jobs(self._pipeline, lambda jobs: jobs.count_outcomes(self._part.job))
        if begun or "critical" not in levels:
            return
        if not await self._stepper().wait_for_room() and await self._goes_on():
            raise SaasusMcpError(
                CROWDED, "Have a person decide on those that `saasus-mcp approvals` lists, then start it again."
            )

    async def report_progress(self, done: int, total: int | None = None) -> None:
        """Say how far the job is.

        Raises:
            Stopped: it was cancelled.
        """
        if not await self._advance(done, total):
            raise JobCancelled

    async def _goes_on(self) -> bool:
        return await query_jobs(self._pipeline, lambda jobs: jobs.should_continue(self._part.job))

    async def _advance(self, done: int, total: int | None) -> bool:
        return await query_jobs(self._pipeline, lambda jobs: jobs.report_progress(self._part.job, done, total))

    async def run_groups(
        self, rows: Sequence[StepGroup], *, stop_at_failure: bool = False, completed: int = 0, total: int | None = None
    ) -> AsyncIterator[list[GroupResult]]:
        """What became of the rows, batch by batch, in their order. Ends early where the job is cancelled or held back,
        or at a failure if so asked: rows that were not begun are left out.

        Args:
            over, total: rows that were over before these, and how many there are, where these are but a part of them.
        """
        total = len(rows) if total is None else total
        await self._advance(completed, total)
        for batch in _batches(rows):
            make = partial(self._batch, batch, completed, total, stop_at_failure=stop_at_failure)
            given = await self._checkpoint("rows", make)
            done = [GroupResult(**each) for each in given]
            completed += len(done)
            await self._advance(completed, total)  # a batch that was remembered told nothing
            ended = _ends(done, stop_at_failure=stop_at_failure)
            short = len(done) < len(batch) and not ended
            self.cancelled = short or any(each.reason == CANCELLED_REASON for each in done)
            yield done
            if self.cancelled or ended:
                return

    async def _batch(
        self, batch: Sequence[StepGroup], over: int, total: int, *, stop_at_failure: bool
    ) -> list[dict[str, Any]]:
        found: dict[str, GroupResult] = {}

        async def make(row: StepGroup) -> None:
            if _ends(found.values(), stop_at_failure=stop_at_failure):
                return
            if not await self._goes_on():
                return
            found[row.name] = await self._row(row)
            await self._advance(over + len(found), total)

        await run_concurrently([partial(make, row) for row in batch])
        return [asdict(found[row.name]) for row in batch if row.name in found]

    async def _row(self, row: StepGroup) -> GroupResult:
        stepper = self._stepper()
        answers: dict[str, Any] = {}
        for entry in row.steps:
            step, why = await stepper.run_step(entry)
            if step.outcome != "applied":
                return GroupResult(row.name, step.outcome or "not_applied", entry.step, step.error, why, answers)
            answers[entry.step] = step.answer
        return GroupResult(row.name, "applied", answers=answers)

    def _stepper(self) -> StepRunner:
        return StepRunner(self._pipeline, self.principal, self._part, self.fetch)


def _batches(rows: Sequence[StepGroup]) -> Iterator[Sequence[StepGroup]]:
    for start in range(0, len(rows), BATCH_SIZE):
        yield rows[start : start + BATCH_SIZE]


def _ends(done: Any, *, stop_at_failure: bool) -> bool:
    """Whether what became of some rows means that no other is to be begun."""
    return any(each.reason in STOPPING_REASONS or (stop_at_failure and each.outcome != "applied") for each in done)
