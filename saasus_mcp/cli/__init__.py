"""The commands. They compose the other rooms and own no logic of theirs.

Each command lives in a module of its own, imported when it is run: what MCP clients run must start fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper

import click

from saasus_mcp import __version__
from saasus_mcp.common.errors import SaasusMcpError

COMMANDS = {
    "serve": "Serve MCP on stdio (the command for MCP clients) or over HTTP.",
    "tools": "List the tools, or show one with its schema, effects and decision.",
    "call": "Call one tool from the terminal, with the same checks.",
    "job": "Run a bulk job: export or import users, and more.",
    "approvals": "List pending approvals.",
    "approve": "Approve one call by typing its target's name.",
    "reject": "Reject one call.",
    "reveal": "Show a hidden secret once.",
    "approver": "Set the passphrase required for approvals.",
    "console": "Approve calls and browse the records in a browser on this computer.",
    "token": "Create, list and revoke tokens of a hosted server.",
    "undo": "List changes, or undo one.",
    "freeze": "Freeze all writes immediately.",
    "unfreeze": "Allow writes again.",
    "audit": "Search, verify and export the audit log.",
    "policy": "Check, explain, test and replay a policy.",
    "doctor": "Diagnose credentials, clock, connection and policy.",
    "install": "Add this server to an MCP client's configuration, or remove it.",
    "specs": "Compare the tools with the API's published definitions and its actual responses.",
    "sandbox": "Serve the emulated SaaSus API on a port.",
    "demo": "Watch a client work in the sandbox and be stopped when approval is needed.",
}
GROUP_FLAGS = ("--help", "--version")

_MODULES = {
    "approvals": "approvals.list_command",
    "approve": "approvals.approve_command",
    "approver": "approvals.approver_command",
    "serve": "serve.serve_command",
    "console": "serve.console_command",
    "demo": "sandbox.demo_command",
    "sandbox": "sandbox.sandbox_command",
    "policy": "policy.policy_command",
    "undo": "undo.undo_command",
    "doctor": "doctor.doctor_command",
    "install": "install.install_command",
    "specs": "specs.specs_command",
}


class _Commands(click.Group):
    """Finds a command by its name and imports it then; without a name it is `serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"saasus_mcp.cli.{_MODULES.get(cmd_name, cmd_name)}").command
        command.name, command.short_help = cmd_name, COMMANDS[cmd_name]
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in GROUP_FLAGS):
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
    from saasus_mcp.settings.environment import colours_disabled  # noqa: PLC0415 - imports what reads the settings

    if colours_disabled():
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
