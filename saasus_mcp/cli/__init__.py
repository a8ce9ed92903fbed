"""The commands of the terminal. They compose the other rooms and contain no logic of their own.

A command's module is imported when the command runs, because the command that MCP clients run must start fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from saasus_mcp import __version__
from saasus_mcp.cli.command_line import Group, Option, localized_errors
from saasus_mcp.cli.terminal import choose_language, render, warn
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message, one_of

COMMANDS = {
    "serve": "serve.serve_command:serve",
    "tools": "tools:tools",
    "call": "call:call",
    "job": "job:job",
    "approvals": "approvals.list_command:approvals",
    "approve": "approvals.decide_command:approve",
    "reject": "approvals.decide_command:reject",
    "reveal": "reveal:reveal",
    "approver": "approvals.approver_command:approver",
    "console": "serve.console_command:console",
    "token": "token:token",
    "undo": "undo.undo_command:undo",
    "freeze": "freeze:freeze",
    "unfreeze": "freeze:unfreeze",
    "notify": "notify:notify",
    "audit": "audit:audit",
    "policy": "policy.policy_command:policy",
    "doctor": "doctor.doctor_command:doctor",
    "install": "install.install_command:install",
    "specs": "specs.specs_command:specs",
    "sandbox": "sandbox.sandbox_command:sandbox",
    "demo": "sandbox.demo_command:demo",
}
"""Each command with its module and function."""
_GROUP_FLAGS = ("-h", "--help", "--version")


class _RootGroup(Group):
    """Imports a command when its name is used. Without a name, the command is `serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"saasus_mcp.cli.{module}"), name)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        choose_language(args)
        with localized_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with localized_errors():
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in _GROUP_FLAGS):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(render(message("cli_usage.commands"))):
            formatter.write_dl([(name, render(one_of("cli_help.short", name))) for name in COMMANDS])


@click.group(
    cls=_RootGroup,
    help="cli_help.command.main",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(
    __version__,
    prog_name="saasus-mcp",
    message="%(prog)s, version %(version)s",
    cls=Option,
    help="cli_usage.show_version",
)
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Hold what all commands share: colours are off if the person wants none."""
    from saasus_mcp.settings.environment import colours_disabled  # noqa: PLC0415 - imports what reads the settings

    if colours_disabled():
        ctx.color = False


def main() -> None:
    """Run a command. An error that its reader can fix is one line, with exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal or pipe that cannot write Japanese must not stop a command
            stream.reconfigure(errors="backslashreplace")
    try:
        commands()
    except SaasusMcpError as error:
        warn(error)
        sys.exit(1)
