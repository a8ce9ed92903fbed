"""The commands. They compose the other rooms and own no logic of theirs.

Each command lives in a module of its own, imported when it is run: what MCP clients run must start fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper

import click

from saasus_mcp import __version__
from saasus_mcp.errors import SaasusMcpError

COMMANDS = {
    "serve": "Serve MCP on stdio, which is what clients run, or over HTTP.",
    "tools": "List the tools, or show one with its schema, effects and decision.",
    "call": "Call one tool from the terminal, through the same pipeline.",
    "job": "Do a whole job: export or import users, and more.",
    "approvals": "List what waits for a person's approval.",
    "approve": "Approve one call, by typing its target's name.",
    "reject": "Reject one call.",
    "reveal": "Show a hidden secret once.",
    "approver": "Set the passphrase that approving asks for.",
    "console": "Approve and look things up in a browser, on this machine.",
    "token": "Make, list and revoke the tokens of a hosted server.",
    "undo": "List what was changed, or put one change back.",
    "freeze": "Hold all writes back at once.",
    "unfreeze": "Let writes go again.",
    "audit": "Search, verify and export the audit.",
    "policy": "Check, explain, test and replay a policy.",
    "doctor": "Find what is wrong with credentials, clock, connection and policy.",
    "install": "Write this server into an MCP client's configuration, or take it out.",
    "specs": "Compare the tools with the API's published definitions, and with what it answers.",
    "sandbox": "Serve the emulated SaaSus API on a port.",
    "demo": "Watch a client work and be stopped, in the sandbox.",
}
OWN_FLAGS = ("--help", "--version")


class _Commands(click.Group):
    """Finds a command by its name and imports it then; without a name it is `serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"saasus_mcp.cli.{cmd_name}").command
        command.name, command.short_help = cmd_name, COMMANDS[cmd_name]
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in OWN_FLAGS):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="saasus-mcp")
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Operate SaaSus Platform from an AI assistant, with a person in charge. Without a command: serve."""
    from saasus_mcp.settings.colours import uncoloured  # noqa: PLC0415 - imports what reads the settings

    if uncoloured():
        ctx.color = False


def main() -> None:
    """Run a command; what a person can mend is said in one line, with exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal or pipe that cannot write Japanese must not stop a command
            stream.reconfigure(errors="backslashreplace")
    try:
        commands()
    except SaasusMcpError as error:
        click.echo(f"saasus-mcp: {error}", err=True)
        sys.exit(1)
