"""Where a SaaS's store lies on disk."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.private_files import UnsafeFile

STORE_SUFFIX = ".sqlite3"
SQLITE_FILE_SUFFIXES = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to a database's name for the files beside it."""
MAX_READABLE_CHARACTERS = 40
MAX_STATE_FILE_BYTES = 64 * 1024
"""Bytes of a file beside the stores, which is never a database."""


class StoreError(SaasusMcpError):
    """What must survive cannot be kept; a write that depends on it does not go."""

    reason: ClassVar[str] = "storeerror"
    """The value that audit records and metrics carry."""


def prepare_store_file(folder: Path, saas_id: str) -> Path:
    """The file of one SaaS's store, in a folder that only its owner can read; both are made where missing.

    Raises:
        StoreError: the folder or the file cannot be made or written.
    """
    return create_database_file(folder, safe_name(saas_id) + STORE_SUFFIX)


def create_database_file(folder: Path, name: str) -> Path:
    """A file of this name in the folder that only its owner can read, both made where missing.

    Raises:
        StoreError: the folder or the file cannot be made or written, or others can change it.
    """
    file = folder / name
    try:
        private_files.ensure_private_folder(folder)
        require_safe_database(file)
        with suppress(FileExistsError):  # one that is there is not opened: closing it would drop SQLite's locks on it
            private_files.create_private_file(file, b"")
    except (UnsafeFile, OSError) as error:
        raise _unusable(error) from error
    return file


def require_safe_database(file: Path) -> None:
    """See that others can change neither a database's file nor those that SQLite keeps beside it. Opens none of them.

    Raises:
        StoreError: they can, or it cannot be seen.
    """
    try:
        for companion in SQLITE_FILE_SUFFIXES:
            private_files.require_private_file(file.with_name(file.name + companion))
    except (UnsafeFile, OSError) as error:
        raise _unusable(error) from error


def write_state_file(file: Path, text: str) -> None:
    """Write a file beside the stores that others see whole or not at all, and only its owner can read.

    Raises:
        OSError: it cannot be written, or others can change its folder.
    """
    try:
        private_files.ensure_private_folder(file.parent)
        private_files.replace_file(file, text.encode())
    except UnsafeFile as error:
        raise PermissionError(str(error)) from error


def read_state_file(file: Path) -> str:
    """The text of a small file beside the stores.

    Raises:
        OSError: it is not there, cannot be read, or others can change it.
        ValueError: it is no text.
    """
    try:
        return private_files.read_private_file(file, MAX_STATE_FILE_BYTES).decode()
    except UnsafeFile as error:
        raise PermissionError(str(error)) from error


def _unusable(error: UnsafeFile | OSError) -> StoreError:
    if isinstance(error, UnsafeFile):
        return StoreError(error.message, error.hint)
    return StoreError(f"The state folder cannot be used: {error}.", "Set SAASUS_MCP_STATE_DIR.")


def list_store_files(folder: Path) -> list[Path]:
    """The files of every store in a folder.

    Raises:
        StoreError: others can change the folder.
    """
    if not os.path.lexists(folder):
        return []
    try:
        private_files.require_private_folder(folder)
    except (UnsafeFile, OSError) as error:
        raise _unusable(error) from error
    return sorted(folder.glob("*" + STORE_SUFFIX))


def safe_name(saas_id: str, longest: int = MAX_READABLE_CHARACTERS) -> str:
    """A SaaS id as a name that no system refuses and no two ids share; of the id itself so many characters at most."""
    shown = "".join(character if character.isalnum() and character.isascii() else "-" for character in saas_id)
    return f"{shown[:longest]}-{hashlib.sha256(saas_id.encode()).hexdigest()[:12]}"
