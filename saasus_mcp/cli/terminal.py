"""The person at the terminal: whether there is one, what is shown to them, and what they are asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import visible_text

MAX_ATTEMPTS = 3


class TerminalError(SaasusMcpError):
    """There is no person at a terminal, or what they answered lets nothing through."""


def is_terminal(*streams: TextIO | None) -> bool:
    """Whether every one of these streams is a terminal."""
    return all(stream is not None and stream.isatty() for stream in streams)


def require_person(command: str, language: Language) -> None:
    """See that a person runs this command.

    Raises:
        AtTerminal: standard input or output is no terminal.
    """
    if not is_terminal(sys.stdin, sys.stdout):
        words = WORDS[language]
        raise TerminalError(words["no_tty"].format(command=command), words["no_tty_mend"])


def require_passphrase(folder: Path, language: Language, label: str = "ask_passphrase") -> None:
    """Ask for the approver's passphrase where one was set.

    Raises:
        AtTerminal: it was wrong three times.
    """
    from saasus_mcp.permissions.secrets import passphrase  # noqa: PLC0415 - imports the cryptography

    if not passphrase.is_passphrase_set(folder):
        return
    words = WORDS[language]
    for _ in range(MAX_ATTEMPTS):
        if passphrase.verify_passphrase(folder, prompt_hidden(words[label])):
            return
        click.echo(words["wrong_passphrase"])
    raise TerminalError(words["stopped"], words["start_again"])


def prompt(text: str, *, err: bool = False) -> str:
    """One line typed by a person, empty where they typed nothing.

    Raises:
        click.Abort: they typed Ctrl+C or Ctrl+D.
    """
    try:
        return str(click.prompt(text, default="", show_default=False, err=err))
    except click.Abort:
        click.echo(err=err)  # what is said next begins a line
        raise


def prompt_hidden(text: str) -> str:
    """One line typed by a person and not shown."""
    return str(click.prompt(text, default="", show_default=False, hide_input=True))


def safe(text: str) -> str:
    """Foreign text without characters that hide or reorder what is read, or that command a terminal."""
    return visible_text(text)


def format_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON for standard output: readable where its encoding has every character, else escaped, and JSON either way."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, separators=None if indent else (",", ":"))
    return text
