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

from saasus_mcp.catalog import Language
from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.cli import compose, sandbox_state
from saasus_mcp.cli.call import parse, settled
from saasus_mcp.cli.job_wording import WORDS
from saasus_mcp.cli.options import settings, shared
from saasus_mcp.cli.private import write_private
from saasus_mcp.cli.terminal import attended, json_text, safe
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.proof import where
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.saasus import arguments, validation
from saasus_mcp.saasus.answer import Figure, ToolAnswer, compact
from saasus_mcp.server.call import Call
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from saasus_mcp.jobs.runner import Runner

PREFIX = "job_"
PATIENCE = 3600.0
UNDONE = ("not_applied", "unknown", "not_begun", "left_out")
"""What a job counts that it did not do, or is not known to have done."""
FILES = {"listed": "csv", "document": "document", "other": "other_document"}
"""Options that name a file, and the arguments that are read from it."""


@click.command
@shared
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
    files = {argument: flags.pop(option) for option, argument in FILES.items()}
    chosen = settings(**flags)
    words = WORDS[chosen.lang]
    for file in (output, chart):
        if file is not None and file.exists():
            raise SaasusMcpError(words["taken"].format(file=file), words["taken_mend"])
    values = parse(sys.stdin.buffer.read() if given == "-" else given, chosen.lang)
    read = {name: _read(name, file, chosen.lang) for name, file in files.items() if file is not None}
    drawn = ({}, {}) if chart is None else ({"language": chosen.lang}, {"chart": "png"})
    values = {**drawn[0], **values, **read, **drawn[1]} if isinstance(values, dict) else values
    answer = _run(chosen, name, values, output, fresh=fresh)
    if answer.figure is not None:
        _show(answer.figure, chart, chosen.lang)
    click.echo(json_text(answer.structured, indent=None) if answer.ok else safe(answer.text), err=not answer.ok)
    if not answer.ok or _incomplete(answer.structured or {}):
        sys.exit(1)


def _incomplete(report: Mapping[str, Any]) -> bool:
    """Whether the job was cancelled, or left something undone that it was given to do."""
    counts = report.get("counts", {})
    return report.get("status") == "cancelled" or any(counts.get(outcome) for outcome in UNDONE)


def _run(chosen: Settings, name: str, given: Any, output: Path | None, *, fresh: bool) -> ToolAnswer:
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - slow, and only needed to run a job

    with (
        sandbox_state.kept(chosen, fresh=fresh) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(compose.pipeline(chosen, sandbox=sandbox)) as pipeline,
        portal.wrap_async_context_manager(compose.staff(chosen, {pipeline.place.profile: pipeline})) as runners,
    ):
        if pipeline.policy.announcement:
            click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
        click.echo(f"[{safe(where(pipeline.place, chosen.lang))}]", err=True)
        runner = runners[pipeline.place.profile]
        answer = _done(portal, runner, name, given, chosen.lang)
        if output is not None and answer.ok:
            _write(runner, answer, output, chosen.lang)
        return answer


def _done(portal: BlockingPortal, runner: Runner, name: str, given: Any, lang: Language) -> ToolAnswer:
    """The job's answer when it is over, however long that takes."""
    from saasus_mcp.jobs.tools import followed  # noqa: PLC0415 - only where a job runs

    spec = _spec(runner, name, lang)
    values = arguments.plain(spec.name, spec.input_schema, given)
    validation.fit(spec.input_schema, values)
    with _bar() as progress:
        call = Call(spec.name, values, compose.local_user(), progress=progress)
        job = settled(portal, partial(runner.start, spec), call, Reader.of(lang, runner.pipeline.zone))
        told = ""
        while True:
            following = portal.start_task_soon(followed, runner, job, call, PATIENCE, _other_than(told))
            try:
                answer = following.result()
            except KeyboardInterrupt:
                following.cancel()
                click.echo(WORDS[lang]["stopping"], err=True)
                runner.pipeline.store.jobs.cancel(job)
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


def _spec(runner: Runner, name: str, lang: Language) -> JobSpec:
    found = runner.specs.get(PREFIX + name.removeprefix(PREFIX))
    if found is None:
        words, known = WORDS[lang], ", ".join(each.removeprefix(PREFIX) for each in runner.specs)
        raise SaasusMcpError(words["unknown"].format(name=name[:80]), words["known"].format(names=known))
    return found


@contextmanager
def _bar() -> Iterator[Any]:
    """How far the job is: a bar on a terminal, nothing elsewhere."""
    bar: Any = None

    async def tell(done: int | None, total: int | None, message: str) -> None:
        nonlocal bar
        if done is None or not attended(sys.stderr):
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
        if attended(sys.stderr):
            click.echo(err=True)


def _write(runner: Runner, answer: ToolAnswer, file: Path, lang: Language) -> None:
    """Write the table that the job made, whole."""
    words, told = WORDS[lang], answer.structured or {}
    whole = runner.pipeline.results.found(told.get("result", ""), compose.local_user().id)
    if whole is None:
        raise SaasusMcpError(words["no_file"])
    made = whole.value
    text = made if isinstance(made, str) else json_text(made) if isinstance(made, dict) else compact(made)
    write_private(file, text, lang)
    click.echo(words["written"].format(what=words["table"], file=file), err=True)


def _show(figure: Figure, file: Path | None, lang: Language) -> None:
    """Write the picture, or show the table that stands in its place."""
    words = WORDS[lang]
    if figure.text:
        click.echo(f"{safe(figure.text)}\n", err=True)
    elif file is not None:
        write_private(file, b64decode(figure.png), lang)
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
    return found if argument == "csv" else parse(found, lang)


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
