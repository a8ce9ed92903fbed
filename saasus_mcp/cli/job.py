"""`saasus-mcp job`: run a job through the pipeline that MCP clients use; pause or resume one of any server that uses these stores."""

from __future__ import annotations

import sys
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp.catalog.jobs import JOB_PREFIX, JobSpec, load_jobs
from saasus_mcp.cli import state
from saasus_mcp.cli.command_line import Command, argument, command, option
from saasus_mcp.cli.completion import complete_jobs
from saasus_mcp.cli.exit_status import ExitStatus, point_to_arguments, print_failure, print_refusal, status_of_report
from saasus_mcp.cli.job_progress import show_progress
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_failure_option, settings_options
from saasus_mcp.cli.output import file_exists, print_json, print_outcome, write_private_file
from saasus_mcp.cli.sandbox.sandbox_state import fresh_option
from saasus_mcp.cli.session import InvalidJson, TerminalSession, open_session, parse_json, read_json_argument
from saasus_mcp.cli.terminal import format_json, render, require_approver, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.common.text import nearest_names, visible_text
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus import arguments, validation
from saasus_mcp.saasus.tool_answer import AnswerImage, ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.job_records import Job
from saasus_mcp.store.store import Store

if TYPE_CHECKING:
    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.jobs.tables.decoding import DecodedText

NO_ARGUMENTS = "{}"
FOLLOW_SECONDS = 3600.0
PRODUCTS = ("csv", "records", "document")
"""Fields of a report that --output writes to the file instead."""
FILE_OPTIONS = {"listed": "csv", "document": "document", "other": "other_document"}
"""Options that name a file, and the arguments that are read from it."""
SWITCH_ACTIONS = ("pause", "resume")
MAX_LISTED = 20
_MAX_NAME = 80
_PATH = click.Path(path_type=Path)


class _JobCommand(Command):
    def help_text(self) -> str:
        names = tuple(each.name.removeprefix(JOB_PREFIX) for each in load_jobs())
        return render(message("cli_help.command.job", jobs=names))


@command(cls=_JobCommand)
@settings_options()
@fresh_option
@argument("name", shell_complete=complete_jobs)
@argument("given", metavar="[JSON]", default=NO_ARGUMENTS)
@option("--csv", "listed", type=_PATH, help="cli_help.option.csv")
@option("--document", type=_PATH, help="cli_help.option.document")
@option("--other", type=_PATH, help="cli_help.option.other_document")
@option("--output", type=_PATH, help="cli_help.option.job_output")
@option("--chart", type=_PATH, help="cli_help.option.chart")
@json_failure_option
def job(
    settings: Settings,
    *,
    name: str,
    given: str,
    output: Path | None,
    chart: Path | None,
    fresh: bool,
    **files: Path | None,
) -> None:
    """Run a job to its end, and print its report."""
    if name in SWITCH_ACTIONS:
        _switch_job(settings, name, "" if given == NO_ARGUMENTS else given)
        return
    spec = _find_job(name)  # before credentials are missed
    for file in (output, chart):
        if file is not None and file.exists():
            raise file_exists(file)
    values, encoding = read_json_argument(given), ""
    if isinstance(values, dict):
        contents = {FILE_OPTIONS[each]: _read(FILE_OPTIONS[each], file) for each, file in files.items() if file}
        if "csv" in contents:
            contents["csv"], encoding = contents["csv"].text, contents["csv"].encoding
        defaults, fixed = ({}, {}) if chart is None else ({"language": settings.lang}, {"chart": "png"})
        values = {**defaults, **values, **contents, **fixed}
    try:
        answer, interrupted = _run(settings, spec, values, encoding, output, fresh=fresh)
    except InvalidArguments as error:
        print_refusal(error)
        point_to_arguments(error.fault, spec.name)
        sys.exit(ExitStatus.FAILED)
    except CallRefused as refusal:
        print_refusal(refusal)
        sys.exit(ExitStatus.REFUSED)
    if answer.figure is not None:
        _show_image(answer.figure, chart)
    if not answer.ok:
        print_failure(answer)
        sys.exit(ExitStatus.FAILED)
    report = answer.structured or {}
    status = status_of_report(report)
    shown = {name: value for name, value in report.items() if output is None or name not in PRODUCTS}
    print_json(shown)
    sys.exit(ExitStatus.INTERRUPTED if interrupted and status is not ExitStatus.DONE else status)


def _run(
    settings: Settings, spec: JobSpec, given: object, encoding: str, output: Path | None, *, fresh: bool
) -> tuple[ToolAnswer, bool]:
    """Run a job to its end. Return its answer, and whether Ctrl+C ended it.

    Args:
        given: the arguments as the person gave them.
        encoding: of the file with the table; empty without one.

    Raises:
        InvalidArguments: an argument is not valid.
        CallRefused: the job was not started.
    """
    from saasus_mcp.cli import composition  # noqa: PLC0415 - imports the SDK and the HTTP client

    with open_session(settings, fresh=fresh) as session:
        profile = session.pipeline.destination.profile
        open_runners = composition.open_job_runners(settings, {profile: session.pipeline})
        with session.portal.wrap_async_context_manager(open_runners) as runners:
            session.announce()
            values = arguments.parse_plain_arguments(spec.name, spec.input_schema, given)
            validation.validate_schema(spec.input_schema, values)
            answer, interrupted = run_to_end(session, runners[profile], spec, values, encoding)
            if output is not None and answer.ok and not (interrupted and "result" not in (answer.structured or {})):
                _write_output(runners[profile], answer, output)
            return answer, interrupted


def run_to_end(
    session: TerminalSession, runner: JobRunner, spec: JobSpec, values: dict[str, Any], encoding: str = ""
) -> tuple[ToolAnswer, bool]:
    """Start a job. Return its answer when it has ended, and whether Ctrl+C cancelled it between rows."""
    from saasus_mcp.jobs.job_tools import follow_job, waits_for_person  # noqa: PLC0415 - only if a job runs

    interrupted = False
    with show_progress(spec.name) as progress:

        async def report(done: int | None, total: int | None, message: str) -> None:
            if done is not None or not await waits_for_person(runner, message):  # reported below
                await progress(done, total, message)

        call = Call(spec.name, values, local_user(), progress=report, encoding=encoding)
        job_id = session.run(call, partial(runner.start, spec))
        waiting = ""
        while True:
            follow = partial(follow_job, runner, job_id, call, FOLLOW_SECONDS, _is_news(waiting), until_paused=False)
            following = session.portal.start_task_soon(follow)
            try:
                answer = following.result()
            except KeyboardInterrupt:
                following.cancel()
                interrupted = True
                say(message("cli_job.stopping"), err=True)
                runner.pipeline.store.jobs.request_cancellation(job_id)
                continue
            state = answer.structured or {}
            if state.get("status") not in ("running", "paused"):
                return answer, interrupted
            waiting = state.get("waiting", "")
            if waiting:
                code = state.get("approval")
                text = render(message("cli_job.waiting", code=code)) if code else visible_text(waiting)
                say(f"\n{text}", err=True)


def _is_news(known: str) -> Callable[[str], bool]:
    """Return a function that is True for a reason to wait which the person has not seen yet."""
    return lambda waiting: bool(waiting) and waiting != known


def _find_job(name: str) -> JobSpec:
    known = {each.name.removeprefix(JOB_PREFIX): each for each in load_jobs()}
    spec = known.get(name.removeprefix(JOB_PREFIX))
    if spec is None:
        nearest = nearest_names(name.removeprefix(JOB_PREFIX), tuple(known))
        hint = (
            message("cli.nearest_names", names=nearest)
            if nearest
            else message("cli_job.known_jobs", names=tuple(known))
        )
        raise SaasusMcpError(message("cli_job.unknown_job", name=name[:_MAX_NAME]), hint)
    return spec


def _write_output(runner: JobRunner, answer: ToolAnswer, file: Path) -> None:
    """Write the whole table or document that the job produced."""
    result_id = (answer.structured or {}).get("result", "")
    stored = runner.pipeline.results.find_result(result_id, local_user().id)
    if stored is None:
        raise SaasusMcpError(message("cli_job.no_output"))
    value: str | bytes
    if isinstance(stored.value, str):
        from saasus_mcp.jobs.tables.table_file import encode_table_file  # noqa: PLC0415 - only for a table

        value = encode_table_file(stored.value, file.suffix)
    else:
        value = format_json(stored.value) if isinstance(stored.value, dict) else compact_json(stored.value)
    write_private_file(file, value)
    say(message("cli_job.table_written", file=str(file)), err=True)


def _show_image(image: AnswerImage, file: Path | None) -> None:
    """Write the chart to a file, or print the table that replaces it."""
    if image.text:
        click.echo(f"{visible_text(image.text)}\n", err=True)
    elif file is not None:
        write_private_file(file, b64decode(image.png))
        say(message("cli_job.chart_written", file=str(file)), err=True)


def _read(name: str, file: Path) -> Any:
    """Return the value of an argument that comes from a file.

    Raises:
        SaasusMcpError: the file cannot be read, its encoding is not clear, or it is not JSON where it must be.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        reason = os_reason(error)
        raise SaasusMcpError(message("cli.file_unreadable", file=str(file), reason=reason)) from None
    if name == "csv":
        return _read_table(raw, file)
    try:
        return parse_json(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SaasusMcpError(message("cli.file_not_utf8", file=str(file))) from None
    except InvalidJson as error:
        raise SaasusMcpError(message("cli.file_not_json", file=str(file), **error.message.params)) from None


def _read_table(raw: bytes, file: Path) -> DecodedText:
    """Return the table of a file as CSV text. Say its encoding, unless that is obvious, and what of it is not read; the job says the rest."""
    from saasus_mcp.jobs.tables.decoding import UTF8  # noqa: PLC0415 - only for a file
    from saasus_mcp.jobs.tables.table_file import decode_table_file  # noqa: PLC0415 - as above

    decoded = decode_table_file(raw, str(file))
    if not decoded.text.strip():
        raise SaasusMcpError.of("cli_job.empty_file", file=str(file))
    if decoded.encoding != UTF8:
        encoding = one_of("jobs_tables.encoding", decoded.encoding)
        say(message("jobs_tables.read_as", file=str(file), encoding=encoding), err=True)
    for note in decoded.notes:
        say(note, err=True)
    return decoded


def _switch_job(settings: Settings, action: str, job_id: str) -> None:
    """Pause a job, or resume it. A pause needs no terminal, because it is safe; a resumption needs a person at one.

    Raises:
        SaasusMcpError: there is no such job, or it cannot be paused or resumed now.
    """
    if action == "resume":
        require_approver("job resume", settings.state_folder)
    user, now = local_user(), time.time()
    who = Controller(user.id, "person", "terminal", person=user.person)
    with state.open_stores(settings) as stores:
        store, job = next(((each, job) for each in stores if (job := each.jobs.get(job_id)) is not None), (None, None))
        if store is None or job is None:
            raise _unknown_job(stores)
        if action == "pause":
            job_control.pause_job(store, job, who, now)
            print_outcome({"job": job.id, "status": "paused"}, message("cli_job.pausing", job=job.id))
        else:
            job_control.resume_job(store, job, who, now)
            print_outcome({"job": job.id, "status": "running"}, message("cli_job.resumed", job=job.id))


def _unknown_job(stores: Sequence[Store]) -> SaasusMcpError:
    active = [_active_job(store, job) for store in stores for job in store.jobs.list_active()]
    if not active:
        return SaasusMcpError(message("cli_job.no_active_job"))
    return SaasusMcpError(
        message("cli_job.job_id_needed"), message("cli_job.active_jobs", jobs=tuple(active[:MAX_LISTED]))
    )


def _active_job(store: Store, job: Job) -> Message:
    """Return a job with who started it: name and e-mail address, if they are known, beside the id."""
    id_ = visible_text(job.principal)
    known = store.audit_log.people.get(job.principal).label
    person = message("question.person", name=visible_text(known), id=id_) if known else id_
    return message("cli_job.active_job", job=job.id, name=job.name, person=person)
