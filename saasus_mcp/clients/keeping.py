"""A client's file on disk: read whole, written whole or not at all, with what was there before kept in our state folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saasus_mcp.clients import editing
from saasus_mcp.clients.known import Client
from saasus_mcp.errors import SaasusMcpError

LARGEST = 16 * 1024 * 1024
NEW_FILE = 0o600
BEFORE, LAST, RECORD = "before", "last", "record.json"


class NotWritten(SaasusMcpError):
    """A client's file could not be read or written; it is as it was."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a client's file holds: its bytes, None where there is no file."""

    file: Path
    raw: bytes | None

    @property
    def text(self) -> str:
        """The file's text, byte order mark and ends of lines included.

        Raises:
            NotWritten: it is no UTF-8.
        """
        try:
            return (self.raw or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise NotWritten(f"{self.file} is not UTF-8 text.", "Save it as UTF-8 and try again.") from None


def read(file: Path) -> Held:
    """What is there now. A symbolic link is followed, so that it stays one.

    Raises:
        NotWritten: it cannot be read.
    """
    try:
        file = file.resolve()
        raw = file.read_bytes()
    except FileNotFoundError:
        return Held(file, None)
    except OSError as error:
        raise _failed(file, error) from None
    if len(raw) > LARGEST:
        raise NotWritten(f"{file} has {len(raw)} bytes.", "That is more than a client's file has; nothing was done.")
    return Held(file, raw)


class Keeper:
    """Keeps, for one entry in one client's file, what was there before us.

    `before` is what uninstalling goes back to, while the file is still what we wrote; `last` is what the last writing replaced.
    """

    def __init__(self, state: Path, client: Client, file: Path, name: str) -> None:
        place = hashlib.sha256(str(file).encode()).hexdigest()[:12]
        self.folder = state / "clients" / f"{client.key}-{name}-{place}"
        self._client = client
        self._name = name

    def base(self, held: Held) -> str:
        """The text that our entry is to be put into: the one without us, while the file is still what we wrote."""
        if held.raw is not None and self._record().get("written") == _digest(held.raw):
            return (self.before(held) or b"").decode()
        return held.text

    def before(self, held: Held) -> bytes | None:
        """The file without us: as kept, where it is still what we wrote, else with our entry taken out of it.

        Raises:
            Unreadable: it is not what the client reads.
        """
        record = self._record()
        if held.raw is None:
            return None
        if record.get("written") == _digest(held.raw):
            return (self.folder / BEFORE).read_bytes() if record["existed"] else None
        return editing.without(held.text, self._client, self._name).encode()

    def write(self, held: Held, new: str) -> None:
        """Keep what is there, then put the new text in its place at once.

        Raises:
            NotWritten: the file changed since it was read, or cannot be written.
        """
        before, raw = self.before(held) if self._record() else held.raw, new.encode()
        _require_unchanged(held)
        try:
            self._prepare()
            _replace(self.folder / BEFORE, before or b"", None)
            _replace(self.folder / LAST, held.raw or b"", None)
            record = {"file": str(held.file), "existed": before is not None, "written": _digest(raw)}
            _replace(self.folder / RECORD, json.dumps(record).encode(), None)
            held.file.parent.mkdir(parents=True, exist_ok=True)
            _replace(held.file, raw, held.file if held.raw is not None else None)
        except OSError as error:
            raise _failed(held.file, error) from None

    def restore(self, held: Held) -> None:
        """Put back what was there before us.

        Raises:
            NotWritten: the file changed since it was read, or cannot be written.
        """
        before = self.before(held)
        _require_unchanged(held)
        try:
            self._prepare()
            _replace(self.folder / LAST, held.raw or b"", None)
            if before is None:
                held.file.unlink(missing_ok=True)
            else:
                _replace(held.file, before, held.file)
            (self.folder / RECORD).unlink(missing_ok=True)
        except OSError as error:
            raise _failed(held.file, error) from None

    def _prepare(self) -> None:
        """Make the folder, and those above it up to the state folder, for their owner alone."""
        for folder in (*reversed(self.folder.parents[:2]), self.folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _record(self) -> Mapping[str, Any]:
        try:
            found = json.loads((self.folder / RECORD).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _require_unchanged(held: Held) -> None:
    if read(held.file) != held:
        raise NotWritten(f"{held.file} was changed meanwhile.", "Nothing was written. Try again.")


def _replace(file: Path, raw: bytes, mode_of: Path | None) -> None:
    """Write a whole file beside it and put it in its place: a reader sees the old or the new, never half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode_of.stat().st_mode & 0o777 if mode_of else NEW_FILE)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _failed(file: Path, error: OSError) -> NotWritten:
    return NotWritten(f"{file}: {error.strerror or type(error).__name__}.", "It is as it was.")
