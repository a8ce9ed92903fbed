"""`saasus-mcp specs probe`: does the API answer as its documents say, on the account of who asks?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio
import click

from saasus_mcp import __version__
from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.cli import composition
from saasus_mcp.cli.options import load_settings, shared_options
from saasus_mcp.cli.specs_probe_wording import KINDS, OFTEN, REASONS, WORDS
from saasus_mcp.cli.terminal import format_json, is_terminal, safe
from saasus_mcp.permissions.approval.proof import describe_destination
from saasus_mcp.settings import Settings

if TYPE_CHECKING:
    from saasus_mcp.cli.specs.read_probe import ProbeReport, ProbeResult, ProgressCallback, SkippedRead
    from saasus_mcp.saasus.schema_drift import Deviation

DEVIATES, STOPPED = 1, 2
MAX_SECONDS = 3600.0


@click.command
@shared_options
@click.option(
    "--seconds",
    type=click.FloatRange(1, MAX_SECONDS),
    default=300,
    show_default=True,
    help="Time limit for the whole run; the report lists reads not made.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(*, seconds: float, as_json: bool, **flags: Any) -> None:
    """Run every read for which your account provides the ids, and compare the responses with the documents.

    Runs reads only. The report contains types and field names but no values, so you can attach it to a bug report. Exit
    status 1 if a response differs, 2 if the check stopped early (credentials, connection or time).
    """
    chosen = load_settings(**flags)
    words = WORDS[chosen.lang]
    report, version = _run(chosen, seconds)
    if as_json:
        click.echo(format_json(_document(report, version, sandbox=chosen.sandbox)))
    elif report.stopped in {"", "late"}:
        for line in _lines(report, version, chosen):
            click.echo(safe(line))
    if report.stopped:
        click.echo(f"saasus-mcp: {words[report.stopped]} {words[report.stopped + '_next']}", err=True)
        sys.exit(STOPPED)
    sys.exit(0 if report.agrees else DEVIATES)


def _run(chosen: Settings, seconds: float) -> tuple[ProbeReport, str]:
    """The report, and the version of the documents with which the answers were compared."""
    from saasus_mcp.cli.specs.read_probe import probe_reads  # noqa: PLC0415 - imports the HTTP client

    facts = FACTS.read_bytes()

    async def run() -> tuple[ProbeReport, str]:
        async with composition.open_pipeline(chosen) as pipeline:
            if pipeline.policy.announcement:
                click.echo(f"saasus-mcp: {pipeline.policy.announcement}", err=True)
            click.echo(f"[{safe(describe_destination(pipeline.destination, chosen.lang))}]", err=True)
            tell = _shown(WORDS[chosen.lang])
            found = await probe_reads(
                pipeline, composition.local_user(), json.loads(facts), seconds=seconds, progress=tell
            )
            if is_terminal(sys.stderr):
                click.echo(err=True)
            return found, pipeline.catalogue.version[:12]

    return anyio.run(run)


def _shown(words: Mapping[str, str]) -> ProgressCallback:
    """Tells how far it is: on one line of a terminal, nowhere else."""

    def tell(done: int, total: int) -> None:
        if is_terminal(sys.stderr):
            click.echo("\r" + words["progress"].format(done=done, total=total), err=True, nl=False)

    return tell


def _document(report: ProbeReport, version: str, *, sandbox: bool) -> dict[str, Any]:
    return {
        "version": __version__,
        "documents": version,
        "sandbox": sandbox,
        "agrees": report.agrees,
        "stopped": report.stopped,
        "made": [{"agrees": one.agrees, **asdict(one)} for one in report.made],
        "not_made": [asdict(one) for one in report.not_made],
    }


def _lines(report: ProbeReport, version: str, chosen: Settings) -> Iterator[str]:
    words = WORDS[chosen.lang]
    yield words["head"].format(product=__version__, documents=version)
    differing = [one for one in report.made if not one.agrees]
    for one in differing:
        yield f"{one.operation}  {one.route}"
        yield from (f"  ! {line}" for line in _findings(one, chosen))
    for left in report.not_made:
        yield f"{left.operation}  {left.route}"
        yield f"  - {_why(left, chosen)}"
    calls = sum(one.calls for one in report.made)
    yield words["sum"].format(
        made=len(report.made),
        reads=len(report.made) + len(report.not_made),
        calls=calls,
        agree=len(report.made) - len(differing),
        differ=len(differing),
    )


def _findings(one: ProbeResult, chosen: Settings) -> Iterator[str]:
    words = WORDS[chosen.lang]
    for status in one.undocumented_statuses:
        yield words["status"].format(status=status)
    if one.unanswered:
        yield words["unanswered"]
    if one.unreadable:
        yield words["unreadable"]
    for deviation in one.deviations:
        yield _told(deviation, chosen)


def _told(deviation: Deviation, chosen: Settings) -> str:
    words, lang = WORDS[chosen.lang], chosen.lang
    said = KINDS[lang][deviation.kind].format(documented=deviation.documented, seen=deviation.seen)
    return words["deviation"].format(
        place=deviation.place or words["answer"], said=said, often=OFTEN[lang][deviation.often]
    )


def _why(left: SkippedRead, chosen: Settings) -> str:
    return REASONS[chosen.lang][left.why].format(parameters=", ".join(left.parameters))
