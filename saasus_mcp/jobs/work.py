"""What a job works with: reads in pages, and the rows of its plan. Every call goes through the pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar, cast

import anyio

from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.jobs.calls import Calls
from saasus_mcp.jobs.patience import noted
from saasus_mcp.jobs.plan import Plan, Row
from saasus_mcp.jobs.stepper import CANCEL, Stepper
from saasus_mcp.permissions.case import Principal
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.target import shown_arguments
from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.server import large_work
from saasus_mcp.server.call import Asking, Call, Part
from saasus_mcp.server.pipeline import Pipeline

T = TypeVar("T")
Checkpoint = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Runs a part of a job under a name and remembers what it gave (JSON): when the job runs anew, it is given that again."""

PAGE = 100
"""The most that the API's paged lists give at once."""
MOST_PAGES = 10_000
"""Of one list: a million rows of 100 a page. An API that goes on giving new cursors is stopped here."""
AT_ONCE = 4
"""Rows and reads under way at the same time: an API that others use, too, is not to be flooded."""
BATCH = 20
"""Rows between two checkpoints. What became of a row is known from the store at any time; this is only how often we look."""
CROWDED = "The job will need an approval of its own, and too many others are pending. Nothing was changed."
HOLDS_ALL = frozenset({"frozen", "overbudget", CANCEL})
"""Why a row is refused that will refuse the next one, too."""


async def together(makes: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Make several things, a few at the same time. Within them nothing is remembered: that has an order.

    Raises:
        SaasusMcpError: the first that could not be made; no other one is begun.
    """
    limit, failed = anyio.CapacityLimiter(AT_ONCE), list[SaasusMcpError]()

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


class Unreadable(SaasusMcpError):
    """Something that the job must read cannot be read."""


async def at_once(_: str, make: Callable[[], Awaitable[Any]]) -> Any:
    """Makes no checkpoint: for a plan, which is made anew each time."""
    return await make()


class Reader:
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
        part: Part,
        checkpoint: Checkpoint = at_once,
        *,
        deadline: Deadline | None = None,
        caller: Principal | None = None,
    ) -> None:
        self.calls = Calls()
        self._pipeline = pipeline
        self.principal = principal
        self._caller = caller or principal
        self._part = part
        self._checkpoint = checkpoint
        self._deadline = deadline

    @property
    def place(self) -> Place:
        """Where the job reads and writes."""
        return self._pipeline.place

    def now(self) -> int:
        """Epoch seconds. For a plan alone: a job that runs again must find what it found before."""
        return int(self._pipeline.clock())

    def understood(self, key: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as an operation takes them, before a call with them is planned.

        Raises:
            InvalidArguments: it does not take them.
        """
        return dict(arguments.understand(self._pipeline.catalogue.find(key), args).values)

    async def aside(self, work: Callable[[], T]) -> T:
        """Run work on a large input in a thread, in the principal's turn."""
        return await large_work.run(self.principal.id, work)

    async def read(self, key: str, args: Mapping[str, Any] | None = None, take: Callable[[Any], T] | None = None) -> T:
        """An operation's answer, or what `take` makes of it, which is what is remembered.

        Raises:
            Unreadable: there is none.
        """

        async def fetched() -> Any:
            answer, why = await self.answer(key, args or {})
            return {"why": why} if why else {"given": answer if take is None else take(answer)}

        self._note(key, args or {})
        found = await self._checkpoint(key, fetched)
        if "why" in found:
            raise Unreadable(found["why"], "Nothing more was done.")
        return cast("T", found["given"])

    async def several(
        self, key: str, calls: Sequence[Mapping[str, Any]], take: Callable[[Any], T]
    ) -> list[tuple[T | None, str]]:
        """What `take` makes of the answer to each of several calls of one operation, a few under way at a time and
        remembered together; where there is no answer, None and why.
        """

        async def fetched() -> list[Any]:
            found = list[Any]([None] * len(calls))

            async def one(number: int, args: Mapping[str, Any]) -> None:
                answer, why = await self.answer(key, args)
                found[number] = [None, why] if why else [take(answer), ""]

            await together([partial(one, number, args) for number, args in enumerate(calls)])
            return found

        for args in calls:
            self._note(key, args)
        return [(given, why) for given, why in await self._checkpoint(key, fetched)]

    async def pages(
        self, key: str, args: Mapping[str, Any], take: Callable[[Any], T], size: int = PAGE
    ) -> AsyncIterator[T]:
        """What `take` makes of each page of a paged list, one page in memory at a time.

        Raises:
            Unreadable: a page cannot be read, the API gives a cursor again, or the pages do not end.
        """
        cursor, seen = "", set[str]()
        while len(seen) < MOST_PAGES:
            given = {**args, "limit": size, **({"cursor": cursor} if cursor else {})}
            page: list[Any] = await self.read(key, given, lambda answer: [take(answer), answer.get("cursor") or ""])
            yield page[0]
            cursor = page[1]
            if not cursor:
                return
            if cursor in seen:
                raise self._endless(key, "the API gave the same cursor twice, so its pages would never end")
            seen.add(cursor)
        raise self._endless(key, f"the API gave more than {MOST_PAGES:,} pages")

    def _endless(self, key: str, why: str) -> Unreadable:
        tool = self._pipeline.catalogue.find(key).tool
        return Unreadable(f"{tool}: {why}.", "Nothing more was done. Report it to the operator of the API.")

    async def kept(self, identifier: str) -> Any:
        """A large answer that was kept for this principal; None where there is none.

        Raises:
            Refused: the principal may no longer read it.
        """
        whole = await self._pipeline.results.read(identifier, self._caller)
        if whole is None:
            return None
        self.calls.take(whole.source.calls)
        return whole.value

    def _note(self, key: str, args: Mapping[str, Any]) -> None:
        self.calls.note(key, shown_arguments(self._pipeline.catalogue.find(key), args))

    async def answer(self, key: str, args: Mapping[str, Any]) -> tuple[Any, str]:
        """What the API answered, or why there is nothing."""
        tool = self._pipeline.catalogue.find(key).tool
        call = Call(tool, dict(args), self.principal, part=self._part, deadline=self._deadline)
        given = await self._pipeline.run(call)
        if isinstance(given, Asking):
            return None, f"{tool} asks first."
        return (given.structured, "") if given.ok else (None, f"{tool}: {given.text}")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one row.

    Attributes:
        outcome: `applied` where all of it was done; `not_applied` or `unknown` from the step on that `at` names.
        answers: what the API answered to its steps, by step, secrets hidden.
    """

    row: str
    outcome: str
    at: str = ""
    said: str = ""
    why: str = ""
    answers: Mapping[str, Any] | None = None


class Stopped(Exception):
    """Somebody cancelled the job: nothing more is to be begun."""


class Work(Reader):
    """A job at work.

    Attributes:
        stopped: whether it was cancelled before its rows were through.
    """

    stopped = False

    async def prepare(self, plan: Plan) -> None:
        """Wait, before anything is changed, until the approvals can be asked for that its steps will need of their own.

        Raises:
            SaasusMcpError: too many others are pending. Nothing was changed.
        """
        levels = (self._pipeline.catalogue.find(entry.operation).level for entry in plan.entries)
        begun = await noted(self._pipeline, lambda jobs: jobs.count(self._part.job))
        if begun or "critical" not in levels:
            return
        if not await self._stepper().room() and await self._goes_on():
            raise SaasusMcpError(
                CROWDED, "Have a person decide on those that `saasus-mcp approvals` lists, then start it again."
            )

    async def tell(self, done: int, total: int | None = None) -> None:
        """Say how far the job is.

        Raises:
            Stopped: it was cancelled.
        """
        if not await self._advance(done, total):
            raise Stopped

    async def _goes_on(self) -> bool:
        return await noted(self._pipeline, lambda jobs: jobs.goes_on(self._part.job))

    async def _advance(self, done: int, total: int | None) -> bool:
        return await noted(self._pipeline, lambda jobs: jobs.advance(self._part.job, done, total))

    async def rows(
        self, rows: Sequence[Row], *, stop_at_failure: bool = False, over: int = 0, total: int | None = None
    ) -> AsyncIterator[list[Done]]:
        """What became of the rows, batch by batch, in their order. Ends early where the job is cancelled or held back,
        or at a failure if so asked: rows that were not begun are left out.

        Args:
            over, total: rows that were over before these, and how many there are, where these are but a part of them.
        """
        total = len(rows) if total is None else total
        await self._advance(over, total)
        for batch in _batches(rows):
            make = partial(self._batch, batch, over, total, stop_at_failure=stop_at_failure)
            given = await self._checkpoint("rows", make)
            done = [Done(**each) for each in given]
            over += len(done)
            await self._advance(over, total)  # a batch that was remembered told nothing
            ended = _ends(done, stop_at_failure=stop_at_failure)
            short = len(done) < len(batch) and not ended
            self.stopped = short or any(each.why == CANCEL for each in done)
            yield done
            if self.stopped or ended:
                return

    async def _batch(
        self, batch: Sequence[Row], over: int, total: int, *, stop_at_failure: bool
    ) -> list[dict[str, Any]]:
        found: dict[str, Done] = {}

        async def make(row: Row) -> None:
            if _ends(found.values(), stop_at_failure=stop_at_failure):
                return
            if not await self._goes_on():
                return
            found[row.name] = await self._row(row)
            await self._advance(over + len(found), total)

        await together([partial(make, row) for row in batch])
        return [asdict(found[row.name]) for row in batch if row.name in found]

    async def _row(self, row: Row) -> Done:
        stepper = self._stepper()
        answers: dict[str, Any] = {}
        for entry in row.entries:
            step, why = await stepper.make(entry)
            if step.outcome != "applied":
                return Done(row.name, step.outcome or "not_applied", entry.step, step.said, why, answers)
            answers[entry.step] = step.answer
        return Done(row.name, "applied", answers=answers)

    def _stepper(self) -> Stepper:
        return Stepper(self._pipeline, self.principal, self._part, self.answer)


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _ends(done: Any, *, stop_at_failure: bool) -> bool:
    """Whether what became of some rows means that no other is to be begun."""
    return any(each.why in HOLDS_ALL or (stop_at_failure and each.outcome != "applied") for each in done)
