"""The reference of all commands and flags (docs/commands.md), from what they say of themselves.

With --check it writes nothing and exits with 1 where the page is stale.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from saasus_mcp.cli import COMMANDS, commands

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
WIDTH = 110
HEAD = """\
# Commands

What `saasus-mcp COMMAND --help` says, for every command. Made by `scripts/commands.py`. Variables in brackets set the same as the flag.

日本語での概要は [README.ja.md](../README.ja.md#コマンド) にあります。
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name in COMMANDS:
        for path, command in _below((name,), _command(commands, name)):
            parts.append(f"{'#' * (1 + len(path))} saasus-mcp {' '.join(path)}\n\n```\n{_help(path, command)}\n```\n")
    return "\n".join(parts)


def _below(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from _below((*path, name), _command(command, name))


def _command(group: click.Group, name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None, name  # noqa: S101 - it is listed
    return found


def _help(path: tuple[str, ...], command: click.Command) -> str:
    context = command.context_class(
        command, info_name=f"saasus-mcp {' '.join(path)}", terminal_width=WIDTH, max_content_width=WIDTH
    )
    lines = command.get_help(context).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("-h, --help", "--help "))).rstrip()


def main() -> None:
    os.environ.pop("COLUMNS", None)
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit("docs/commands.md is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    main()
