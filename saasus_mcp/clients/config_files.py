"""A client's file on disk: read whole, written whole or not at all, with what was there before kept in our state folder."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saasus_mcp.clients import entry_editing
from saasus_mcp.clients.known_clients import KnownClient
from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.private_files import POSIX, UnsafeFile

MAX_FILE_BYTES = 16 * 1024 * 1024
NEW_FILE = 0o600
OTHERS = 0o077
ORIGINAL, OLD_BACKUP, RECORD = "before", "last", "record.json"


class ConfigFileError(SaasusMcpError):
    """A client's file could not be read or written; it is as it was."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a client's file holds.

    Attributes:
        raw: its bytes, None where there is no file.
        link: the symbolic link that led to it.
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
        """The file's text, byte order mark and ends of lines included.

        Raises:
            NotWritten: it is no UTF-8.
        """
        try:
            return (self.raw or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigFileError(f"{self.file} is not UTF-8 text.", "Save it as UTF-8 and try again.") from None


def read_config_file(file: Path) -> ConfigFile:
    """What is there now. A symbolic link to a file of ours is followed, so that it stays one: people keep such files elsewhere.

    Raises:
        NotWritten: it cannot be read, is no regular file, or is somebody else's to change.
    """
    link = file if file.is_symlink() else None
    try:
        file = file.resolve()
        raw = private_files.read_provided_file(file, MAX_FILE_BYTES)
        found = file.lstat()
    except FileNotFoundError:
        if link is not None:
            raise ConfigFileError(
                f"{link} is a symbolic link to a file that does not exist.", "Create that file or remove the link."
            ) from None
        return ConfigFile(file, None)
    except UnsafeFile as error:
        raise ConfigFileError(error.message, error.hint) from error
    except (OSError, RuntimeError) as error:  # a link that leads to itself is a RuntimeError before Python 3.13
        raise _failed(file, error) from None
    if POSIX and found.st_uid != os.geteuid() and (link is not None or os.geteuid() != 0):
        raise ConfigFileError(
            f"{file} belongs to another user (uid {found.st_uid}).",
            "Nothing was done. Specify your own file with --file.",
        )
    owner = (found.st_uid, found.st_gid) if POSIX else None
    return ConfigFile(file, raw, link, stat.S_IMODE(found.st_mode), owner)


class ConfigBackup:
    """Keeps, for one entry in one client's file, what was there before us.

    `before` is what uninstalling goes back to, while the file is still what we wrote. It is as private as the state folder, and
    gone after that: a client's file may hold credentials in clear.
    """

    def __init__(self, state: Path, client: KnownClient, file: Path, name: str) -> None:
        place = hashlib.sha256(str(file).encode()).hexdigest()[:12]
        self.folder = state / "clients" / f"{client.key}-{name}-{place}"
        self._client = client
        self._name = name

    def base_text(self, held: ConfigFile) -> str:
        """The text that our entry is to be put into: the one without us, while the file is still what we wrote."""
        if held.raw is not None and self._record().get("written") == _digest(held.raw):
            return (self.original(held) or b"").decode()
        return held.text

    def original(self, held: ConfigFile) -> bytes | None:
        """The file without us: as kept, where it is still what we wrote, else with our entry taken out of it.

        Raises:
            Unreadable: it is not what the client reads.
        """
        if held.raw is None:
            return None
        record = self._record()
        if record.get("written") == _digest(held.raw):
            return self._kept(ORIGINAL) if record["existed"] else None
        return entry_editing.remove_entry(held.text, self._client, self._name).encode()

    def write(self, held: ConfigFile, new: str, *, private: bool = False) -> None:
        """Keep what is there, then put the new text in its place at once. The file's owner and mode stay.

        Args:
            private: whether nobody else may read the file from now on.

        Raises:
            NotWritten: the file changed since it was read, or cannot be written.
        """
        before, raw = self.original(held) if self._record() else held.raw, new.encode()
        _require_unchanged(held)
        try:
            self._prepare()
            private_files.replace_file(self.folder / ORIGINAL, before or b"")
            record = {"file": str(held.file), "existed": before is not None, "written": _digest(raw)}
            private_files.replace_file(self.folder / RECORD, json.dumps(record).encode())
            held.file.parent.mkdir(parents=True, exist_ok=True)
            mode = held.mode & NEW_FILE if private else held.mode
            private_files.replace_file(held.file, raw, mode=mode, owner=held.owner)
        except UnsafeFile as error:
            raise ConfigFileError(error.message, error.hint) from error
        except OSError as error:
            raise _failed(held.file, error) from None

    def restore(self, held: ConfigFile) -> None:
        """Put back what was there before us, and forget it: what we kept may hold credentials.

        Raises:
            NotWritten: the file changed since it was read, or cannot be written.
        """
        before = self.original(held)
        _require_unchanged(held)
        try:
            if before is None:
                held.file.unlink(missing_ok=True)
            else:
                private_files.replace_file(held.file, before, mode=held.mode, owner=held.owner)
            for name in (RECORD, ORIGINAL, OLD_BACKUP):
                (self.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # it is not there, or holds what is not ours
                self.folder.rmdir()
        except UnsafeFile as error:
            raise ConfigFileError(error.message, error.hint) from error
        except OSError as error:
            raise _failed(held.file, error) from None

    def _prepare(self) -> None:
        """Make the folder, and those above it up to the state folder, for their owner alone; drop what earlier versions kept."""
        for folder in (*reversed(self.folder.parents[:2]), self.folder):
            private_files.ensure_private_folder(folder)
        (self.folder / OLD_BACKUP).unlink(missing_ok=True)

    def _kept(self, name: str) -> bytes:
        return private_files.read_private_file(self.folder / name, MAX_FILE_BYTES, secret=True)

    def _record(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self._kept(RECORD))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _require_unchanged(held: ConfigFile) -> None:
    if read_config_file(held.file) != held:
        raise ConfigFileError(f"{held.file} was changed by another program.", "Nothing was written. Try again.")


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _failed(file: Path, error: OSError | RuntimeError) -> ConfigFileError:
    return ConfigFileError(
        f"{file}: {getattr(error, 'strerror', None) or type(error).__name__}.", "The file was not changed."
    )
