"""The sandbox of the commands: its state is kept in a file, so that a command goes on where the last one ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import state
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.settings import Settings
from saasus_mcp.store.state_files import create_database_file, safe_name

if TYPE_CHECKING:
    from saasus_mcp.sandbox import Sandbox

STATE_FILE = "sandbox.state.json"
"""In the state folder: what `call`, `job` and `undo` left."""
LOCK_TIMEOUT = 5.0
"""Seconds to wait for another command that has the same state."""

fresh_option = click.option(
    "--fresh",
    is_flag=True,
    help="With --sandbox: start from new demonstration data instead of the kept state.",
)


@contextmanager
def open_sandbox(settings: Settings, *, fresh: bool = False) -> Iterator[Sandbox | None]:
    """The sandbox as the last command left it, while entered; None where calls go to the API.

    Args:
        fresh: begin with new demonstration data.

    Raises:
        SaasusMcpError: the state cannot be loaded or written, another command has it, or `fresh` without the sandbox.
    """
    if not settings.sandbox:
        if fresh:
            words = WORDS[settings.lang]
            raise SaasusMcpError(words["fresh_alone"], words["fresh_alone_mend"])
        yield None
        return
    with open_sandbox_file(settings, settings.state_folder / STATE_FILE, fresh=fresh) as sandbox:
        yield sandbox


@contextmanager
def open_sandbox_file(settings: Settings, file: Path, *, fresh: bool = False) -> Iterator[Sandbox]:
    """A sandbox whose state is in a file while entered: loaded from it where there is one, and written at the end.

    Raises:
        SaasusMcpError: the state cannot be loaded or written, or another command has it.
    """
    from saasus_mcp.sandbox import Sandbox, state_file  # noqa: PLC0415 - only where it is used

    catalogue = load_catalogue()
    with _alone(settings, file):
        with _told(settings, file):
            state = None if fresh else state_file.load_state(file)
        sandbox = Sandbox(catalogue, state=state)
        with _told(settings, file):
            state_file.save_state(
                file, sandbox.state, catalogue
            )  # a file that cannot be written is told before anything is changed
        try:
            yield sandbox
        finally:
            with _told(settings, file):
                state_file.save_state(file, sandbox.state, catalogue)


@contextmanager
def _told(settings: Settings, file: Path) -> Iterator[None]:
    """While entered, what is wrong with the file is told in a person's language, with the fix."""
    from saasus_mcp.sandbox.state_file import UnusableState  # noqa: PLC0415 - only where it is used

    words = WORDS[settings.lang]
    try:
        with state.localize_file_errors(settings.lang):
            yield
    except UnusableState as error:
        mend = words["state_own_mend" if file == settings.state_folder / STATE_FILE else "state_mend"]
        why = words[f"state_{error.why}"]
        raise SaasusMcpError(words["state_unusable"].format(file=file, why=why), mend.format(file=file)) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SaasusMcpError(
            words["state_unwritable"].format(file=file, why=why), words["state_unwritable_mend"]
        ) from None


@contextmanager
def _alone(settings: Settings, file: Path) -> Iterator[None]:
    """Keep other commands from the state, whose changes would be lost otherwise. The lock ends with the process.

    Raises:
        SaasusMcpError: another command has the state.
    """
    words = WORDS[settings.lang]
    with state.localize_file_errors(settings.lang):
        lock = create_database_file(settings.state_folder, f"sandbox-state{safe_name(str(file.absolute()), 0)}.lock")
    with closing(sqlite3.connect(lock, timeout=LOCK_TIMEOUT, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            raise SaasusMcpError(words["state_busy"].format(file=file), words["state_busy_mend"]) from None
        yield
