"""The tools of jobs: one for each kind, one that follows them, one that stops them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import anyio

from saasus_mcp.catalog.jobs import JOBS_TOOLSET, JobSpec
from saasus_mcp.common.language import Text
from saasus_mcp.jobs import job_report
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.saasus.tool_answer import ToolAnswer, compact_json, failed_answer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.job_steps import with_jobs
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.surface.annotations import LOOKUP_HINTS, ToolHints
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer
from saasus_mcp.server.surface.narrowing import require_not_excluded
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.store.job_records import Job

MAX_WAIT_SECONDS = 45.0
"""Seconds for which a call waits for its job: clients give up after a minute. The job goes on."""
WAIT_SHARE = 0.9
"""Of the time that a call has left: what it may wait for its job. The rest is for telling of it."""
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.02, 0.5
"""Seconds between two looks at a job, at first and at most."""
MAX_JOBS_LISTED = 20

UNKNOWN = "There is no such job of yours here."
LISTS = "job_status without an id lists them."
JOB_ID_SCHEMA = {"type": "string", "maxLength": 40}


def build_job_tools(runner: JobRunner, kind: SurfaceKind = "full") -> tuple[BuiltinTool, ...]:
    """All of them, for one pipeline. On the compact surface one more tool runs them all, as they are not listed there."""
    each = tuple(_tool(runner, spec) for spec in runner.specs.values())
    follow = (_status(runner), _cancel(runner))
    if kind == "full":
        return (*each, *(replace(tool, toolset=JOBS_TOOLSET) for tool in follow))
    return (*each, _front(runner, each), *follow)


def _front(runner: JobRunner, each: tuple[BuiltinTool, ...]) -> BuiltinTool:
    by_name = {tool.name: tool for tool in each}

    async def run(call: Call) -> ToolAnswer | PendingElicitation:
        tool = by_name[call.arguments["name"]]
        require_not_excluded(tool, call.principal)
        if "arguments" in call.arguments:
            return await tool.handle(replace(call, name=tool.name, arguments=call.arguments["arguments"]))
        described = runner.specs[tool.name].description.en
        return structured_answer({"name": tool.name, "description": described, "inputSchema": tool.input_schema})

    return BuiltinTool(
        name="job_run",
        title=Text("Do a whole job", "ジョブの実行"),
        description="Do a job of many calls; without arguments, what it takes.",
        input_schema=object_schema(
            ("name",), name={"type": "string", "enum": [*by_name]}, arguments={"type": "object"}
        ),
        run=run,
        hints=_hints(runner, runner.specs.values()),
        could_allow=lambda principal: any(tool.could_allow(principal) for tool in each),
    )


def _hints(runner: JobRunner, specs: Iterable[JobSpec]) -> ToolHints:
    keys = {key for spec in specs for key in (*spec.reads, *spec.writes)}
    return ToolHints.of_operations(runner.pipeline.catalogue.find(key) for key in keys)


def _tool(runner: JobRunner, spec: JobSpec) -> BuiltinTool:
    async def run(call: Call) -> ToolAnswer | PendingElicitation:
        timed, asked = call.with_timer()
        started = await runner.start(spec, timed)
        if isinstance(started, PendingElicitation):
            return started
        limit = runner.pipeline.deadline_for(call).postponed(asked())
        return await follow_job(runner, started, replace(call, deadline=limit), MAX_WAIT_SECONDS)

    return BuiltinTool(
        name=spec.name,
        title=spec.title,
        description=spec.terse,
        input_schema=spec.input_schema,
        output_schema=job_report.OUTPUT_SCHEMA,
        run=run,
        hints=_hints(runner, [spec]),
        could_allow=lambda principal: runner.could_allow(spec, principal),
        toolset=JOBS_TOOLSET,
    )


async def follow_job(
    runner: JobRunner, job: str, call: Call, wait_seconds: float, stops_waiting: Callable[[str], bool] = bool
) -> ToolAnswer:
    """A job when it is over or waits for a person, or as it is when patience is at an end. Tells its progress on the way.

    A call that the client takes back stops its job; one whose connection is lost does not.

    Args:
        patience: seconds; less where the call's deadline comes sooner.
        ends: whether to return for what the job waits for. By default a person's approval is told at once.
    """
    if call.deadline is not None:
        wait_seconds = min(wait_seconds, call.deadline.seconds_left() * WAIT_SHARE)
    pause: float = FIRST_POLL_SECONDS
    told: tuple[int, int | None] = (-1, None)
    give_up = anyio.current_time() + wait_seconds
    try:
        while True:
            found = await _found(runner, job, call)
            if found is None:
                return failed_answer(UNKNOWN, LISTS)
            if told != (found.done, found.total):
                told = (found.done, found.total)
                await call.progress(found.done, found.total, found.name)
            left = give_up - anyio.current_time()
            waits = found.report.get("waiting", "")
            if found.status != "running" or left <= 0 or (stops_waiting(waits) and await _undecided(runner, waits)):
                return await _answer(runner, found, call)
            await anyio.sleep(min(pause, left))
            pause = min(pause * 1.5, MAX_POLL_SECONDS)
    except anyio.get_cancelled_exc_class():
        if call.is_cancelled():
            await with_jobs(runner.pipeline, lambda jobs: jobs.request_cancellation(job))
        raise


async def _undecided(runner: JobRunner, waits: str) -> bool:
    """Whether the approval that a job waits for is still to be given: the job takes a moment to see that it was."""
    pipeline = runner.pipeline
    asked = await pipeline.store_executor(lambda: pipeline.store.list_approvals(pipeline.clock()))
    return any(each.status == "pending" and each.code in waits for each in asked)


def _status(runner: JobRunner) -> BuiltinTool:
    async def run(call: Call) -> ToolAnswer:
        job = call.arguments.get("job")
        if job is not None:
            return await follow_job(runner, job, call, float(call.arguments.get("wait", 0)))
        who, profile = call.principal.id, runner.pipeline.destination.profile
        mine = await with_jobs(runner.pipeline, lambda jobs: jobs.list_jobs(who, profile, MAX_JOBS_LISTED))
        brief = [
            {"job": each.id, "name": each.name, "status": each.status, "at": each.at}
            for each in mine
            if not call.principal.narrowing.exclusion_reason_by_name(each.name, JOBS_TOOLSET)
        ]
        return structured_answer({"jobs": brief})

    return _own(
        runner,
        "job_status",
        Text("Follow a job", "ジョブの状況"),
        "How a job stands, and its report; without an id, your jobs.",
        {
            "job": JOB_ID_SCHEMA,
            "wait": {"type": "integer", "minimum": 0, "maximum": int(MAX_WAIT_SECONDS), "description": "seconds"},
        },
        run,
    )


def _cancel(runner: JobRunner) -> BuiltinTool:
    async def run(call: Call) -> ToolAnswer:
        job = call.arguments["job"]
        if await _found(runner, job, call) is None:
            return failed_answer(UNKNOWN, LISTS)
        await with_jobs(runner.pipeline, lambda jobs: jobs.request_cancellation(job))
        return await follow_job(runner, job, call, MAX_WAIT_SECONDS, stops_waiting=lambda _: False)

    return _own(
        runner,
        "job_cancel",
        Text("Stop a job", "ジョブの停止"),
        "Stop a job between rows; says what was done.",
        {"job": JOB_ID_SCHEMA},
        run,
        ToolHints(read_only=False, destructive=False, idempotent=True, open_world=False),
    )


def _own(  # noqa: PLR0917 - what a tool is made of, in the order of OwnTool
    runner: JobRunner,
    name: str,
    title: Text,
    description: str,
    properties: dict[str, Any],
    run: Callable[[Call], Awaitable[ToolAnswer]],
    hints: ToolHints = LOOKUP_HINTS,
) -> BuiltinTool:
    required = ("job",) if name == "job_cancel" else ()
    return BuiltinTool(
        name=name,
        title=title,
        description=description,
        input_schema=object_schema(required, **properties),
        run=run,
        hints=hints,
        could_allow=lambda principal: any(runner.could_allow(spec, principal) for spec in runner.specs.values()),
    )


async def _found(runner: JobRunner, job: str, call: Call) -> Job | None:
    """The job, where it is the caller's own, in this profile."""
    found = await with_jobs(runner.pipeline, lambda jobs: jobs.get(job))
    mine = (call.principal.id, runner.pipeline.destination.profile)
    if found is None or (found.principal, found.profile) != mine:
        return None
    return None if call.principal.narrowing.exclusion_reason_by_name(found.name, JOBS_TOOLSET) else found


async def _answer(runner: JobRunner, job: Job, call: Call) -> ToolAnswer:
    """What is told of a job: what it read only as far as its principal may still read that."""
    pipeline, spec, principal = runner.pipeline, runner.specs.get(job.name), call.principal
    if spec is None:
        return failed_answer(f"This server does not know the job {job.name}.", "Ask the server that ran it.")
    calls = job_report.report_reads(job, spec)
    forbidden = await pipeline.find_forbidden(calls, principal.for_job(job.name), call.deadline)
    told = job_report.describe_job(job, await with_jobs(pipeline, lambda jobs: jobs.count_outcomes(job.id)), forbidden)
    if job.status == "failed":
        return ToolAnswer(False, compact_json(told))
    fitted = await pipeline.results.truncate(structured_answer(told), principal, ResultOrigin(job.name, calls))
    if "chart" not in told:
        return fitted
    chart = await pipeline.store_executor(lambda: pipeline.results.find_result(told["chart"], job.principal))
    return replace(fitted, figure=job_report.load_chart(None if chart is None else chart.value))
