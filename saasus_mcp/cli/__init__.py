"""The commands of the terminal. They connect the other packages and contain no logic of their own.

A command's module is imported when the command runs, because the command that MCP clients run must start fast.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click
from click.shell_completion import CompletionItem

from saasus_mcp import __version__
from saasus_mcp.cli.command_line import Group, Option, localized_errors, split_language
from saasus_mcp.cli.output import colour_preference
from saasus_mcp.cli.standard_output import checked_output
from saasus_mcp.cli.terminal import choose_language, render, use_output_for_json, warn
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import one_of

COMMAND_GROUPS = {
    "tools": {"tools": "tools:tools", "call": "call:call", "job": "job:job"},
    "approvals": {
        "approvals": "approvals.list_command:approvals",
        "approve": "approvals.decide_command:approve",
        "reject": "approvals.decide_command:reject",
        "reveal": "reveal:reveal",
        "approver": "approvals.approver_command:approver",
        "console": "serve.console_command:console",
    },
    "control": {
        "audit": "audit.audit_command:audit",
        "undo": "undo.undo_command:undo",
        "freeze": "freeze:freeze",
        "unfreeze": "freeze:unfreeze",
        "notify": "notify:notify",
        "policy": "policy.policy_command:policy",
        "token": "token:token",
    },
    "setup": {
        "install": "install.install_command:install",
        "doctor": "doctor.doctor_command:doctor",
        "completion": "completion:completion",
        "demo": "sandbox.demo_command:demo",
        "sandbox": "sandbox.sandbox_command:sandbox",
        "serve": "serve.serve_command:serve",
        "specs": "specs.specs_command:specs",
    },
}
"""Each command with its module and function, in the groups of the help."""
COMMANDS = {name: place for group in COMMAND_GROUPS.values() for name, place in group.items()}
_GROUP_FLAGS = ("-h", "--help", "-V", "--version")


@contextmanager
def _without_collection() -> Iterator[None]:
    """Search for no garbage meanwhile: modules that are loaded make none, and the search takes a tenth of their time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _RootGroup(Group):
    """Imports a command when its name is used. Without a name, the command is `serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        with _without_collection():
            command: click.Command = getattr(import_module(f"saasus_mcp.cli.{module}"), name)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        choose_language(args)
        use_output_for_json(False)
        with localized_errors():
            return super().make_context(info_name, args, parent, **{"color": colour_preference(), **extra})

    def invoke(self, ctx: click.Context) -> Any:
        with localized_errors():
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        alone = not args and not ctx.resilient_parsing  # a shell that completes the first word wants the commands
        first = next(iter(split_language(args)[1]), "")
        if alone or (args and args[0].startswith("-") and first not in (*COMMANDS, *_GROUP_FLAGS)):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands without importing them, or what else a shell can offer."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=render(one_of("cli_help.short", name)))
            for name in COMMANDS
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, names in COMMAND_GROUPS.items():
            with formatter.section(render(one_of("cli_usage.group", group))):
                formatter.write_dl([(name, render(one_of("cli_help.short", name))) for name in names])


@click.group(
    cls=_RootGroup,
    help="cli_help.command.main",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(
    __version__,
    "-V",
    "--version",
    prog_name="saasus-mcp",
    message="%(prog)s, version %(version)s",
    cls=Option,
    help="cli_usage.show_version",
)
def commands() -> None:
    """Hold all commands."""


def main() -> None:
    """Run a command. An error that its reader can fix is one line, with exit status 1."""
    if isinstance(sys.stderr, TextIOWrapper):  # a terminal or pipe that cannot write Japanese must not stop a command
        sys.stderr.reconfigure(errors="backslashreplace")
    with checked_output():
        try:
            commands(prog_name="saasus-mcp")
        except SaasusMcpError as error:
            warn(error)
            sys.exit(1)
