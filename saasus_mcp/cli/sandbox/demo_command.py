"""`saasus-mcp demo`: a real client works through a real server, and is stopped when a person must decide."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli.command_line import command
from saasus_mcp.cli.install.server_command import installed_command
from saasus_mcp.cli.options import settings_options
from saasus_mcp.cli.terminal import render, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Localized, Message, message
from saasus_mcp.settings.environment import Settings

if TYPE_CHECKING:
    from saasus_mcp.cli.sandbox.demo_script import DemoPresenter

MODERN, LEGACY = "2026-07-28", "legacy"
ANSWER_TIMEOUT = 30


@command(help="cli_help.command.demo")
@settings_options("lang")
def demo(settings: Settings) -> None:
    """Run the script in both protocol eras at once, and show the second in short."""
    click.echo(click.style(render(message("cli_demo.title")), bold=True) + "\n")
    say(message("cli_demo.lead"))
    _print_heading(message("cli_demo.heading", era=MODERN))
    say(message("cli_demo.starting"))
    # On Windows a database may be held open for a moment after its process has ended.
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-demo-", ignore_cleanup_errors=True) as folder:
        lines, failures = anyio.run(_run_both, Path(folder), settings.lang)
    if MODERN not in failures:
        _print_heading(message("cli_demo.heading_again", era=LEGACY))
        click.echo("\n".join(lines))
    for failure in failures.values():
        raise SaasusMcpError(failure, message("cli_demo.failed_hint"))
    click.echo()
    say(message("cli_demo.end"))


def _print_heading(text: Message) -> None:
    click.echo(click.style(f"\n=== {render(text)} ===", bold=True))


async def _run_both(folder: Path, language: Language) -> tuple[list[str], dict[str, Message]]:
    """Run the script in both eras. Return the lines of the second, and by era how it failed."""
    from saasus_mcp.cli.sandbox.demo_script import DemoPresenter  # noqa: PLC0415 - imports the SDK

    lines: list[str] = []
    failures: dict[str, Message] = {}
    async with anyio.create_task_group() as tasks:
        for era, presenter in ((MODERN, DemoPresenter()), (LEGACY, DemoPresenter(lines))):
            tasks.start_soon(partial(_run, era, presenter, folder / era, language=language, failures=failures))
    return lines, failures


async def _run(
    era: str, presenter: DemoPresenter, folder: Path, *, language: Language, failures: dict[str, Message]
) -> None:
    """Run the script in one era, with a separate server and state folder. Add a failure to `failures`."""
    from mcp import Client, StdioServerParameters  # noqa: PLC0415 - imports the SDK

    from saasus_mcp.cli.sandbox.demo_script import DemoPerson, DemoScript  # noqa: PLC0415 - as above

    person = DemoPerson(presenter)
    program, *args = installed_command()
    server = StdioServerParameters(
        command=program,
        args=[*args, "serve", "--sandbox", "--lang", language],
        env={"SAASUS_MCP_STATE_DIR": str(folder)},
    )
    reason: Localized | None = message("cli_demo.not_started")
    try:
        async with Client(
            server, mode=era, elicitation_callback=person.answer, read_timeout_seconds=ANSWER_TIMEOUT
        ) as client:
            try:
                await DemoScript(client, person, presenter, folder=folder, language=language).run(len(load_catalogue()))
            except SaasusMcpError as error:
                reason = error
            else:
                reason = None
    except Exception as error:  # noqa: BLE001 - the SDK wraps the errors of a connection in exception groups
        reason = message("cli_demo.failed_with", reason=reason or "", error=type(error).__name__)
    if reason is not None:
        failures[era] = message("cli_demo.failed", step=presenter.step or era, reason=reason)
