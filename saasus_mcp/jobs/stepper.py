"""One step of a job: made once, or read back where it was begun before, and waited for where it wants a person of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio

from saasus_mcp.jobs.patience import noted, patiently, paused
from saasus_mcp.jobs.plan import Entry
from saasus_mcp.permissions.case import Principal
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server import granted
from saasus_mcp.server.call import Asking, Call, Part
from saasus_mcp.server.filling import filled
from saasus_mcp.server.job_steps import recover, undecided
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.store.job_records import JobStep

PAUSE = 1.0
"""Seconds between two looks at whether a person has decided."""
ROUNDS = 4
"""How often one step asks for approval: a request lasts a quarter of an hour."""
Answer = Callable[[str, Mapping[str, Any]], Awaitable[tuple[Any, str]]]
"""What a read gives, or why there is nothing (jobs.work.Reader)."""


class Stepper:
    """Makes the steps of one job."""

    def __init__(self, pipeline: Pipeline, principal: Principal, part: Part, answer: Answer) -> None:
        self._pipeline = pipeline
        self._principal = principal
        self._part = part
        self._answer = answer

    async def make(self, entry: Entry) -> tuple[JobStep, str]:
        """What became of a step, and a word for why it was refused, where nothing was sent."""
        known, why = await self._known(entry), ""
        while known.outcome is None:
            call = await self._call(entry)
            given = await (self._made(call) if known.call is None else recover(self._pipeline, call))
            if given.why != "store":
                said = "" if given.ok else given.text
                known, why = JobStep(entry.step, known.call, given.applied, said, given.structured), given.why
                break
            await paused(given.text)
            known = await self._known(entry)  # it may have been begun all the same
        if known.outcome == "applied" and known.answer is None and entry.find is not None:
            known = await self._found(known, entry)
        return known, why

    async def _known(self, entry: Entry) -> JobStep:
        steps = await noted(self._pipeline, lambda jobs: jobs.steps(self._part.job, [entry.step]))
        return steps[entry.step]

    async def _call(self, entry: Entry) -> Call:
        part = entry.part(self._part)
        earlier = await noted(self._pipeline, partial(granted.earlier, part))
        later = {name: earlier.get(step, {}).get(field, "") for name, (step, field) in entry.later.items()}
        tool = self._pipeline.catalogue.find(entry.operation).tool
        return Call(tool, filled(entry.args, later), self._principal, part=part)

    async def _made(self, call: Call) -> ToolAnswer:
        """The answer of a call, after a person decided where it wants an approval of its own."""
        for rounds_left in reversed(range(ROUNDS)):
            given = await self._pipeline.run(call)
            if isinstance(given, Asking):
                raise TypeError("a step of a job has nobody to ask")
            if given.why != "approval" or not rounds_left:
                return given
            await self._note({"waiting": given.text})
            try:
                while await patiently(lambda: undecided(self._pipeline, call)):
                    if not await noted(self._pipeline, lambda jobs: jobs.goes_on(self._part.job)):
                        return given
                    await anyio.sleep(PAUSE)
            finally:
                await self._note({})
        raise AssertionError("the last round returns")

    async def _note(self, report: Mapping[str, Any]) -> None:
        await noted(self._pipeline, lambda jobs: jobs.note(self._part.job, report))

    async def _found(self, step: JobStep, entry: Entry) -> JobStep:
        """The step with the answer that it must have got, read from what is there now."""
        find = entry.find
        if find is None:
            return step
        answer, _ = await self._answer(find.read, find.args)
        fitting = [item for item in (answer or {}).get(find.items, []) if _holds(item, find.where)]
        if len(fitting) != 1:
            return step
        await noted(self._pipeline, lambda jobs: jobs.learn(self._part.job, entry.step, fitting[0]))
        return JobStep(step.step, step.call, step.outcome, step.said, fitting[0])


def _holds(item: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(item.get(name) == value for name, value in where.items())
