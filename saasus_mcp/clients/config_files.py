"""A client's configuration file on disk: read and written as a whole, with a backup in the state folder."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saasus_mcp.clients import entry_editing
from saasus_mcp.clients.known_clients import KnownClient
from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.private_files import POSIX, UnsafeFile
from saasus_mcp.common.system_reasons import os_reason

MAX_FILE_BYTES = 16 * 1024 * 1024
NEW_FILE = 0o600
OTHERS = 0o077
ORIGINAL, OLD_BACKUP, RECORD = "before", "last", "record.json"


class ConfigFileError(SaasusMcpError):
    """A client's file could not be read or written. It is unchanged."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The content of a client's file when it was read.

    Attributes:
        raw: its bytes; None if there is no file.
        link: the symbolic link that led to the file.
        mode: its permissions.
        owner: its user and group.
    """

    file: Path
    raw: bytes | None
    link: Path | None = field(default=None, compare=False)
    mode: int = NEW_FILE
    owner: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The text, with its byte order mark and line ends. Raise ConfigFileError if the file is not UTF-8."""
        try:
            return (self.raw or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigFileError.of("clients.not_utf8", file=str(self.file)) from None


def read_config_file(file: Path) -> ConfigFile:
    """Return the current content of a file. A symbolic link to a file of this user is followed and stays a link.

    Raises:
        ConfigFileError: the file cannot be read, is not a regular file, or another user can change it.
    """
    link = file if file.is_symlink() else None
    with _explain(file):
        try:
            file = file.resolve()
            raw = private_files.read_provided_file(file, MAX_FILE_BYTES)
            status = file.lstat()
        except FileNotFoundError:
            if link is not None:
                raise ConfigFileError.of("clients.dangling_link", link=str(link)) from None
            return ConfigFile(file, None)
    if POSIX and status.st_uid != os.geteuid() and (link is not None or os.geteuid() != 0):
        raise ConfigFileError.of("clients.other_owner", file=str(file), owner=status.st_uid)
    owner = (status.st_uid, status.st_gid) if POSIX else None
    return ConfigFile(file, raw, link=link, mode=stat.S_IMODE(status.st_mode), owner=owner)


class ConfigBackup:
    """The backup of one client's file without this server's entry.

    Uninstalling restores it if the file is still what this program wrote. A client's file may contain credentials in clear text, so
    the backup is as private as the state folder and is deleted after a restore.
    """

    def __init__(self, state: Path, client: KnownClient, file: Path, name: str) -> None:
        digest = hashlib.sha256(str(file).encode()).hexdigest()[:12]
        self.folder = state / "clients" / f"{client.key}-{name}-{digest}"
        self._client = client
        self._name = name

    def base_text(self, current: ConfigFile) -> str:
        """Return the text to which the entry is added: the backup if the file is still what this program wrote."""
        if self._is_unchanged(current):
            return (self.original(current) or b"").decode()
        return current.text

    def original(self, current: ConfigFile) -> bytes | None:
        """Return the file without this server's entry: the backup, or the current text with the entry removed.

        Raises:
            UneditableConfig: the client cannot read the file.
        """
        if current.raw is None:
            return None
        if self._is_unchanged(current):
            return self._read(ORIGINAL) if self._record()["existed"] else None
        return entry_editing.remove_entry(current.text, self._client, self._name).encode()

    def write(self, current: ConfigFile, new: str, *, private: bool = False) -> bool:
        """Save the backup, then replace the file. Its owner and mode stay. Return False if no earlier version exists.

        Args:
            private: remove the permissions of other users.

        Raises:
            ConfigFileError: the file changed since it was read, or cannot be written.
        """
        before, raw = self.original(current) if self._record() else current.raw, new.encode()
        _require_unchanged(current)
        with _explain(current.file):
            self._prepare_folder()
            private_files.replace_file(self.folder / ORIGINAL, before or b"")
            record = {"file": str(current.file), "existed": before is not None, "written": _digest(raw)}
            private_files.replace_file(self.folder / RECORD, json.dumps(record).encode())
            current.file.parent.mkdir(parents=True, exist_ok=True)
            mode = current.mode & NEW_FILE if private else current.mode
            private_files.replace_file(current.file, raw, mode=mode, owner=current.owner)
        return before is not None

    def restore(self, current: ConfigFile) -> None:
        """Restore the file without this server's entry, and delete the backup.

        Raises:
            ConfigFileError: the file changed since it was read, or cannot be written.
        """
        before = self.original(current)
        _require_unchanged(current)
        with _explain(current.file):
            if before is None:
                current.file.unlink(missing_ok=True)
            else:
                private_files.replace_file(current.file, before, mode=current.mode, owner=current.owner)
            for name in (RECORD, ORIGINAL, OLD_BACKUP):
                (self.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # missing, or it contains other files
                self.folder.rmdir()

    def _is_unchanged(self, current: ConfigFile) -> bool:
        return current.raw is not None and self._record().get("written") == _digest(current.raw)

    def _prepare_folder(self) -> None:
        """Create the private folders up to the state folder, and delete the backup of earlier versions."""
        for folder in (*reversed(self.folder.parents[:2]), self.folder):
            private_files.ensure_private_folder(folder)
        (self.folder / OLD_BACKUP).unlink(missing_ok=True)

    def _read(self, name: str) -> bytes:
        return private_files.read_private_file(self.folder / name, MAX_FILE_BYTES, secret=True)

    def _record(self) -> Mapping[str, Any]:
        try:
            record = json.loads(self._read(RECORD))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}


def _require_unchanged(file: ConfigFile) -> None:
    if read_config_file(file.file) != file:
        raise ConfigFileError.of("clients.changed_meanwhile", file=str(file.file))


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@contextmanager
def _explain(file: Path) -> Iterator[None]:
    """Raise ConfigFileError for an error of the file system."""
    try:
        yield
    except UnsafeFile as error:
        raise ConfigFileError(error.message, error.hint) from error
    except (OSError, RuntimeError) as error:  # a link that leads to itself is a RuntimeError before Python 3.13
        reason = os_reason(error) if isinstance(error, OSError) else type(error).__name__
        raise ConfigFileError.of("clients.file_failed", file=str(file), reason=reason) from None
