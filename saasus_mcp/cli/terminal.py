"""The person at the terminal: their language, whether there is a terminal, what they are shown and asked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import click

from saasus_mcp.cli.text_layout import terminal_columns, wrap_prose
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import LANGUAGES, Language, locale_language
from saasus_mcp.common.messages import Localized, Message, message
from saasus_mcp.common.text import escape_invisible, visible_text

MAX_ATTEMPTS = 3
_language: ContextVar[Language] = ContextVar("language", default="en")
_prints_json: ContextVar[bool] = ContextVar("prints_json", default=False)


class TerminalError(SaasusMcpError):
    """A command stops: no person is at a terminal, or their answer does not permit it."""


def choose_language(args: Sequence[str]) -> None:
    """Set the language of this command: --lang, else SAASUS_MCP_LANG, else the language of the locale."""
    flags = [value for flag, value in pairwise(args) if flag == "--lang"]
    flags += [arg.removeprefix("--lang=") for arg in args if arg.startswith("--lang=")]
    wanted = (*flags, os.environ.get("SAASUS_MCP_LANG", ""))
    known = [language for each in wanted for language in LANGUAGES if language == each]
    _language.set(known[0] if known else locale_language(os.environ, _windows_locale()))


def _windows_locale() -> str:
    """Return the locale of the Windows user, which Python sets when it starts, or nothing on other systems."""
    if os.name != "nt":
        return ""
    import locale  # noqa: PLC0415 - only Windows needs it

    return locale.setlocale(locale.LC_CTYPE)


def use_output_for_json(wanted: bool) -> None:  # noqa: FBT001 - the value of a flag
    """Choose whether standard output is for JSON alone. What people read and answer is then on standard error."""
    _prints_json.set(wanted)


def prints_json() -> bool:
    """Return True if standard output is for JSON alone."""
    return _prints_json.get()


def reader_language() -> Language:
    """Return the language of the person at the terminal."""
    return _language.get()


def render(text: Localized | str) -> str:
    """Return a text in the language of the person at the terminal."""
    return text if isinstance(text, str) else text.text(_language.get())


def say(text: Localized | str = "", *, err: bool = False) -> None:
    """Print a text in the language of the person at the terminal: to standard error if the output is JSON.

    On a screen, its lines end between words. Elsewhere each paragraph is one line.
    """
    err, shown = err or _prints_json.get(), render(text)
    if is_terminal(sys.stderr if err else sys.stdout):
        shown = wrap_prose(shown, terminal_columns())
    click.echo(shown, err=err)


def warn(text: Localized | str) -> None:
    """Print a line of the program itself to standard error."""
    say(f"saasus-mcp: {render(text)}", err=True)


def announce_policy(announcement: Localized | str) -> None:
    """Print what a policy must announce, if anything."""
    text = visible_text(render(announcement))
    if text:
        warn(text)


def is_terminal(*streams: TextIO | None) -> bool:
    """Return True if every one of these streams is a terminal."""
    return all(stream is not None and stream.isatty() for stream in streams)


def require_person(command: str) -> None:
    """Raise TerminalError unless standard input, and the stream on which the person is asked, are a terminal."""
    if not is_terminal(sys.stdin, sys.stderr if _prints_json.get() else sys.stdout):
        raise TerminalError.of("cli.not_a_terminal", command=command)


def require_passphrase(folder: Path, label: Message | None = None) -> None:
    """Ask for the approver's passphrase if one is set in the state folder. Raise TerminalError if it was wrong three times."""
    from saasus_mcp.permissions.secrets import passphrase  # noqa: PLC0415 - imports the cryptography

    if not passphrase.is_passphrase_set(folder):
        return
    for _ in range(MAX_ATTEMPTS):
        if passphrase.verify_passphrase(folder, prompt_hidden(label or message("cli.ask_passphrase"))):
            return
        say(message("cli.wrong_passphrase"))
    raise too_many_attempts()


def require_approver(command: str, folder: Path) -> None:
    """Require a person at a terminal, who knows the approver's passphrase if one is set.

    Raises:
        TerminalError: no terminal, or three wrong passphrases.
    """
    require_person(command)
    require_passphrase(folder)


def too_many_attempts() -> TerminalError:
    return TerminalError.of("cli.too_many_attempts")


def prompt(text: Localized | str, *, err: bool = False) -> str:
    """Return one line that the person types; empty for the Enter key alone.

    Raises:
        click.Abort: for Ctrl+C and Ctrl+D.
    """
    asked = wrap_prose(render(text), terminal_columns())
    try:
        return str(click.prompt(asked, default="", show_default=False, err=err or _prints_json.get()))
    except click.Abort:
        say(err=err)  # the next text begins a line
        raise


def prompt_hidden(text: Localized | str) -> str:
    """Return one line that the person types without seeing it."""
    asked: Any = click.prompt(render(text), default="", show_default=False, hide_input=True, err=_prints_json.get())
    return str(asked)


def format_json(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON for standard output. Invisible characters, and those that its encoding lacks, are escaped."""
    separators = None if indent else (",", ":")
    text = escape_invisible(json.dumps(value, ensure_ascii=False, indent=indent, separators=separators))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, separators=separators)
    return text
