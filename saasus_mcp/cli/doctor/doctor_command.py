"""`saasus-mcp doctor`: what is wrong with credentials, clock, connection, policy and clients, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import anyio
import click

from saasus_mcp.cli import client_check
from saasus_mcp.cli.doctor import api_check, checks
from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.cli.doctor_wording import CHECKS, WORDS
from saasus_mcp.cli.options import load_settings, shared_options
from saasus_mcp.cli.terminal import format_json
from saasus_mcp.common.language import Language
from saasus_mcp.settings import Settings, SettingsError, settings_language

COLOURS = {"ok": "green", "note": "yellow", "problem": "red", "skipped": "bright_black"}


@click.command
@shared_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(*, as_json: bool, **flags: Any) -> None:
    """Check everything that a call depends on and explain how to fix problems. Shows no secrets.

    Exit status 1 if there is a problem.
    """
    found: list[Finding] = []
    lang = settings_language(flags["lang"])
    try:
        chosen = load_settings(**flags)
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
        click.echo(format_json({"ok": not problems, "checks": [asdict(finding) for finding in found]}))
    else:
        words = WORDS[lang]
        click.echo("\n" + (words["not_well"].format(count=problems) if problems else words["all_well"]))
    sys.exit(1 if problems else 0)


def _findings(chosen: Settings) -> Iterator[Finding]:
    """Each check's finding as soon as it is there."""
    lang = chosen.lang
    yield checks.program()
    for check in (checks.settings_read, checks.policy, checks.state_folder, checks.approvals, checks.jobs):
        yield from _tried(check.__name__.removesuffix("_read"), lang, partial(check, chosen))
    catalogue = _tried("catalogue", lang, partial(checks.catalogue, lang))
    credentials = _tried("credentials", lang, partial(checks.credentials, chosen))
    yield from (*catalogue, *credentials)
    yield from _tried("url", lang, partial(checks.url, chosen))
    yield from _tried("network", lang, partial(checks.network, chosen))
    if any(each.status == "problem" for each in (*catalogue, *credentials)):
        yield api_check.skip_signature_check(lang)
    else:
        yield from _tried("signature", lang, partial(anyio.run, api_check.check_api, chosen))
    yield from _tried("clients", lang, partial(client_check.check_clients, chosen))
    yield from _tried("boundary", lang, partial(checks.boundary, chosen))


def _tried(check: str, lang: Language, find: Callable[[], Finding | list[Finding]]) -> list[Finding]:
    """What a check finds. One that fails itself is a problem to tell of; the others go on."""
    try:
        found = find()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this computer, doctor says so
        words = WORDS[lang]
        said = words["check_failed"].format(why=type(error).__name__)
        return [Finding(check, "problem", said, words["check_failed_mend"])]
    return found if isinstance(found, list) else [found]


def _line(finding: Finding, lang: Language) -> str:
    mark = click.style(f"[{WORDS[lang][finding.status]}]", fg=COLOURS[finding.status])
    mend = f"\n    -> {finding.mend}" if finding.mend else ""
    return f"{mark} {CHECKS[lang][finding.check]}: {finding.said}{mend}"
