"""The sandbox of the commands, whose state is saved in a file between commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli.command_line import option
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.state_files import create_database_file, safe_name

if TYPE_CHECKING:
    from saasus_mcp.sandbox import Sandbox

STATE_FILE = "sandbox.state.json"
"""In the state folder: the state after the last `call`, `job` or `undo`."""
LOCK_TIMEOUT = 5.0
"""Seconds to wait for another command that uses the same state."""

fresh_option = option("--fresh", is_flag=True, help="cli_help.option.fresh")


@contextmanager
def open_sandbox(settings: Settings, *, fresh: bool = False) -> Iterator[Sandbox | None]:
    """Open the sandbox as the last command left it, or give None if calls go to the API.

    Args:
        fresh: start from new demonstration data.

    Raises:
        SaasusMcpError: the state cannot be loaded or saved, another command uses it, or `fresh` without the sandbox.
    """
    if not settings.sandbox:
        if fresh:
            raise SaasusMcpError.of("cli_sandbox.fresh_without_sandbox")
        yield None
        return
    with open_sandbox_file(settings, settings.state_folder / STATE_FILE, fresh=fresh) as sandbox:
        yield sandbox


@contextmanager
def open_sandbox_file(settings: Settings, file: Path, *, fresh: bool = False) -> Iterator[Sandbox]:
    """Open a sandbox with the state of a file, if the file exists, and save the state to it at the end.

    Raises:
        SaasusMcpError: the state cannot be loaded or saved, or another command uses it.
    """
    from saasus_mcp.sandbox import Sandbox, state_file  # noqa: PLC0415 - only with the sandbox

    catalogue = load_catalogue()
    with _exclusive(settings, file):
        with _file_errors(settings, file):
            state = None if fresh else state_file.load_state(file)
        sandbox = Sandbox(catalogue, state=state)
        with _file_errors(settings, file):
            # Fails before anything changes if the file cannot be written.
            state_file.save_state(file, sandbox.state, catalogue)
        try:
            yield sandbox
        finally:
            with _file_errors(settings, file):
                state_file.save_state(file, sandbox.state, catalogue)


@contextmanager
def _file_errors(settings: Settings, file: Path) -> Iterator[None]:
    """Turn errors of the state file into errors with a hint."""
    from saasus_mcp.sandbox.state_file import UnusableState  # noqa: PLC0415 - only with the sandbox

    try:
        yield
    except UnusableState as error:
        if file != settings.state_folder / STATE_FILE:
            raise
        raise SaasusMcpError(error.message, message("cli_sandbox.own_state_hint", file=str(file))) from None
    except OSError as error:
        raise SaasusMcpError.of("cli_sandbox.state_unwritable", file=str(file), reason=os_reason(error)) from None


@contextmanager
def _exclusive(settings: Settings, file: Path) -> Iterator[None]:
    """Lock the state against other commands, whose changes would be lost. The lock ends with the process.

    Raises:
        SaasusMcpError: another command uses the state.
    """
    lock = create_database_file(settings.state_folder, f"sandbox-state{safe_name(str(file.absolute()), 0)}.lock")
    with closing(sqlite3.connect(lock, timeout=LOCK_TIMEOUT, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise _unlocked(error, lock, file) from None
        yield


def _unlocked(error: sqlite3.Error, lock: Path, file: Path) -> SaasusMcpError:
    """Return why the state could not be locked: another command uses it, or the disk is full, for example."""
    from saasus_mcp.store.database import sqlite  # noqa: PLC0415 - only after an error

    if sqlite.primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SaasusMcpError.of("cli_sandbox.state_busy", file=str(file))
    return SaasusMcpError.of("cli_sandbox.state_unwritable", file=str(lock), reason=sqlite.explain_error(error))
