"""`saasus-mcp doctor`: what is wrong with credentials, clock, connection, policy and clients, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import anyio
import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import checks, client_check, probe
from saasus_mcp.cli.checks import Finding
from saasus_mcp.cli.doctor_wording import CHECKS, WORDS
from saasus_mcp.cli.options import settings, shared
from saasus_mcp.cli.terminal import json_text
from saasus_mcp.settings import Settings, SettingsError, language

COLOURS = {"ok": "green", "note": "yellow", "problem": "red", "skipped": "bright_black"}


@click.command
@shared
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(*, as_json: bool, **flags: Any) -> None:
    """Check everything that a call depends on, one by one, and say how to mend what is wrong. Shows no secret.

    Exit status 1 where there is a problem.
    """
    found: list[Finding] = []
    lang = language(flags["lang"])
    try:
        chosen = settings(**flags)
    except SettingsError as error:
        mend = WORDS[lang]["settings_mend"]
        findings = iter([checks.program(), Finding("settings", "problem", error.message, mend)])
    else:
        findings = _findings(chosen)
    for finding in findings:
        found.append(finding)
        if not as_json:
            click.echo(_line(finding, lang))
    problems = sum(finding.status == "problem" for finding in found)
    if as_json:
        click.echo(json_text({"ok": not problems, "checks": [asdict(finding) for finding in found]}))
    else:
        words = WORDS[lang]
        click.echo("\n" + (words["not_well"].format(count=problems) if problems else words["all_well"]))
    sys.exit(1 if problems else 0)


def _findings(chosen: Settings) -> Iterator[Finding]:
    """Each check's finding as soon as it is there."""
    yield checks.program()
    for check in (checks.settings_read, checks.policy, checks.state, checks.approvals, checks.jobs):
        yield check(chosen)
    catalogue, credentials = checks.catalogue(chosen.lang), checks.credentials(chosen)
    yield from (catalogue, credentials, checks.url(chosen))
    if "problem" in (credentials.status, catalogue.status):
        yield probe.untried(chosen.lang)
    else:
        yield from anyio.run(probe.probe, chosen)
    yield client_check.check(chosen)
    yield checks.boundary(chosen)


def _line(finding: Finding, lang: Language) -> str:
    mark = click.style(f"[{WORDS[lang][finding.status]}]", fg=COLOURS[finding.status])
    mend = f"\n    -> {finding.mend}" if finding.mend else ""
    return f"{mark} {CHECKS[lang][finding.check]}: {finding.said}{mend}"
