"""`saasus-mcp doctor`: diagnose credentials, clock, connection, policy and clients."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anyio
import click

from saasus_mcp.cli.command_line import command
from saasus_mcp.cli.doctor import api_check, checks
from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.cli.options import CALL_SETTINGS, json_option, load_settings, setting_flags
from saasus_mcp.cli.output import print_json
from saasus_mcp.cli.terminal import render, say
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.settings import Settings, SettingsError

COLOURS = {"ok": "green", "note": "yellow", "problem": "red", "skipped": "bright_black"}


@command(help="cli_help.command.doctor")
@setting_flags(*CALL_SETTINGS)
@json_option
def doctor(*, as_json: bool, **flags: Any) -> None:
    """Print every finding as soon as it is known. Settings that are not valid are a finding too."""
    try:
        settings = load_settings(**flags)
    except SettingsError as error:
        hint = message("cli_doctor.settings_hint")
        findings = iter([checks.check_program(), Finding("settings", "problem", error.message, hint)])
    else:
        findings = _findings(settings)
    found: list[Finding] = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            _print(finding)
    problems = sum(finding.status == "problem" for finding in found)
    if as_json:
        print_json({"ok": not problems, "checks": [finding.as_json() for finding in found]})
    else:
        click.echo()
        say(message("cli_doctor.problems", count=problems) if problems else message("cli_doctor.no_problems"))
    sys.exit(1 if problems else 0)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield checks.check_program()
    yield from _run("settings", partial(checks.check_settings, settings))
    yield from _run("policy", partial(checks.check_policy, settings))
    yield from _run("state", partial(checks.check_state_folder, settings))
    yield from _run("approvals", partial(checks.check_approvals, settings))
    yield from _run("jobs", partial(checks.check_jobs, settings))
    required = [
        *_run("catalogue", checks.check_catalogue),
        *_run("credentials", partial(checks.check_credentials, settings)),
    ]
    yield from required
    yield from _run("url", partial(checks.check_url, settings))
    yield from _run("network", partial(checks.check_network, settings))
    if any(finding.status == "problem" for finding in required):
        yield Finding("signature", "skipped", message("cli_doctor.signature_skipped"))
    else:
        yield from _run("signature", partial(anyio.run, api_check.check_api, settings))
    yield from _run("clients", checks.check_clients)
    yield from _run("boundary", partial(checks.check_boundary, settings))


def _run(name: str, check: Callable[[], Finding | list[Finding]]) -> list[Finding]:
    """Return the findings of a check. A check that fails itself is a problem, and the others still run."""
    try:
        found = check()
    except Exception as error:  # noqa: BLE001 - doctor reports whatever is wrong with this computer
        text = message("cli_doctor.check_failed", reason=type(error).__name__)
        return [Finding(name, "problem", text, message("cli_doctor.check_failed_hint"))]
    return found if isinstance(found, list) else [found]


def _print(finding: Finding) -> None:
    """Print a finding, with its hint below it."""
    status = f"[{render(one_of('cli_doctor.status', finding.status))}]"
    click.secho(status, fg=COLOURS[finding.status], nl=False)
    say(f" {render(one_of('cli_doctor.check', finding.check))}: {render(finding.text)}")
    if finding.hint:
        say(f"    -> {render(finding.hint)}")
