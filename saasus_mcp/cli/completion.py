"""`saasus-mcp completion`: the script by which a shell completes this command, and the values that it offers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePath

import click
from click.shell_completion import CompletionItem, get_completion_class

from saasus_mcp.cli.command_line import UsageError, argument, command
from saasus_mcp.cli.options import settings_options
from saasus_mcp.cli.terminal import render
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import one_line
from saasus_mcp.settings.environment import Settings

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "saasus-mcp", "_SAASUS_MCP_COMPLETE"
MAX_DESCRIPTION = 60
FISH_SPLIT = "string split"
"""Click's script for fish splits at every comma, which cuts descriptions, and lists such as those of toolsets."""


@command(help="cli_help.command.completion")
@argument("shell", required=False, type=click.Choice(SHELLS))
@settings_options("lang")
@click.pass_context
def completion(ctx: click.Context, _: Settings, *, shell: str | None) -> None:
    """Print the script of a shell; without a name, of the person's shell."""
    name = shell or PurePath(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageError(message("cli_usage.which_shell", shells=SHELLS), ctx)
    kind = get_completion_class(name)
    assert kind is not None  # noqa: S101 - click has all three
    script = kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source()
    click.echo(script.replace(FISH_SPLIT, f"{FISH_SPLIT} -m 1"))


def complete_tools(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [*complete_operations(ctx, param, incomplete), *_items(_jobs(), incomplete)]


def complete_operations(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from saasus_mcp.catalog import load_catalogue  # noqa: PLC0415 - only if a shell asks

    return list(_items(((each.tool, render(each.title)) for each in load_catalogue()), incomplete))


def complete_jobs(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the jobs by their names without `job_`."""
    return list(_items(((name.removeprefix("job_"), title) for name, title in _jobs()), incomplete))


def complete_toolsets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the toolsets that a list with commas does not have yet."""
    from saasus_mcp.server.surface.toolsets import TOOLSETS  # noqa: PLC0415 - only if a shell asks

    before, comma, _ = incomplete.rpartition(",")
    left = (name for name in sorted(TOOLSETS) if name not in before.split(","))
    return list(_items(((f"{before}{comma}{name}", "") for name in left), incomplete))


def complete_codes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the codes of the pending approvals. A store that cannot be read offers none."""
    from saasus_mcp.cli import state  # noqa: PLC0415 - imports the database library
    from saasus_mcp.cli.approvals import approval_view  # noqa: PLC0415 - as above
    from saasus_mcp.cli.options import load_settings  # noqa: PLC0415 - only if a shell asks
    from saasus_mcp.cli.question_view import terminal_reader  # noqa: PLC0415 - as above

    try:
        settings = load_settings()
        with state.open_stores(settings, strict=True) as stores:
            pending = approval_view.list_approvals(stores, time.time(), decided=False)
        reader = terminal_reader(settings)
        return list(_items(((each.code, approval_view.headline(each, reader)) for each in pending), incomplete.upper()))
    except SaasusMcpError:
        return []


def _jobs() -> Iterator[tuple[str, str]]:
    from saasus_mcp.catalog.jobs import load_jobs  # noqa: PLC0415 - only if a shell asks

    return ((job.name, render(job.title)) for job in load_jobs())


def _items(named: Iterable[tuple[str, str]], incomplete: str) -> Iterator[CompletionItem]:
    for name, description in named:
        if name.startswith(incomplete):
            yield CompletionItem(name, help=one_line(description, MAX_DESCRIPTION) or None)
