"""`saasus-mcp doctor`: diagnose credentials, clock, connection, policy, channels of notices and clients, or a hosted server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import click

from saasus_mcp.cli.command_line import command, option
from saasus_mcp.cli.doctor import api_check, channel_checks, checks, hosting_checks
from saasus_mcp.cli.doctor.checks import Finding, problem
from saasus_mcp.cli.options import (
    CALL_SETTINGS,
    exclude_tools_option,
    json_option,
    load_settings,
    parse_narrowing,
    parse_toolset_names,
    setting_flags,
    surface_option,
    tools_option,
    toolsets_option,
)
from saasus_mcp.cli.output import has_screen, print_json
from saasus_mcp.cli.terminal import prints_json, render, say
from saasus_mcp.cli.text_layout import terminal_columns, wrap_prose
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import display_width
from saasus_mcp.settings.config import config_of, load_http_settings, require_named_file
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.hosting import HttpSettings
from saasus_mcp.settings.validation import SettingsError

OF_CONFIG = ("credentials", "signature", "notices")
"""The checks that need what the configuration file says."""
COLOURS = {"ok": "green", "note": "yellow", "problem": "red", "skipped": "bright_black"}


@command(help="cli_help.command.doctor")
@setting_flags(*CALL_SETTINGS)
@surface_option
@toolsets_option
@tools_option
@exclude_tools_option
@option("--connect", is_flag=True, help="cli_help.option.doctor_connect")
@json_option
def doctor(
    *,
    surface: str,
    toolsets: str,
    tools: str | None,
    exclude_tools: str | None,
    connect: bool,
    **flags: Any,
) -> None:
    """Print every finding as soon as it is known. Settings that are not valid are a finding too."""
    del surface  # the command line has checked it
    try:
        settings = load_settings(**flags)
        parse_toolset_names(toolsets)
        parse_narrowing(tools, exclude_tools)
    except SaasusMcpError as error:
        where = message("cli_doctor.settings_hint")
        hint = where if isinstance(error, SettingsError) else error.hint or where
        findings = iter([checks.check_program(), Finding("settings", "problem", error.message, hint)])
    else:
        findings = _findings(settings, connect=connect)
    found: list[Finding] = []
    for finding in findings:
        found.append(finding)
        if not prints_json():
            _print(finding)
    problems = sum(finding.status == "problem" for finding in found)
    if prints_json():
        print_json({"ok": not problems, "checks": [finding.as_json() for finding in found]})
    else:
        click.echo()
        say(message("cli_doctor.problems", count=problems) if problems else message("cli_doctor.no_problems"))
    sys.exit(1 if problems else 0)


def _findings(settings: Settings, *, connect: bool) -> Iterator[Finding]:
    yield checks.check_program()
    http, fault = _hosting(settings)
    served = [settings.profile] if http is None else hosting_checks.served_profiles(settings)
    yield from (
        [problem("settings", fault)] if fault else _run("settings", partial(checks.check_settings, settings, served))
    )
    yield from _run("policy", partial(checks.check_policy, settings))
    yield from _run("state", partial(checks.check_state_folder, settings))
    yield from _run("approvals", partial(checks.check_approvals, settings))
    yield from _run("jobs", partial(checks.check_jobs, settings))
    catalogue = _run("catalogue", checks.check_catalogue)
    yield from catalogue
    if fault is not None:
        yield from (Finding(name, "skipped", message("cli_doctor.signature_skipped")) for name in OF_CONFIG)
        return
    profiles = [replace(settings, profile=name) for name in served]
    for each in profiles:
        yield from (_of_profile(each, found, len(profiles)) for found in _api_findings(each, catalogue))
    yield from _run("network", partial(checks.check_network, profiles[0]))
    channels = _run("notices", partial(channel_checks.check_channels, settings))
    yield from channels
    yield from _run("secret_files", partial(hosting_checks.check_secret_files, settings))
    if connect and all(finding.status != "problem" for finding in channels):
        yield from _run("notices", partial(anyio.run, channel_checks.connect_channels, settings))
    if http is not None:
        yield from _hosting_findings(settings, http)
        return
    yield from _run("clients", checks.check_clients)
    yield from _run("boundary", partial(checks.check_boundary, settings))


def _api_findings(settings: Settings, catalogue: list[Finding]) -> Iterator[Finding]:
    credentials = _run("credentials", partial(checks.check_credentials, settings))
    yield from credentials
    yield from _run("url", partial(checks.check_url, settings))
    if any(finding.status == "problem" for finding in (*catalogue, *credentials)):
        yield Finding("signature", "skipped", message("cli_doctor.signature_skipped"))
    else:
        yield from _run("signature", partial(anyio.run, api_check.check_api, settings))


def _hosting(settings: Settings) -> tuple[HttpSettings | None, SettingsError | None]:
    """Return the settings of a hosted server, if this is one; and the fault for which the server would not start."""
    try:
        config_of(settings)
        if settings.transport == "http":
            require_named_file(settings)
            load_http_settings(settings)
        return hosting_checks.load_hosting(settings), None
    except SettingsError as error:
        return None, error


def _of_profile(settings: Settings, finding: Finding, profiles: int) -> Finding:
    """Name the profile in a finding, if there are several."""
    if profiles == 1:
        return finding
    text = message("cli_doctor.of_profile", profile=settings.profile, text=render(finding.text))
    return replace(finding, text=text)


def _hosting_findings(settings: Settings, http: HttpSettings) -> Iterator[Finding]:
    yield from _run("database", partial(hosting_checks.check_database, settings))
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        yield from _run("database_tls", partial(hosting_checks.check_database_tls, url))
    yield from _run("keys", partial(hosting_checks.check_keys, settings))
    yield from _run("limits", partial(hosting_checks.check_limits, settings, http))
    if http.workers > 1:
        yield from _run("workers", partial(hosting_checks.check_workers, settings, http))
    yield from _run("access", partial(hosting_checks.check_access, settings, http))
    yield from _run("files", partial(hosting_checks.check_files, settings))
    for name, check in hosting_checks.network_checks(http).items():
        yield from _run(name, partial(anyio.run, check))


def _run(name: str, check: Callable[[], Finding | list[Finding]]) -> list[Finding]:
    """Return the findings of a check. A check that fails itself is a problem, and the others still run."""
    try:
        found = check()
    except SaasusMcpError as error:
        return [problem(name, error)]
    except Exception as error:  # noqa: BLE001 - doctor reports whatever is wrong with this computer
        text = message("cli_doctor.check_failed", reason=type(error).__name__)
        return [Finding(name, "problem", text, message("cli_doctor.check_failed_hint"))]
    return found if isinstance(found, list) else [found]


def _print(finding: Finding) -> None:
    """Print a finding, with its hint below it."""
    marks = {each: f"[{render(one_of('cli_doctor.status', each))}]" for each in COLOURS}
    width = max(map(display_width, marks.values()))
    mark = marks[finding.status]
    begin = mark + " " * (width - display_width(mark) + 2)
    shown = f"{begin}{render(one_of('cli_doctor.check', finding.check))}: {render(finding.text)}"
    if has_screen():
        shown = wrap_prose(shown, terminal_columns())
    click.echo(click.style(mark, fg=COLOURS[finding.status]) + shown.removeprefix(mark))
    if finding.hint:
        say(f"{' ' * display_width(begin)}-> {render(finding.hint)}")
