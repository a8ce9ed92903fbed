"""The reads of a job: single answers, several at the same time, and paged lists. Every read goes through the pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar, cast

import anyio

from saasus_mcp.catalog import Operation
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language, Text
from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.paged_list import MAX_PAGES, PAGES_PER_CHECKPOINT, PAGING_ARGUMENTS, PagedList
from saasus_mcp.jobs.plan import PlanStep
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inspect import cache_reads
from saasus_mcp.permissions.inspection.target import STATUS_NOT_FOUND, ApiReader
from saasus_mcp.permissions.policy.model import BulkLimits, Principal
from saasus_mcp.permissions.question.namesakes import NamesakeFinder
from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.secret_paths import redact_arguments
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation, RateLimitHandler
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_grants import fill_placeholders
from saasus_mcp.server.pipeline.job_steps import CallReview, review_call, undo_ref_of
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.pipeline.undo import Undoer, UndoPlan, plan_undo
from saasus_mcp.server.results.result_store import RESULTS_URI, SourceCall
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.store.records import UndoEntry

MAX_RECORDED = 20
"""Reads of one operation that are recorded with their arguments. Of more reads, only the operation is recorded."""
T = TypeVar("T")
ApiRecord = Mapping[str, Any]
"""An object in an answer of the API."""
Checkpoint = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Runs a part of a job under a name and remembers its JSON result. If the job runs again, it returns the remembered result."""
MAX_AUDIT_RECORDS = 20_000
"""Calls in the audit log that a job looks at."""
MAX_CONCURRENT = 8
"""Groups and reads at the same time. They are more than `JOB_SLOTS`, since some of them prepare or record a call meanwhile."""


class ReadLog:
    """Records each distinct read of a job: only a caller who may still make them may see the results."""

    def __init__(self) -> None:
        self._by_operation: dict[str, dict[str, SourceCall]] = {}

    def record(self, key: str, args: Mapping[str, Any] | None) -> None:
        """Record a read. Pages of one list count as one read."""
        calls = self._by_operation.setdefault(key, {})
        if args is None or len(calls) >= MAX_RECORDED:
            calls[""] = (key, None)
            return
        query = {name: value for name, value in args.items() if name not in PAGING_ARGUMENTS}
        calls[compact_json(query)] = (key, query)

    def extend(self, calls: Iterable[SourceCall]) -> None:
        """Record the reads behind a plan or a result that the job uses."""
        for key, args in calls:
            self.record(key, args)

    def reads(self) -> list[SourceCall]:
        return [call for calls in self._by_operation.values() for call in calls.values()]


class ReadFailed(SaasusMcpError):
    """The job cannot read what it needs."""


class RecordAbsent(ReadFailed):
    """The API answers that the record does not exist."""


def _stored_reason(reason: str | Mapping[str, str]) -> Text:
    """Return a reason from a checkpoint; earlier versions stored its English text alone."""
    return Text(reason, reason) if isinstance(reason, str) else Text(**reason)


def require_one_of(args: Mapping[str, Any], *names: str, hint: Message | None = None) -> str:
    """Return the one of some arguments that is given. Raise InvalidArguments if none or several are given."""
    given = [name for name in names if name in args]
    if len(given) != 1:
        raise InvalidArguments((names[0],), message("jobs.exactly_one", names=names), hint)
    return given[0]


async def run_concurrently(functions: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Run the functions, `MAX_CONCURRENT` at a time. They must not use checkpoints, which have an order.

    Raises:
        SaasusMcpError: the first error. Functions that had not begun are not run.
    """
    limit, errors = anyio.CapacityLimiter(MAX_CONCURRENT), list[SaasusMcpError]()

    async def run(function: Callable[[], Awaitable[None]]) -> None:
        async with limit:
            if errors:
                return
            try:
                await function()
            except SaasusMcpError as error:
                errors.append(error)

    async with anyio.create_task_group() as group:
        for function in functions:
            group.start_soon(run, function)
    if errors:
        raise errors[0]


async def no_checkpoint(_: str, make: Callable[[], Awaitable[Any]]) -> Any:
    """Run without remembering the result: for a plan, which is made again each time."""
    return await make()


class JobReader:
    """Reads for one job. Each read is decided on and audited under the job.

    Attributes:
        principal: the principal of the job's reads.
        read_log: the reads that were made.
        encoding: of the file that the table of the job was read from. Empty without a file.

    Args:
        job: the reference to the job.
        checkpoint: remembers the answers.
        deadline: of the reads; None for a job that runs without its caller.
        caller: who requested the job. The narrowing of their connection applies to stored results.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        principal: Principal,
        job: JobStepRef,
        checkpoint: Checkpoint = no_checkpoint,
        *,
        deadline: Deadline | None = None,
        caller: Principal | None = None,
        encoding: str = "",
    ) -> None:
        self.encoding = encoding
        self.read_log = ReadLog()
        self.principal = principal
        self._pipeline = pipeline
        self._caller = caller or principal
        self._job = job
        self._checkpoint = checkpoint
        self._deadline = deadline
        self._shared_reader: ApiReader | None = None
        self._namesakes = NamesakeFinder()
        self._on_rate_limit: RateLimitHandler | None = None

    @property
    def destination(self) -> Destination:
        """The profile and SaaS that the job reads and writes."""
        return self._pipeline.destination

    @property
    def language(self) -> Language:
        """The language of texts that are stored with the job, such as column headings."""
        return self._pipeline.language

    def now(self) -> int:
        """Return the time in epoch seconds. Only for a plan: `run` must be deterministic."""
        return int(self._pipeline.clock())

    def validate_arguments(self, key: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the operation takes them. Raise InvalidArguments if the operation does not take them."""
        return dict(arguments.parse_arguments(self._pipeline.catalogue.find(key), args))

    @property
    def bulk_limits(self) -> BulkLimits:
        """What the policy lets one consent to a list of calls cover."""
        return self._pipeline.policy.bulk

    def find_operation(self, name: str) -> Operation:
        """Return an operation by the name of its tool, a former name, or its key.

        Raises:
            UnknownTool: no operation has this name.
        """
        return self._pipeline.catalogue.find(name)

    async def review_write(self, step: PlanStep, *, state_changes: bool = False) -> CallReview:
        """Review a call that changes something, as if its question were asked now.

        Raises:
            SaasusMcpError: the arguments do not fit, or see `review_call`.
        """
        target = self._pipeline.catalogue.find(step.operation).effects.target
        if target is not None and target.read is not None:
            self.read_log.record(target.read, None)  # the report names the target
        call = self._pipeline.prepare(await self.build_call(step))
        return await review_call(
            self._pipeline,
            call,
            self.reader_for(call),
            tuple(step.placeholders().values()),
            namesakes=self._namesakes,
            state_changes=state_changes,
        )

    async def build_call(self, step: PlanStep) -> Call:
        """Return the call of a step, with placeholders for the values of earlier steps.

        Raises:
            SaasusMcpError: the step undoes a change that is no longer in the undo log.
        """
        tool = self._pipeline.catalogue.find(step.operation).tool
        args = fill_placeholders(step.args, step.placeholders())
        undo_ref, ref = await undo_ref_of(self._pipeline, step.undoes), step.ref(self._job)
        return Call(tool, args, self.principal, undo_ref=undo_ref, job_step=ref, deadline=self._deadline)

    async def undo_entries(self, job: str) -> list[UndoEntry]:
        """Return the changes of a job in the undo log, newest first."""
        log = self._pipeline.store.undo_log
        return [entry for entry in await self._pipeline.store_executor(log.list_entries) if job and entry.job == job]

    def plan_undo(self, entry: UndoEntry, *, is_approver: bool) -> UndoPlan:
        """Return how to undo a change.

        Raises:
            CallRefused: it cannot be undone, was undone already, or this person may not undo it here.
        """
        undoer = Undoer(self.principal, is_approver)
        return plan_undo(self._pipeline.catalogue, entry, undoer, self.destination)

    def reader_for(self, call: PreparedCall) -> ApiReader:
        """Return a reader for the inspection of a call. Calls without secrets share one, which makes each read once."""
        if call.operation.secret_inputs:
            return cache_reads(self._pipeline.reader_for(call))
        if self._shared_reader is None:
            self._shared_reader = cache_reads(self._pipeline.reader_for(replace(call, id=self._job.job)))
        return self._shared_reader

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Run work on large input in a thread, in the principal's share of threads."""
        return await worker_threads.run_in_worker(self.principal.id, work)

    async def read(self, key: str, args: Mapping[str, Any] | None = None, take: Callable[[Any], T] | None = None) -> T:
        """Return the answer of an operation, or what `take` makes of it. The returned value is remembered.

        Raises:
            RecordAbsent: the API answers that the record does not exist.
            ReadFailed: the operation has no answer for another reason.
        """

        async def make() -> Any:
            answer, reason, status = await self._fetch(key, args or {})
            if reason:
                return {"why": asdict(reason), "status": status}
            return {"given": answer if take is None else take(answer)}

        self._record_read(key, args or {})
        found = await self._checkpoint(key, make)
        if "why" in found:
            error = RecordAbsent if found.get("status") == STATUS_NOT_FOUND else ReadFailed
            raise error.of("jobs.read_failed", reason=_stored_reason(found["why"]))
        return cast("T", found["given"])

    async def read_many(
        self, key: str, calls: Sequence[Mapping[str, Any]], take: Callable[[Any], T]
    ) -> list[tuple[T | None, Text]]:
        """Return what `take` makes of the answer to each call, remembered together; or None and the reason."""

        async def make() -> list[Any]:
            found = list[Any]([None] * len(calls))

            async def read(number: int, args: Mapping[str, Any]) -> None:
                answer, reason = await self.fetch(key, args)
                found[number] = [None, asdict(reason)] if reason else [take(answer), ""]

            await run_concurrently([partial(read, number, args) for number, args in enumerate(calls)])
            return found

        for args in calls:
            self._record_read(key, args)
        return [(value, _stored_reason(reason)) for value, reason in await self._checkpoint(key, make)]

    async def read_pages(self, key: str, args: Mapping[str, Any], take: Callable[[Any], T]) -> AsyncIterator[T]:
        """Yield what `take` makes of each page of a list, with the pages of one checkpoint in memory at a time.

        Args:
            take: makes the value that is remembered. It may run before earlier pages were yielded.

        Raises:
            ReadFailed: a page cannot be read, the API repeats a cursor, or the pages do not end.
        """
        cursor, seen = "", set[str]()
        self._record_read(key, args)
        pages = PagedList(partial(self.fetch, key), args)
        try:
            while len(seen) < MAX_PAGES:
                some = min(PAGES_PER_CHECKPOINT, MAX_PAGES - len(seen))
                read = partial(pages.read_some, cursor, take, some)
                for page, cursor, reason in await self._checkpoint(key, read):
                    if reason:
                        raise ReadFailed.of("jobs.read_failed", reason=_stored_reason(reason))
                    yield page
                    if not cursor:
                        return
                    if cursor in seen:
                        repeated = message("jobs.repeated_cursor", tool=self.find_operation(key).tool)
                        raise ReadFailed(repeated, message("jobs.endless_pages_hint"))
                    seen.add(cursor)
        finally:
            await pages.close()
        too_many = message("jobs.too_many_pages", tool=self.find_operation(key).tool, limit=MAX_PAGES)
        raise ReadFailed(too_many, message("jobs.endless_pages_hint"))

    async def read_applied_calls(self, operation: str, take: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """Return what `take` makes of the audit records of the newest applied calls of an operation, newest first."""

        async def make() -> Any:
            log = self._pipeline.store.audit_log
            records = await self.run_in_thread(lambda: log.newest_applied(operation, MAX_AUDIT_RECORDS))
            return [take(record) for record in records]

        return cast("list[T]", await self._checkpoint("audit", make))

    async def load_input(self, args: Mapping[str, Any], by_value: str, by_id: str) -> tuple[str, Any]:
        """Return the one of two arguments that was given, and its content: the value itself, or a stored result.

        Raises:
            InvalidArguments: neither or both are given, or there is no such result.
            CallRefused: the principal may no longer read the result.
        """
        if require_one_of(args, by_value, by_id, hint=message("jobs.leave_out_hint")) == by_value:
            return by_value, args[by_value]
        result = await self._pipeline.results.read(args[by_id], self._caller)
        if result is None:
            raise InvalidArguments(
                (by_id,), message("jobs.no_such_result"), message("jobs.no_such_result_hint", uri=RESULTS_URI)
            )
        self.read_log.extend(result.origin.calls)
        return by_id, result.value

    def _record_read(self, key: str, args: Mapping[str, Any]) -> None:
        self.read_log.record(key, redact_arguments(self._pipeline.catalogue.find(key), args))

    async def fetch(self, key: str, args: Mapping[str, Any]) -> tuple[Any, Text | None]:
        """Return the API's answer, or None and the reason."""
        return (await self._fetch(key, args))[:2]

    async def _fetch(self, key: str, args: Mapping[str, Any]) -> tuple[Any, Text | None, int | None]:
        """Return the API's answer, or None and the reason, and the HTTP status."""
        tool = self._pipeline.catalogue.find(key).tool
        call = Call(tool, dict(args), self.principal, job_step=self._job, deadline=self._deadline)
        answer = await self._pipeline.run(replace(call, on_rate_limit=self._on_rate_limit))
        if isinstance(answer, PendingElicitation):
            return None, message("jobs.read_asks", tool=tool).both(), None
        if answer.ok:
            return answer.structured, None, answer.status
        return None, Text(f"{tool}: {answer.cause}", f"{tool}: {answer.cause_in('ja')}"), answer.status
