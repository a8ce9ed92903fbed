"""`saasus-mcp job NAME`: a whole job from the terminal, through the same pipeline as a client's."""

from __future__ import annotations

import sys
from base64 import b64decode
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.cli import composition
from saasus_mcp.cli.call import parse_arguments_json, run_with_questions
from saasus_mcp.cli.job_wording import WORDS
from saasus_mcp.cli.options import load_settings, shared_options
from saasus_mcp.cli.private_output import write_private_file
from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.cli.terminal import format_json, is_terminal, safe
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import describe_destination
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.saasus import arguments, validation
from saasus_mcp.saasus.tool_answer import AnswerImage, ToolAnswer, compact_json
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from saasus_mcp.jobs.runner import JobRunner

TOOL_PREFIX = "job_"
FOLLOW_SECONDS = 3600.0
INCOMPLETE_OUTCOMES = ("not_applied", "unknown", "not_begun", "left_out")
"""What a job counts that it did not do, or is not known to have done."""
FILE_OPTIONS = {"listed": "csv", "document": "document", "other": "other_document"}
"""Options that name a file, and the arguments that are read from it."""


@click.command
@shared_options
@sandbox_state.fresh_option
@click.argument("name")
@click.argument("given", metavar="[JSON]", default="{}")
@click.option("--csv", "listed", type=click.Path(path_type=Path), help="File that the job reads its list from.")
@click.option("--document", type=click.Path(path_type=Path), help="File with the document of settings that it takes.")
@click.option("--other", type=click.Path(path_type=Path), help="Another such file, to compare with that one.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="File for the table or document that the job makes; a new one."
)
@click.option(
    "--chart", type=click.Path(path_type=Path), help="File for the chart that the job draws, a PNG; a new one."
)
def command(name: str, given: str, output: Path | None, chart: Path | None, *, fresh: bool, **flags: Any) -> None:
    """Do the whole job NAME with the arguments in JSON.

    Jobs: export_users, import_users, contract_report, metering_report, user_activity, export_settings, compare_settings,
    apply_settings, offboard_user, offboard_tenant. `saasus-mcp tools job_NAME` shows what one takes.

    What it would do is shown and asked about once, here. Its report goes to standard output as JSON. Ctrl+C stops it between
    rows; a job whose process dies goes on when a server next starts. Exits with 1 where the job failed, was cancelled, or left a
    row undone.
    """
    files = {argument: flags.pop(option) for option, argument in FILE_OPTIONS.items()}
    chosen = load_settings(**flags)
    words = WORDS[chosen.lang]
    for file in (output, chart):
        if file is not None and file.exists():
            raise SaasusMcpError(words["taken"].format(file=file), words["taken_mend"])
    values = parse_arguments_json(sys.stdin.buffer.read() if given == "-" else given, chosen.lang)
    read = {name: _read(name, file, chosen.lang) for name, file in files.items() if file is not None}
    drawn = ({}, {}) if chart is None else ({"language": chosen.lang}, {"chart": "png"})
    values = {**drawn[0], **values, **read, **drawn[1]} if isinstance(values, dict) else values
    answer = _run(chosen, name, values, output, fresh=fresh)
    if answer.figure is not None:
        _show(answer.figure, chart, chosen.lang)
    click.echo(format_json(answer.structured, indent=None) if answer.ok else safe(answer.text), err=not answer.ok)
    if not answer.ok or _incomplete(answer.structured or {}):
        sys.exit(1)


def _incomplete(report: Mapping[str, Any]) -> bool:
    """Whether the job was cancelled, or left something undone that it was given to do."""
    counts = report.get("counts", {})
    return report.get("status") == "cancelled" or any(counts.get(outcome) for outcome in INCOMPLETE_OUTCOMES)


def _run(chosen: Settings, name: str, given: Any, output: Path | None, *, fresh: bool) -> ToolAnswer:
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a job

    with (
        sandbox_state.open_sandbox(chosen, fresh=fresh) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(composition.open_pipeline(chosen, sandbox=sandbox)) as pipeline,
        portal.wrap_async_context_manager(
            composition.open_job_runners(chosen, {pipeline.destination.profile: pipeline})
        ) as runners,
    ):
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        click.echo(f"[{safe(describe_destination(pipeline.destination, chosen.lang))}]", err=True)
        runner = runners[pipeline.destination.profile]
        answer = _done(portal, runner, name, given, chosen.lang)
        if output is not None and answer.ok:
            _write(runner, answer, output, chosen.lang)
        return answer


def _done(portal: BlockingPortal, runner: JobRunner, name: str, given: Any, lang: Language) -> ToolAnswer:
    """The job's answer when it is over, however long that takes."""
    from saasus_mcp.jobs.job_tools import follow_job  # noqa: PLC0415 - only where a job runs

    spec = _spec(runner, name, lang)
    values = arguments.parse_plain_arguments(spec.name, spec.input_schema, given)
    validation.validate_schema(spec.input_schema, values)
    with _bar() as progress:
        call = Call(spec.name, values, composition.local_user(), progress=progress)
        job = run_with_questions(portal, partial(runner.start, spec), call, Reader.of(lang, runner.pipeline.zone))
        told = ""
        while True:
            following = portal.start_task_soon(follow_job, runner, job, call, FOLLOW_SECONDS, _other_than(told))
            try:
                answer = following.result()
            except KeyboardInterrupt:
                following.cancel()
                click.echo(WORDS[lang]["stopping"], err=True)
                runner.pipeline.store.jobs.request_cancellation(job)
            else:
                state = answer.structured or {}
                if state.get("status") != "running":
                    return answer
                told = state.get("waiting", "")
                if told:
                    code = state.get("approval")
                    click.echo(f"\n{WORDS[lang]['waiting'].format(code=code) if code else safe(told)}", err=True)


def _other_than(told: str) -> Callable[[str], bool]:
    """Whether what a job waits for is something that the person does not know yet."""
    return lambda waiting: bool(waiting) and waiting != told


def _spec(runner: JobRunner, name: str, lang: Language) -> JobSpec:
    found = runner.specs.get(TOOL_PREFIX + name.removeprefix(TOOL_PREFIX))
    if found is None:
        words, known = WORDS[lang], ", ".join(each.removeprefix(TOOL_PREFIX) for each in runner.specs)
        raise SaasusMcpError(words["unknown"].format(name=name[:80]), words["known"].format(names=known))
    return found


@contextmanager
def _bar() -> Iterator[Any]:
    """How far the job is: a bar on a terminal, nothing elsewhere."""
    bar: Any = None

    async def tell(done: int | None, total: int | None, message: str) -> None:
        nonlocal bar
        if done is None or not is_terminal(sys.stderr):
            return
        if bar is None and total:
            bar = click.progressbar(length=total, label=message, file=sys.stderr, show_pos=True)
        if bar is not None:
            bar.update(done - bar.pos)
        else:
            click.echo(f"\r{message}: {done}", err=True, nl=False)

    try:
        yield tell
    finally:
        if is_terminal(sys.stderr):
            click.echo(err=True)


def _write(runner: JobRunner, answer: ToolAnswer, file: Path, lang: Language) -> None:
    """Write the table that the job made, whole."""
    words, told = WORDS[lang], answer.structured or {}
    whole = runner.pipeline.results.find_result(told.get("result", ""), composition.local_user().id)
    if whole is None:
        raise SaasusMcpError(words["no_file"])
    made = whole.value
    text = made if isinstance(made, str) else format_json(made) if isinstance(made, dict) else compact_json(made)
    write_private_file(file, text, lang)
    click.echo(words["written"].format(what=words["table"], file=file), err=True)


def _show(figure: AnswerImage, file: Path | None, lang: Language) -> None:
    """Write the picture, or show the table that stands in its place."""
    words = WORDS[lang]
    if figure.text:
        click.echo(f"{safe(figure.text)}\n", err=True)
    elif file is not None:
        write_private_file(file, b64decode(figure.png), lang)
        click.echo(words["written"].format(what=words["chart"], file=file), err=True)


def _read(argument: str, file: Path, lang: Language) -> Any:
    """What an argument that comes from a file is to be."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise SaasusMcpError(WORDS[lang]["cannot_read"].format(file=file, why=error.strerror)) from None
    found = _decoded(raw, ("utf-8-sig", "cp932") if argument == "csv" else ("utf-8-sig",))
    if found is None:
        raise SaasusMcpError(WORDS[lang]["encoding"].format(file=file), WORDS[lang]["encoding_mend"])
    return found if argument == "csv" else parse_arguments_json(found, lang)


def _decoded(raw: bytes, encodings: Sequence[str]) -> str | None:
    """The text in the first encoding that it is in; None where that is not known. What Excel in Japan saves as CSV is CP932,
    and as Unicode text UTF-16. Bytes that are text in EUC-JP, too, could be either.
    """
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        encodings = ("utf-16",)
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            text = raw.decode(encoding)
            return None if encoding == "cp932" and _is_in(raw, "euc_jp") else text
    return None


def _is_in(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
