"""The tools of jobs: one for each kind of job, one to follow a job, and one to pause, resume or cancel it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import anyio

from saasus_mcp.catalog.jobs import JOBS_TOOLSET, JobSpec
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.jobs import job_control, job_report
from saasus_mcp.jobs.job_access import acting_principal, could_allow
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer, failed_answer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.job_steps import with_jobs
from saasus_mcp.server.results.result_store import ResultOrigin
from saasus_mcp.server.surface.annotations import ToolHints
from saasus_mcp.server.surface.builtin_tool import BuiltinTool, object_schema, structured_answer
from saasus_mcp.server.surface.narrowing import require_not_excluded
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.store.job_records import Job

MAX_WAIT_SECONDS = 45.0
"""For which a call waits for its job. Clients give up after a minute; the job continues."""
WAIT_SHARE = 0.9
"""The part of a call's remaining time for which it waits for its job. The rest is for the answer."""
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.02, 0.5
MAX_JOBS_LISTED = 20
JOB_ID_SCHEMA = {"type": "string", "maxLength": 40}


def build_job_tools(runner: JobRunner, kind: SurfaceKind = "full") -> tuple[BuiltinTool, ...]:
    """Return all tools of jobs. The compact surface does not list the kinds of job, and has one more tool to run them."""
    jobs = tuple(_job_tool(runner, spec) for spec in _listed_specs(runner))
    control = _control_tool(runner)
    helpers = (_status_tool(runner), control, _former_cancel_tool(control))
    if kind == "full":
        return (*jobs, *(replace(tool, toolset=JOBS_TOOLSET) for tool in helpers))
    return (*jobs, _run_tool(runner, jobs), *helpers)


def _run_tool(runner: JobRunner, jobs: tuple[BuiltinTool, ...]) -> BuiltinTool:
    by_name = {tool.name: tool for tool in jobs}

    async def run(call: Call) -> ToolAnswer | PendingElicitation:
        tool = by_name[call.arguments["name"]]
        require_not_excluded(tool, call.principal)
        if "arguments" in call.arguments:
            return await tool.handle(replace(call, name=tool.name, arguments=call.arguments["arguments"]))
        description = runner.specs[tool.name].description.en
        return structured_answer({"name": tool.name, "description": description, "inputSchema": tool.input_schema})

    return BuiltinTool(
        name="job_run",
        title=message("jobs.run_title").both(),
        description="Do a job of many calls; without arguments, what it takes.",
        input_schema=object_schema(
            ("name",), name={"type": "string", "enum": [*by_name]}, arguments={"type": "object"}
        ),
        run=run,
        hints=lambda: _hints(runner, _listed_specs(runner)),
        could_allow=lambda principal: any(tool.could_allow(principal) for tool in jobs),
        app="job",
    )


def _hints(runner: JobRunner, specs: Iterable[JobSpec]) -> ToolHints:
    specs, catalogue = tuple(specs), runner.pipeline.catalogue
    if any(spec.writes_any for spec in specs):
        return ToolHints.of_operations(catalogue)
    keys = {key for spec in specs for key in (*spec.reads, *spec.writes)}
    return ToolHints.of_operations(catalogue.find(key) for key in keys)


def _job_tool(runner: JobRunner, spec: JobSpec) -> BuiltinTool:
    async def run(call: Call) -> ToolAnswer | PendingElicitation:
        timed, asked = call.with_timer()
        started = await runner.start(spec, timed)
        if isinstance(started, PendingElicitation):
            return started
        return await follow_job(runner, started, call.postponed(asked()), MAX_WAIT_SECONDS, owns_job=True)

    return BuiltinTool(
        name=spec.name,
        title=spec.title,
        description=spec.terse,
        input_schema=spec.input_schema,
        output_schema=job_report.OUTPUT_SCHEMA,
        run=run,
        hints=lambda: _hints(runner, [spec]),
        could_allow=lambda principal: could_allow(runner.pipeline, spec, principal),
        toolset=JOBS_TOOLSET,
        app="job",
    )


async def follow_job(
    runner: JobRunner,
    job: str,
    call: Call,
    wait_seconds: float,
    stops_waiting: Callable[[str], bool] = bool,
    *,
    until_paused: bool = True,
    owns_job: bool = False,
) -> ToolAnswer:
    """Return the answer about a job when it is over or paused, waits for a person, the time is over, or the server stops.

    Progress is reported meanwhile.

    If the client cancels the call that began the job, the job is cancelled. If the connection is lost, it is not.

    Args:
        wait_seconds: how long to wait, less if the call's deadline is earlier.
        stops_waiting: decides whether to return for the thing that the job waits for.
        until_paused: whether to return when the job is paused.
        owns_job: whether the call began the job. One that only looks, or pauses, must not end it.
    """
    if call.deadline is not None:
        wait_seconds = min(wait_seconds, call.deadline.seconds_left() * WAIT_SHARE)
    pause: float = FIRST_POLL_SECONDS
    reported: tuple[int, int | None] = (-1, None)
    reported_wait = ""
    end = anyio.current_time() + wait_seconds
    try:
        while True:
            found = await _find_job(runner, job, call)
            if found is None:
                return _unknown_job()
            total = found.done if found.status == "done" and found.total is None else found.total
            if reported != (found.done, total):
                reported = (found.done, total)
                await call.progress(found.done, total, found.name)
            left = end - anyio.current_time()
            waiting = found.report.get("waiting", "")
            if waiting != reported_wait:
                reported_wait = waiting
                await call.progress(None, None, waiting or found.name)
            status = job_report.shown_status(found)
            if (
                status not in ("running", "paused")
                or (until_paused and status == "paused")
                or left <= 0
                or runner.engine.is_stopping
                or (stops_waiting(waiting) and await waits_for_person(runner, waiting))
            ):
                return await _answer(runner, found, call)
            await anyio.sleep(min(pause, left))
            pause = min(pause * 1.5, MAX_POLL_SECONDS)
    except anyio.get_cancelled_exc_class():
        if owns_job and call.is_cancelled():
            await with_jobs(runner.pipeline, lambda jobs: jobs.request_cancellation(job))
        raise
    except SaasusMcpError as error:
        # The job goes on without its report, so the answer must not say that nothing was changed.
        unread = message("jobs.report_unread", job=job, why=error)
        return failed_answer(unread, message("jobs.report_unread_hint"), applied=Outcome.UNKNOWN)


async def waits_for_person(runner: JobRunner, waiting: str) -> bool:
    """Return whether the approval in the text is still pending. The job takes a moment to notice a decision."""
    pipeline = runner.pipeline
    approvals = await pipeline.store_executor(lambda: pipeline.store.list_approvals(pipeline.clock()))
    return any(each.status == "pending" and each.code in waiting for each in approvals)


def _status_tool(runner: JobRunner) -> BuiltinTool:
    async def run(call: Call) -> ToolAnswer:
        job = call.arguments.get("job")
        if job is not None:
            return await follow_job(runner, job, call, float(call.arguments.get("wait", 0)))
        principal, profile = call.principal, runner.pipeline.destination.profile
        jobs = await with_jobs(runner.pipeline, lambda jobs: jobs.list_jobs(principal.id, profile, MAX_JOBS_LISTED))
        listed = [
            {"job": each.id, "name": each.name, "status": job_report.shown_status(each), "at": each.at}
            for each in jobs
            if not principal.narrowing.exclusion_reason_by_name(each.name, JOBS_TOOLSET)
        ]
        return structured_answer({"jobs": listed})

    wait = {"type": "integer", "minimum": 0, "maximum": int(MAX_WAIT_SECONDS)}
    return BuiltinTool(
        name="job_status",
        title=message("jobs.status_title").both(),
        description="A job's report, or your jobs.",
        input_schema=object_schema((), job=JOB_ID_SCHEMA, wait=wait),
        run=run,
        could_allow=lambda principal: _could_allow_any(runner, principal),
        app="job",
        for_apps=True,
    )


def _control_tool(runner: JobRunner) -> BuiltinTool:
    async def run(call: Call) -> ToolAnswer:
        job, pipeline = await _find_job(runner, call.arguments["job"], call), runner.pipeline
        if job is None:
            return _unknown_job()
        action, store, now = call.arguments["action"], pipeline.store, pipeline.clock()
        who = Controller(call.principal.id, "model", "client")
        if action == "pause":
            await pipeline.store_executor(lambda: job_control.pause_job(store, job, who, now))
        elif action == "resume":
            await runner.require_startable(job, call.principal)
            await pipeline.store_executor(lambda: job_control.resume_job(store, job, who, now))
        else:
            await with_jobs(pipeline, lambda jobs: jobs.request_cancellation(job.id))
        wait = 0.0 if action == "resume" else MAX_WAIT_SECONDS
        return await follow_job(runner, job.id, call, wait, stops_waiting=lambda _: action == "pause")

    return BuiltinTool(
        name="job_control",
        title=message("jobs.control_title").both(),
        description="Only people resume what people or freezes paused.",
        input_schema=object_schema(
            ("job", "action"), job=JOB_ID_SCHEMA, action={"type": "string", "enum": ["pause", "resume", "cancel"]}
        ),
        run=run,
        hints=lambda: ToolHints(read_only=False, destructive=False, idempotent=True, open_world=False),
        could_allow=lambda principal: _could_allow_any(runner, principal),
        app="job",
    )


def _former_cancel_tool(control: BuiltinTool) -> BuiltinTool:
    """Return the former tool that could only cancel. Calls of it work, and it is not listed."""

    async def run(call: Call) -> ToolAnswer | PendingElicitation:
        return await control.run(replace(call, arguments={**call.arguments, "action": "cancel"}))

    schema = object_schema(("job",), job=JOB_ID_SCHEMA)
    return replace(control, name="job_cancel", input_schema=schema, run=run, present_name=control.name)


def _could_allow_any(runner: JobRunner, principal: Principal) -> bool:
    return any(could_allow(runner.pipeline, spec, principal) for spec in _listed_specs(runner))


def _listed_specs(runner: JobRunner) -> list[JobSpec]:
    return [spec for spec in runner.specs.values() if not spec.for_people]


def _unknown_job() -> ToolAnswer:
    return failed_answer(message("jobs.unknown_job"), message("jobs.unknown_job_hint"))


async def _find_job(runner: JobRunner, job: str, call: Call) -> Job | None:
    """Return the job if it is the caller's own, in this profile, and not excluded by the connection."""
    found = await with_jobs(runner.pipeline, lambda jobs: jobs.get(job))
    owner = (call.principal.id, runner.pipeline.destination.profile)
    if found is None or (found.principal, found.profile) != owner:
        return None
    return None if call.principal.narrowing.exclusion_reason_by_name(found.name, JOBS_TOOLSET) else found


async def _answer(runner: JobRunner, job: Job, call: Call) -> ToolAnswer:
    """Return the answer about a job. What it read is part of it only if the principal may still read that."""
    pipeline, spec, principal = runner.pipeline, runner.specs.get(job.name), call.principal
    if spec is None:
        return failed_answer(message("jobs.unknown_kind", name=job.name), message("jobs.unknown_kind_hint"))
    reads = job_report.report_reads(job, spec)
    forbidden = await pipeline.find_forbidden(reads, acting_principal(spec, principal), call.deadline)
    steps, applied = await with_jobs(pipeline, lambda jobs: (jobs.count_outcomes(job.id), jobs.outcome_of(job)))
    description = job_report.describe_job(job, steps, forbidden)
    shown = job_report.app_report(job, spec, forbidden)
    if job.status == "failed":
        # A failure has no structured content. The app still shows the job.
        return ToolAnswer(False, compact_json(description), applied=applied, app_data={**shown, "job": description})
    described = replace(structured_answer(description), applied=applied, app_data=shown)
    answer = await pipeline.results.truncate(described, principal, ResultOrigin(job.name, reads))
    if "chart" not in description:
        return answer
    chart = await pipeline.store_executor(lambda: pipeline.results.find_result(description["chart"], job.principal))
    return replace(answer, figure=job_report.load_chart(None if chart is None else chart.value))
