"""Files in the state folder: the stores and small files beside them."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from saasus_mcp.common import private_files
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.common.system_reasons import file_reason
from saasus_mcp.store.errors import StoreError

STORE_SUFFIX = ".sqlite3"
SQLITE_FILE_SUFFIXES = ("", "-wal", "-shm", "-journal")
"""SQLite keeps files with these suffixes beside a database."""
MAX_CREATION_SECONDS = 120.0
"""After which a temporary file is one that a process left."""
MAX_READABLE_CHARACTERS = 40
MAX_STATE_FILE_BYTES = 64 * 1024
"""Of a small file beside the stores."""
_CREATION = threading.Lock()
"""Held while a new file is open here. Another thread that opened it as a database meanwhile would lose its locks when it is closed."""


def prepare_store_file(folder: Path, saas_id: str) -> Path:
    """Return the file of one SaaS's store. The file and the folder are created if missing.

    Raises:
        StoreError: the folder or the file cannot be created or written.
    """
    return create_database_file(folder, safe_name(saas_id) + STORE_SUFFIX)


def create_database_file(folder: Path, name: str) -> Path:
    """Return a database file in a folder that only its owner can read. Both are created if missing.

    Raises:
        StoreError: the folder or the file cannot be created or written, or other users can change it.
    """
    file = folder / name
    try:
        private_files.ensure_private_folder(folder)
        _remove_old_temporaries(file)
        require_safe_database(file)
        with _CREATION:
            if not os.path.lexists(file):  # never open an existing file: closing it would drop SQLite's locks
                _create_database(file)
    except (UnsafeFile, OSError) as error:
        raise unusable_folder(error) from error
    return file


def _create_database(file: Path) -> None:
    """Create an empty database that has its write-ahead log already, under another name first.

    Programs that switch a new file to the log at the same time can find it malformed. Nobody opens it before it has its name.
    """
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        private_files.create_private_file(temporary, b"")
        with closing(sqlite3.connect(temporary)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        os.link(temporary, file)
    except FileExistsError:
        pass
    except (sqlite3.Error, OSError):  # a file system without links, or a full disk, which opening the file reports
        with suppress(FileExistsError):
            private_files.create_private_file(file, b"")
    finally:
        for suffix in SQLITE_FILE_SUFFIXES:
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def _temporaries(file: Path) -> Iterator[Path]:
    """Return the files that processes which create this database now, or ended meanwhile, have beside it."""
    return file.parent.glob(glob.escape(f".{file.name}.") + "[0-9a-f]" * 8 + "*")


def _remove_old_temporaries(file: Path) -> None:
    oldest = time.time() - MAX_CREATION_SECONDS
    for temporary in _temporaries(file):
        with suppress(OSError):  # another process removes it, or the file system refuses: it does no harm
            if temporary.lstat().st_mtime < oldest:
                temporary.unlink()


def _require_private_database(file: Path) -> None:
    """Check one file. A process that created it, and ended before it removed the temporary name, left it with two names."""
    try:
        private_files.require_private_file(file)
    except UnsafeFile as error:
        if error.flaw != "hard_link":
            raise
        for temporary in _temporaries(file):
            with suppress(FileNotFoundError):
                if os.path.samestat(temporary.lstat(), file.lstat()):
                    temporary.unlink()
        private_files.require_private_file(file)


def require_safe_database(file: Path) -> None:
    """Check that other users can change neither a database nor SQLite's files beside it, without opening them.

    Raises:
        StoreError: other users can change a file, or a file cannot be inspected.
    """
    try:
        for companion in SQLITE_FILE_SUFFIXES:
            _require_private_database(file.with_name(file.name + companion))
    except (UnsafeFile, OSError) as error:
        raise unusable_folder(error) from error


def write_state_file(file: Path, text: str) -> None:
    """Replace a small file beside the stores. Only its owner can read it, and readers never see a part of it.

    Raises:
        OSError: the file cannot be written, or other users can change its folder.
    """
    try:
        private_files.ensure_private_folder(file.parent)
        private_files.replace_file(file, text.encode())
    except UnsafeFile as error:
        raise PermissionError(str(error)) from error


def read_state_file(file: Path) -> str:
    """Return the text of a small file beside the stores.

    Raises:
        OSError: the file is missing, cannot be read, or other users can change it.
        ValueError: the file is not UTF-8.
    """
    try:
        return private_files.read_private_file(file, MAX_STATE_FILE_BYTES).decode()
    except UnsafeFile as error:
        raise PermissionError(str(error)) from error


def unusable_folder(error: UnsafeFile | OSError) -> StoreError:
    """Return the error for a state folder or a file in it that cannot be used."""
    if isinstance(error, UnsafeFile):
        return StoreError(error.message, error.hint)
    return StoreError.of("store.state_folder_unusable", reason=file_reason(error))


def list_store_files(folder: Path) -> list[Path]:
    """Return the files of every store in a folder. Raise StoreError if other users can change the folder."""
    if not os.path.lexists(folder):
        return []
    try:
        private_files.require_private_folder(folder)
    except (UnsafeFile, OSError) as error:
        raise unusable_folder(error) from error
    return sorted(folder.glob("*" + STORE_SUFFIX))


def safe_name(saas_id: str, longest: int = MAX_READABLE_CHARACTERS) -> str:
    """Return a unique file name for a SaaS id, with at most `longest` characters of the id."""
    readable = "".join(character if character.isalnum() and character.isascii() else "-" for character in saas_id)
    return f"{readable[:longest]}-{hashlib.sha256(saas_id.encode()).hexdigest()[:12]}"
