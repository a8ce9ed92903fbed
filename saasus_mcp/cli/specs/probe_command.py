"""`saasus-mcp specs probe`: compare the API's responses on this account with its documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio
import click

from saasus_mcp import __version__
from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.cli.command_line import command, option
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_option, settings_options
from saasus_mcp.cli.output import print_json
from saasus_mcp.cli.terminal import announce_policy, is_terminal, prints_json, render, say, warn
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.proof import describe_destination
from saasus_mcp.settings.environment import Settings

if TYPE_CHECKING:
    from saasus_mcp.cli.specs.read_probe import ProbeReport, ProbeResult
    from saasus_mcp.saasus.schema_drift import Deviation

DEVIATES, STOPPED = 1, 2
MAX_SECONDS = 3600.0


@command(help="cli_help.command.specs_probe")
@settings_options()
@option(
    "--seconds",
    type=click.FloatRange(1, MAX_SECONDS),
    default=300,
    show_default=True,
    help="cli_help.option.probe_seconds",
)
@json_option
def probe(settings: Settings, *, seconds: float) -> None:
    """Make the reads and print the report."""
    report, version = anyio.run(_run, settings, seconds)
    if prints_json():
        print_json(_report_json(report, version, sandbox=settings.sandbox))
    elif report.stopped in {"", "late"}:
        for line in _report_lines(report, version):
            say(visible_text(line))
    if report.stopped:
        reason, hint = one_of("cli_specs.stopped", report.stopped), one_of("cli_specs.stopped_hint", report.stopped)
        warn(f"{render(reason)} {render(hint)}")
        sys.exit(STOPPED)
    sys.exit(0 if report.agrees else DEVIATES)


async def _run(settings: Settings, seconds: float) -> tuple[ProbeReport, str]:
    """Return the report, and the version of the documents that the responses were compared with."""
    from saasus_mcp.cli import composition  # noqa: PLC0415 - imports the SDK and the HTTP client
    from saasus_mcp.cli.specs.read_probe import probe_reads  # noqa: PLC0415 - as above

    documents = json.loads(FACTS.read_bytes())
    async with composition.open_pipeline(settings) as pipeline:
        announce_policy(pipeline.policy.announcement)
        say(f"[{visible_text(describe_destination(pipeline.destination, settings.lang))}]", err=True)
        report = await probe_reads(pipeline, local_user(), documents, seconds=seconds, progress=_show_progress)
        if is_terminal(sys.stderr):
            click.echo(err=True)
        return report, pipeline.catalogue.version[:12]


def _show_progress(done: int, total: int) -> None:
    """Update the progress on one line of a terminal, and nowhere else."""
    if is_terminal(sys.stderr):
        click.echo("\r" + render(message("cli_specs.progress", done=done, total=total)), err=True, nl=False)


def _report_json(report: ProbeReport, version: str, *, sandbox: bool) -> dict[str, Any]:
    return {
        "version": __version__,
        "documents": version,
        "sandbox": sandbox,
        "agrees": report.agrees,
        "stopped": report.stopped,
        "made": [{"agrees": one.agrees, **asdict(one)} for one in report.made],
        "not_made": [asdict(one) for one in report.not_made],
    }


def _report_lines(report: ProbeReport, version: str) -> Iterator[str]:
    yield render(message("cli_specs.probe_heading", product=__version__, documents=version))
    differing = [one for one in report.made if not one.agrees]
    for one in differing:
        yield f"{one.operation}  {one.route}"
        yield from (f"  ! {render(line)}" for line in _differences(one))
    for skipped in report.not_made:
        yield f"{skipped.operation}  {skipped.route}"
        yield f"  - {render(one_of('cli_specs.skipped', skipped.why, parameters=', '.join(skipped.parameters)))}"
    yield render(
        message(
            "cli_specs.probe_summary",
            made=len(report.made),
            reads=len(report.made) + len(report.not_made),
            calls=sum(one.calls for one in report.made),
            agree=len(report.made) - len(differing),
            differ=len(differing),
        )
    )


def _differences(result: ProbeResult) -> Iterator[Message]:
    for status in result.undocumented_statuses:
        yield message("cli_specs.undocumented_status", status=status)
    if result.unanswered:
        yield message("cli_specs.no_response")
    if result.unreadable:
        yield message("cli_specs.unreadable_response")
    yield from map(_deviation_text, result.deviations)


def _deviation_text(deviation: Deviation) -> Message:
    kind = one_of("cli_specs.deviation_kind", deviation.kind, documented=deviation.documented, seen=deviation.seen)
    place = deviation.place or message("cli_specs.whole_response")
    return message("cli_specs.deviation", place=place, text=kind, often=one_of("cli_specs.frequency", deviation.often))
