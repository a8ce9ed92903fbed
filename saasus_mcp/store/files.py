"""Where a SaaS's store lies on disk."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from saasus_mcp.errors import SaasusMcpError

SUFFIX = ".sqlite3"
LONGEST_READABLE = 40


class StoreError(SaasusMcpError):
    """What must survive cannot be kept; a write that depends on it does not go."""


def prepare(folder: Path, saas_id: str) -> Path:
    """The file of one SaaS's store, in a folder that only its owner can read; both are made where missing.

    Raises:
        StoreError: the folder or the file cannot be made or written.
    """
    return make(folder, stem(saas_id) + SUFFIX)


def make(folder: Path, name: str) -> Path:
    """A file of this name in the folder that only its owner can read, both made where missing.

    Raises:
        StoreError: the folder or the file cannot be made or written.
    """
    file = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):  # one that is there is not touched: closing it would drop SQLite's locks on it
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"The state folder cannot be used: {error}.", "Set SAASUS_MCP_STATE_DIR.") from None
    return file


def write(file: Path, text: str) -> None:
    """Write a file beside the stores that others see whole or not at all, and only its owner can read.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(file)


def existing(folder: Path) -> list[Path]:
    """The files of every store in a folder."""
    return sorted(folder.glob("*" + SUFFIX)) if folder.is_dir() else []


def stem(saas_id: str, longest: int = LONGEST_READABLE) -> str:
    """A SaaS id as a name that no system refuses and no two ids share; of the id itself so many characters at most."""
    shown = "".join(character if character.isalnum() and character.isascii() else "-" for character in saas_id)
    return f"{shown[:longest]}-{hashlib.sha256(saas_id.encode()).hexdigest()[:12]}"
