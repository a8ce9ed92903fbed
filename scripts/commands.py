"""The reference of all commands and flags (docs/commands.md), from what they say of themselves in both languages.

With --check it writes nothing and exits with 1 where a page is stale.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from saasus_mcp.cli import COMMANDS, commands
from saasus_mcp.cli.terminal import choose_language
from saasus_mcp.common.language import Language

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110
PAGES: Mapping[Language, str] = {"en": "commands.md", "ja": "commands.ja.md"}
HEADS: Mapping[Language, str] = {
    "en": """\
# Commands

[日本語](commands.ja.md)

What `saasus-mcp COMMAND --help` says, for every command. Made by `scripts/commands.py`. Variables in brackets set the same as the flag.
""",
    "ja": """\
# コマンド

[English](commands.md)

すべてのコマンドの`saasus-mcp コマンド --help --lang ja`の内容です。`scripts/commands.py`が生成しています。角括弧の中の環境変数でも、フラグと同じ設定ができます。
""",
}


def files() -> Iterator[tuple[Path, str]]:
    """Every page, and what belongs into it."""
    for language, head in HEADS.items():
        choose_language(("--lang", language))
        yield ROOT / "docs" / PAGES[language], _page(head)


def _page(head: str) -> str:
    """Return a page in the language that is chosen."""
    parts = [head]
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
    for file, text in files():
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise SystemExit(f"docs/{file.name} is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    main()
