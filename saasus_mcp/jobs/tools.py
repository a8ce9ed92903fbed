"""The tools of jobs: one for each kind, one that follows them, one that stops them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import anyio

from saasus_mcp.catalog import Text
from saasus_mcp.catalog.jobs import TOOLSET, JobSpec
from saasus_mcp.jobs import reporting
from saasus_mcp.jobs.runner import Runner
from saasus_mcp.saasus.answer import ToolAnswer, compact, failed
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.server.hints import LOOKS_UP, Hints
from saasus_mcp.server.job_steps import of_jobs
from saasus_mcp.server.narrowing import require
from saasus_mcp.server.own import OwnTool, answered, closed
from saasus_mcp.server.results import Source
from saasus_mcp.server.toolsets import Kind
from saasus_mcp.store.job_records import Job

PATIENCE = 45.0
"""Seconds for which a call waits for its job: clients give up after a minute. The job goes on."""
WAITING_SHARE = 0.9
"""Of the time that a call has left: what it may wait for its job. The rest is for telling of it."""
SOON, LATER = 0.02, 0.5
"""Seconds between two looks at a job, at first and at most."""
MOST_LISTED = 20

UNKNOWN = "There is no such job of yours here."
LISTS = "job_status without an id lists them."
ID = {"type": "string", "maxLength": 40}


def tools(runner: Runner, kind: Kind = "full") -> tuple[OwnTool, ...]:
    """All of them, for one pipeline. On the compact surface one more tool runs them all, as they are not listed there."""
    each = tuple(_tool(runner, spec) for spec in runner.specs.values())
    follow = (_status(runner), _cancel(runner))
    if kind == "full":
        return (*each, *(replace(tool, toolset=TOOLSET) for tool in follow))
    return (*each, _front(runner, each), *follow)


def _front(runner: Runner, each: tuple[OwnTool, ...]) -> OwnTool:
    by_name = {tool.name: tool for tool in each}

    async def run(call: Call) -> ToolAnswer | Asking:
        tool = by_name[call.arguments["name"]]
        require(tool, call.principal)
        if "arguments" in call.arguments:
            return await tool.answer(replace(call, name=tool.name, arguments=call.arguments["arguments"]))
        described = runner.specs[tool.name].description.en
        return answered({"name": tool.name, "description": described, "inputSchema": tool.input_schema})

    return OwnTool(
        name="job_run",
        title=Text("Do a whole job", "ジョブの実行"),
        description="Do a job of many calls; without arguments, what it takes.",
        input_schema=closed(("name",), name={"type": "string", "enum": [*by_name]}, arguments={"type": "object"}),
        run=run,
        hints=_hints(runner, runner.specs.values()),
        could_allow=lambda principal: any(tool.could_allow(principal) for tool in each),
    )


def _hints(runner: Runner, specs: Iterable[JobSpec]) -> Hints:
    keys = {key for spec in specs for key in (*spec.reads, *spec.writes)}
    return Hints.of_any(runner.pipeline.catalogue.find(key) for key in keys)


def _tool(runner: Runner, spec: JobSpec) -> OwnTool:
    async def run(call: Call) -> ToolAnswer | Asking:
        timed, asked = call.timed()
        started = await runner.start(spec, timed)
        if isinstance(started, Asking):
            return started
        limit = runner.pipeline.deadline(call).postponed(asked())
        return await followed(runner, started, replace(call, deadline=limit), PATIENCE)

    return OwnTool(
        name=spec.name,
        title=spec.title,
        description=spec.terse,
        input_schema=spec.input_schema,
        output_schema=reporting.ANSWER,
        run=run,
        hints=_hints(runner, [spec]),
        could_allow=lambda principal: runner.could_allow(spec, principal),
        toolset=TOOLSET,
    )


async def followed(
    runner: Runner, job: str, call: Call, patience: float, ends: Callable[[str], bool] = bool
) -> ToolAnswer:
    """A job when it is over or waits for a person, or as it is when patience is at an end. Tells its progress on the way.

    A call that the client takes back stops its job; one whose connection is lost does not.

    Args:
        patience: seconds; less where the call's deadline comes sooner.
        ends: whether to return for what the job waits for. By default a person's approval is told at once.
    """
    if call.deadline is not None:
        patience = min(patience, call.deadline.left() * WAITING_SHARE)
    pause: float = SOON
    told: tuple[int, int | None] = (-1, None)
    give_up = anyio.current_time() + patience
    try:
        while True:
            found = await _found(runner, job, call)
            if found is None:
                return failed(UNKNOWN, LISTS)
            if told != (found.done, found.total):
                told = (found.done, found.total)
                await call.progress(found.done, found.total, found.name)
            left = give_up - anyio.current_time()
            waits = found.report.get("waiting", "")
            if found.status != "running" or left <= 0 or (ends(waits) and await _undecided(runner, waits)):
                return await _answer(runner, found, call)
            await anyio.sleep(min(pause, left))
            pause = min(pause * 1.5, LATER)
    except anyio.get_cancelled_exc_class():
        if call.taken_back():
            await of_jobs(runner.pipeline, lambda jobs: jobs.cancel(job))
        raise


async def _undecided(runner: Runner, waits: str) -> bool:
    """Whether the approval that a job waits for is still to be given: the job takes a moment to see that it was."""
    pipeline = runner.pipeline
    asked = await pipeline.aside(lambda: pipeline.store.approvals(pipeline.clock()))
    return any(each.status == "pending" and each.code in waits for each in asked)


def _status(runner: Runner) -> OwnTool:
    async def run(call: Call) -> ToolAnswer:
        job = call.arguments.get("job")
        if job is not None:
            return await followed(runner, job, call, float(call.arguments.get("wait", 0)))
        who, profile = call.principal.id, runner.pipeline.place.profile
        mine = await of_jobs(runner.pipeline, lambda jobs: jobs.of(who, profile, MOST_LISTED))
        brief = [
            {"job": each.id, "name": each.name, "status": each.status, "at": each.at}
            for each in mine
            if not call.principal.narrowing.why_not_named(each.name, TOOLSET)
        ]
        return answered({"jobs": brief})

    return _own(
        runner,
        "job_status",
        Text("Follow a job", "ジョブの状況"),
        "How a job stands, and its report; without an id, your jobs.",
        {"job": ID, "wait": {"type": "integer", "minimum": 0, "maximum": int(PATIENCE), "description": "seconds"}},
        run,
    )


def _cancel(runner: Runner) -> OwnTool:
    async def run(call: Call) -> ToolAnswer:
        job = call.arguments["job"]
        if await _found(runner, job, call) is None:
            return failed(UNKNOWN, LISTS)
        await of_jobs(runner.pipeline, lambda jobs: jobs.cancel(job))
        return await followed(runner, job, call, PATIENCE, ends=lambda _: False)

    return _own(
        runner,
        "job_cancel",
        Text("Stop a job", "ジョブの停止"),
        "Stop a job between rows; says what was done.",
        {"job": ID},
        run,
        Hints(reads=False, destroys=False, idempotent=True, outside=False),
    )


def _own(  # noqa: PLR0917 - what a tool is made of, in the order of OwnTool
    runner: Runner,
    name: str,
    title: Text,
    description: str,
    properties: dict[str, Any],
    run: Callable[[Call], Awaitable[ToolAnswer]],
    hints: Hints = LOOKS_UP,
) -> OwnTool:
    required = ("job",) if name == "job_cancel" else ()
    return OwnTool(
        name=name,
        title=title,
        description=description,
        input_schema=closed(required, **properties),
        run=run,
        hints=hints,
        could_allow=lambda principal: any(runner.could_allow(spec, principal) for spec in runner.specs.values()),
    )


async def _found(runner: Runner, job: str, call: Call) -> Job | None:
    """The job, where it is the caller's own, in this profile."""
    found = await of_jobs(runner.pipeline, lambda jobs: jobs.find(job))
    mine = (call.principal.id, runner.pipeline.place.profile)
    if found is None or (found.principal, found.profile) != mine:
        return None
    return None if call.principal.narrowing.why_not_named(found.name, TOOLSET) else found


async def _answer(runner: Runner, job: Job, call: Call) -> ToolAnswer:
    """What is told of a job: what it read only as far as its principal may still read that."""
    pipeline, spec, principal = runner.pipeline, runner.specs.get(job.name), call.principal
    if spec is None:
        return failed(f"This server does not know the job {job.name}.", "Ask the server that ran it.")
    calls = reporting.calls(job, spec)
    forbidden = await pipeline.forbidden(calls, principal.in_job(job.name), call.deadline)
    told = reporting.told(job, await of_jobs(pipeline, lambda jobs: jobs.count(job.id)), forbidden)
    if job.status == "failed":
        return ToolAnswer(False, compact(told))
    fitted = await pipeline.results.fit(answered(told), principal, Source(job.name, calls))
    if "chart" not in told:
        return fitted
    chart = await pipeline.aside(lambda: pipeline.results.found(told["chart"], job.principal))
    return replace(fitted, figure=reporting.figure(None if chart is None else chart.value))
