"""One step of a job: sent at most once, verified after a crash, and held until a person has approved it if it needs that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import anyio

from saasus_mcp.common.json_path import value_at
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.timezones import format_clock, format_instant
from saasus_mcp.jobs.pause_gate import PauseGate
from saasus_mcp.jobs.plan import AnswerLookup, PlanStep
from saasus_mcp.jobs.store_retry import query_jobs, retry, wait_for_store
from saasus_mcp.permissions.approval.approvals import APPROVAL_LIFETIME, MAX_PENDING
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import job_grants
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_steps import (
    pending_approval,
    pending_approvals,
    recover_step,
    undo_ref_of,
    withdraw_approvals,
)
from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall
from saasus_mcp.store.errors import WritesFrozen
from saasus_mcp.store.job_records import JobStep

CANCELLED_REASON = "cancelled"
"""The reason of a step that was not sent because its job was cancelled while it waited."""
FROZEN_REASON = WritesFrozen.reason
"""The reason of a call that was not sent because writes are frozen. The job pauses."""
RATE_LIMITED_REASON = "rate_limited"
"""The reason of a call that the API keeps refusing with 429. The job ends there, since every other call would be refused."""
MAX_API_WAIT = 900.0
"""The longest Retry-After, in seconds, for which a job waits."""
MAX_RATE_LIMITS = 8
"""How often one call is refused with 429 before the job ends."""
FIRST_API_WAIT, LAST_API_WAIT = 1.0, 60.0
"""Seconds to wait if the API names none. Each wait for a call is twice as long as the one before."""
WAITABLE_REASONS = frozenset({"approval", "flooded"})
POLL_SECONDS = 1.0
"""Between two queries whether a person has decided."""
MAX_APPROVAL_ROUNDS = 4
"""How often one step asks for approval. A request lasts 15 minutes."""
FetchAnswer = Callable[[str, Mapping[str, Any]], Awaitable[tuple[Any, Text | None]]]
"""Returns the answer of a read, or None and the reason."""
GetObstacle = Callable[[], Awaitable[tuple[Message | None, Mapping[str, Any]]]]
"""Returns what a person has to do first, and other fields of the job's report; None if the step can go on."""


class StepRunner:
    def __init__(
        self, pipeline: Pipeline, principal: Principal, job: JobStepRef, fetch: FetchAnswer, gate: PauseGate
    ) -> None:
        self._pipeline = pipeline
        self._principal = principal
        self._job = job
        self._fetch = fetch
        self._gate = gate
        self._names: dict[str, str] = {}
        self._resume_at = 0.0
        self._resume_text = ""

    async def run_step(self, step: PlanStep, *, begins_row: bool = True) -> tuple[JobStep, str]:
        """Run a step. Return its record, and the reason if it was refused.

        Args:
            begins_row: whether no earlier step of the row was sent, so that a pause holds this one back.
        """
        record, reason = await self._read_record(step), ""
        while record.outcome is None:
            call = await self._build_call(step)
            sends = record.call is None
            answer = await (self._send(call, begins_row=begins_row) if sends else recover_step(self._pipeline, call))
            if answer.why == FROZEN_REASON:
                if not await self._gate.hold_row_for_freeze():
                    return replace(record, error=self._explain(answer)), CANCELLED_REASON
                continue
            if answer.why != "store":
                error = "" if answer.ok else self._explain(answer)
                record, reason = JobStep(step.step, record.call, answer.applied, error, answer.structured), answer.why
                break
            await wait_for_store(answer.text)
            record = await self._read_record(step)  # the step may have been committed all the same
        if record.outcome == "applied" and record.answer is None and step.lookup is not None:
            record = await self._look_up_answer(record, step.lookup)
        return record, reason

    def _explain(self, answer: ToolAnswer) -> str:
        return answer.explain(self._pipeline.language)

    async def _read_record(self, step: PlanStep) -> JobStep:
        steps = await query_jobs(self._pipeline, lambda jobs: jobs.get_steps(self._job.job, [step.step]))
        return steps[step.step]

    async def _build_call(self, step: PlanStep) -> Call:
        ref = step.ref(self._job)
        answers = await query_jobs(self._pipeline, partial(job_grants.earlier_answers, ref))
        values = {
            place: "" if (value := value_at(answers.get(name), field)) is None else value
            for place, (name, field) in step.from_steps.items()
        }
        tool = self._pipeline.catalogue.find(step.operation).tool
        args = job_grants.fill_placeholders(step.args, values)
        undo_ref = await retry(lambda: undo_ref_of(self._pipeline, step.undoes))
        call = Call(tool, args, self._principal, job_step=ref, on_rate_limit=self.wait_after_rate_limit)
        return replace(call, undo_ref=undo_ref, known_names=self._names)

    async def _send(self, call: Call, *, begins_row: bool) -> ToolAnswer:
        """Send a call, when the API accepts calls, and after an approval if it needs one."""
        if not await self._wait_for_api():
            return failed_answer(message("jobs.cancelled_while_waiting_for_api"), why=CANCELLED_REASON)
        first = True
        for rounds_left in reversed(range(MAX_APPROVAL_ROUNDS)):
            if begins_row and not first and not await self._gate.hold_row():
                await retry(lambda: withdraw_approvals(self._pipeline, call))
                return failed_answer(message("jobs.cancelled_while_paused"), why=CANCELLED_REASON)
            first = False
            answer = await self._pipeline.run(call)
            if isinstance(answer, PendingElicitation):
                raise TypeError("a step of a job has no client to ask")
            if answer.why not in WAITABLE_REASONS:
                return answer
            if rounds_left and await (
                self._wait_for_decision(call) if answer.why == "approval" else self.wait_for_room()
            ):
                continue
            await retry(lambda: withdraw_approvals(self._pipeline, call))
            if await self.should_continue():
                return answer
            return failed_answer(message("jobs.cancelled_while_waiting"), why=CANCELLED_REASON)
        raise AssertionError("the last round returns")

    async def _wait_for_decision(self, call: Call) -> bool:
        """Wait until a person has decided on a call. Return False if the job was cancelled."""

        async def get_obstacle() -> tuple[Message | None, Mapping[str, Any]]:
            approval = await pending_approval(self._pipeline, call)
            if approval is None:
                return None, {}
            text = message(
                "jobs.waiting_two_person" if approval.two_person else "jobs.waiting",
                tool=call.name,
                code=approval.code,
                until=format_clock(approval.expires_at, self._pipeline.reader.zone),
            )
            return text, {"approval": approval.code}

        return await self._wait(get_obstacle)

    async def wait_after_rate_limit(
        self, call: PreparedCall, authorized: Authorized, answer: ToolAnswer, refusals: int
    ) -> ToolAnswer | None:
        """Stop all calls of the job until the API accepts calls again (`RateLimitHandler`)."""
        seconds = answer.retry_after
        if seconds is None:
            seconds = min(FIRST_API_WAIT * 2**refusals, LAST_API_WAIT)
        if seconds > MAX_API_WAIT or refusals >= MAX_RATE_LIMITS:
            return replace(answer, why=RATE_LIMITED_REASON)
        resume_at = anyio.current_time() + seconds
        if resume_at > self._resume_at:
            at = format_instant(self._pipeline.clock() + seconds, self._pipeline.reader.zone)
            self._resume_at, self._resume_text = resume_at, at
        if not await self._wait_for_api():
            return replace(answer, why=CANCELLED_REASON)
        while not call.operation.reads and await self._pipeline.authorizer.is_frozen():
            if not await self._gate.hold_row_for_freeze():
                return replace(answer, why=CANCELLED_REASON)
        return await self._decide_again(call, authorized)

    async def _decide_again(self, call: PreparedCall, authorized: Authorized) -> ToolAnswer | None:
        """Return None if a call that was committed before the wait would be committed now, else why it is not sent."""
        pipeline = self._pipeline
        read = pipeline.reader_for(call)
        try:
            authorized = await pipeline.authorizer.decide_again(call, authorized, read)
            await pipeline.authorizer.require_still_covered(call, authorized, read)
        except CallRefused as refusal:
            return failed_answer(refusal.message, refusal.hint, trace_id=call.id, why=refusal.reason)
        return None

    async def _wait_for_api(self) -> bool:
        """Wait until the time that the API named. Return False if the job was cancelled."""

        async def get_obstacle() -> tuple[Message | None, Mapping[str, Any]]:
            if anyio.current_time() >= self._resume_at:
                return None, {}
            return message("jobs.waiting_for_api", until=self._resume_text), {"until": self._resume_text}

        return await self._wait(get_obstacle)

    async def wait_for_room(self) -> bool:
        """Wait until one more approval can be requested. Return False if the job was cancelled, or after 15 minutes."""

        async def get_obstacle() -> tuple[Message | None, Mapping[str, Any]]:
            pending = await pending_approvals(self._pipeline, self._principal.id)
            if len(pending) < MAX_PENDING:
                return None, {}
            codes = tuple(sorted(each.code for each in pending))
            return message("jobs.waiting_for_room", count=len(pending), codes=codes), {}

        return await self._wait(get_obstacle, APPROVAL_LIFETIME)

    async def _wait(self, get_obstacle: GetObstacle, seconds: float = inf) -> bool:
        """Wait until there is no obstacle, and report it meanwhile. Return False if the time is over or the job cancelled."""
        reported, end = None, anyio.current_time() + seconds
        try:
            while True:
                obstacle, fields = await retry(get_obstacle)
                if obstacle is None:
                    return True
                if obstacle != reported:
                    reported = obstacle
                    await self._save_report({"waiting": obstacle.text(self._pipeline.language), **fields})
                running = await self.should_continue()
                if not running or anyio.current_time() >= end:
                    return False
                await anyio.sleep(POLL_SECONDS)
        finally:
            if reported is not None:
                await self._save_report({})

    async def should_continue(self) -> bool:
        """Return whether the job is running and was not cancelled."""
        return await query_jobs(self._pipeline, lambda jobs: jobs.should_continue(self._job.job))

    async def _save_report(self, report: Mapping[str, Any]) -> None:
        await query_jobs(self._pipeline, lambda jobs: jobs.save_report(self._job.job, report))

    async def _look_up_answer(self, record: JobStep, lookup: AnswerLookup) -> JobStep:
        """Return the record with the item that the step created, as far as it can be found."""
        answer, _ = await self._fetch(lookup.operation, lookup.args)
        items = (answer or {}).get(lookup.items, [])
        found = [item for item in items if all(item.get(name) == value for name, value in lookup.match.items())]
        if len(found) != 1:
            return record
        await query_jobs(self._pipeline, lambda jobs: jobs.save_answer(self._job.job, record.step, found[0]))
        return replace(record, answer=found[0])
