"""One step of a job: made once, or read back where it was begun before, and waited for where it wants a person of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import anyio

from saasus_mcp.jobs.plan import PlanStep
from saasus_mcp.jobs.store_retry import query_jobs, retry, wait_for_store
from saasus_mcp.permissions.approval.approvals import APPROVAL_LIFETIME, MAX_PENDING
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline import job_grants
from saasus_mcp.server.pipeline.call import Call, JobStepRef, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_steps import pending_approval, pending_approvals, recover_step, withdraw_approvals
from saasus_mcp.store.job_records import JobStep

CANCELLED_REASON = "cancelled"
"""Why a step was not made, where its job was cancelled while it waited."""
CANCELLED = "The job was cancelled before a person decided on this step."
WAITABLE_REASONS = frozenset({"approval", "flooded"})
ANYBODY, OTHER = "A person", "Another person than the one who asks"
WAITING = (
    "{who} must approve the next step ({tool}). Approval code: {code}. Ask them to run `saasus-mcp approve {code}` in a terminal "
    "of their own (15 minutes). The job goes on by itself when they have: do not start it again. You cannot approve it."
)
FULL = (
    "{count} approvals are pending already, and this job needs one more. It waits until a person has decided on one of them "
    "with `saasus-mcp approve CODE`: {codes}. The job then goes on by itself: do not start it again."
)
POLL_SECONDS = 1.0
"""Seconds between two looks at whether a person has decided."""
MAX_APPROVAL_ROUNDS = 4
"""How often one step asks for approval: a request lasts a quarter of an hour."""
FetchAnswer = Callable[[str, Mapping[str, Any]], Awaitable[tuple[Any, str]]]
"""What a read gives, or why there is nothing (jobs.work.Reader)."""


class StepRunner:
    """Makes the steps of one job."""

    def __init__(self, pipeline: Pipeline, principal: Principal, part: JobStepRef, answer: FetchAnswer) -> None:
        self._pipeline = pipeline
        self._principal = principal
        self._part = part
        self._answer = answer

    async def run_step(self, entry: PlanStep) -> tuple[JobStep, str]:
        """What became of a step, and a word for why it was refused, where nothing was sent."""
        known, why = await self._known(entry), ""
        while known.outcome is None:
            call = await self._call(entry)
            given = await (self._made(call) if known.call is None else recover_step(self._pipeline, call))
            if given.why != "store":
                said = "" if given.ok else given.text
                known, why = JobStep(entry.step, known.call, given.applied, said, given.structured), given.why
                break
            await wait_for_store(given.text)
            known = await self._known(entry)  # it may have been begun all the same
        if known.outcome == "applied" and known.answer is None and entry.lookup is not None:
            known = await self._found(known, entry)
        return known, why

    async def _known(self, entry: PlanStep) -> JobStep:
        steps = await query_jobs(self._pipeline, lambda jobs: jobs.get_steps(self._part.job, [entry.step]))
        return steps[entry.step]

    async def _call(self, entry: PlanStep) -> Call:
        part = entry.ref(self._part)
        earlier = await query_jobs(self._pipeline, partial(job_grants.earlier_answers, part))
        later = {name: earlier.get(step, {}).get(field, "") for name, (step, field) in entry.from_steps.items()}
        tool = self._pipeline.catalogue.find(entry.operation).tool
        return Call(tool, job_grants.fill_placeholders(entry.args, later), self._principal, job_step=part)

    async def _made(self, call: Call) -> ToolAnswer:
        """The answer of a call, after a person decided where it wants an approval of its own."""
        for rounds_left in reversed(range(MAX_APPROVAL_ROUNDS)):
            given = await self._pipeline.run(call)
            if isinstance(given, PendingElicitation):
                raise TypeError("a step of a job has nobody to ask")
            if given.why not in WAITABLE_REASONS:
                return given
            goes_on = rounds_left and await (self._decided(call) if given.why == "approval" else self.wait_for_room())
            if not goes_on:
                await retry(lambda: withdraw_approvals(self._pipeline, call))
                cancelled = not await query_jobs(self._pipeline, lambda jobs: jobs.should_continue(self._part.job))
                return replace(failed_answer(CANCELLED), why=CANCELLED_REASON) if cancelled else given
        raise AssertionError("the last round returns")

    async def _decided(self, call: Call) -> bool:
        """Wait until a person has decided on a call; False where the job was cancelled meanwhile."""

        async def wanted() -> tuple[str, Mapping[str, Any]]:
            approval = await pending_approval(self._pipeline, call)
            if approval is None:
                return "", {}
            who = OTHER if approval.two_person else ANYBODY
            said = WAITING.format(who=who, tool=call.name, code=approval.code)
            return said, {"waiting": said, "approval": approval.code}

        return await self._wait(wanted)

    async def wait_for_room(self) -> bool:
        """Wait until one more approval can be asked for, at most as long as one stays pending; False where that did not come,
        or the job was cancelled.
        """

        async def wanted() -> tuple[str, Mapping[str, Any]]:
            waiting = await pending_approvals(self._pipeline, self._principal.id)
            if len(waiting) < MAX_PENDING:
                return "", {}
            said = FULL.format(count=len(waiting), codes=", ".join(sorted(each.code for each in waiting)))
            return said, {"waiting": said}

        return await self._wait(wanted, APPROVAL_LIFETIME)

    async def _wait(
        self, wanted: Callable[[], Awaitable[tuple[str, Mapping[str, Any]]]], patience: float = inf
    ) -> bool:
        """Wait until nothing is wanted of a person any more, and tell what is; False where patience ended before that, or the
        job was cancelled.
        """
        told, give_up = "", anyio.current_time() + patience
        try:
            while True:
                said, report = await retry(wanted)
                if not said:
                    return True
                if said != told:
                    told = said
                    await self._note(report)
                goes_on = await query_jobs(self._pipeline, lambda jobs: jobs.should_continue(self._part.job))
                if not goes_on or anyio.current_time() >= give_up:
                    return False
                await anyio.sleep(POLL_SECONDS)
        finally:
            if told:
                await self._note({})

    async def _note(self, report: Mapping[str, Any]) -> None:
        await query_jobs(self._pipeline, lambda jobs: jobs.save_report(self._part.job, report))

    async def _found(self, step: JobStep, entry: PlanStep) -> JobStep:
        """The step with the answer that it must have got, read from what is there now."""
        find = entry.lookup
        if find is None:
            return step
        answer, _ = await self._answer(find.operation, find.args)
        fitting = [item for item in (answer or {}).get(find.items, []) if _holds(item, find.match)]
        if len(fitting) != 1:
            return step
        await query_jobs(self._pipeline, lambda jobs: jobs.save_answer(self._part.job, entry.step, fitting[0]))
        return JobStep(step.step, step.call, step.outcome, step.error, fitting[0])


def _holds(item: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(item.get(name) == value for name, value in where.items())
