"""Make running servers reload their policy file, by files in the state folder, on every system and without a port.

A server writes a note with its policy file and the time of its last read, and checks every second for a request. It reads
only its own file; a request contains nothing but its time.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, Self

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Text
from saasus_mcp.common.system_reasons import file_reason
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.file import ReloadResult
from saasus_mcp.store.state_files import read_state_file, write_state_file

FOLDER = "servers"
POLL_INTERVAL = 1.0
"""Seconds from one look of a server to the next."""
MAX_POLLS = 600
"""Checks for replies before giving up: thirty seconds, with pauses of 0.05 s. A server with several workers replaces them first."""
REPLY_POLL_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The note of a running server.

    Attributes:
        server: its name, which is the name of the note's file.
        policy: its policy file.
        read_at: start of its last read, in nanoseconds since the epoch.
        taken: whether that policy is in force.
        said: the result of the read.
    """

    pid: int
    policy: str
    read_at: int
    taken: bool
    said: Text
    server: str = ""


@dataclass(frozen=True, slots=True)
class ReloadReplies:
    """The servers that reloaded, and those that did not answer in time."""

    replied: tuple[RunningServer, ...]
    silent: tuple[RunningServer, ...]


class Reloadable(Protocol):
    """What can be reloaded: a policy, or the policy of several workers.

    Attributes:
        file: the policy file.
        read_at: start of the last read, in nanoseconds since the epoch.
        last_result: result of the last reload.
    """

    @property
    def file(self) -> Path: ...

    @property
    def read_at(self) -> int: ...

    @property
    def last_result(self) -> ReloadResult: ...

    def reload(self) -> ReloadResult:
        """Read the file again. Never raises."""
        ...


class ReloadListener:
    """Answers reload requests: at each `poll`, and in a thread of its own while it is entered."""

    def __init__(
        self,
        folder: Path,
        policy: Reloadable,
        say: Callable[[ReloadResult], None] = policy_file.log_reload,
        interval: float = POLL_INTERVAL,
    ) -> None:
        self._folder = folder
        self._policy = policy
        self._say = say
        self._interval = interval
        self._server = secrets.token_hex(8)
        self._noted = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="policy reload", daemon=True)

    def __enter__(self) -> Self:
        self.poll()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Remove the note of this server."""
        _file(self._folder, self._server).unlink(missing_ok=True)

    def poll(self) -> None:
        """Reload the policy if that was requested since the last read, and update the note."""
        policy = self._policy
        if _asked(self._folder, policy.file) > policy.read_at:
            self._say(policy.reload())
        if self._noted != policy.read_at:
            with suppress(OSError):  # a full disk must not end the server; the next look tries again
                noted = RunningServer(
                    os.getpid(),
                    str(policy.file),
                    policy.read_at,
                    policy.last_result.accepted,
                    policy.last_result.message,
                )
                write_state_file(_file(self._folder, self._server), json.dumps(asdict(noted)))
                self._noted = noted.read_at

    def _listen(self) -> None:
        while not self._over.wait(self._interval):
            self.poll()


def running_servers(folder: Path, file: Path | None = None) -> list[RunningServer]:
    """Return the notes in a state folder: all, or those with this policy file."""
    notes = (_read(path) for path in sorted((folder / FOLDER).glob("*.json")))
    return [note for note in notes if note is not None and (file is None or _same(Path(note.policy), file))]


def running_policy_files(folder: Path) -> list[Path]:
    """Return the policy files of the servers in a state folder."""
    return sorted({Path(note.policy) for note in running_servers(folder)})


def request_reload(folder: Path, file: Path, pause: Callable[[], object]) -> ReloadReplies:
    """Make the servers with a policy file reload it.

    Args:
        pause: waits between two checks for replies.

    Raises:
        SaasusMcpError: the state folder is not writable.
    """
    if not (folder / FOLDER).is_dir():
        return ReloadReplies((), ())
    now = time.time_ns()
    try:
        for path in {str(file), *(note.policy for note in running_servers(folder, file))}:
            write_state_file(_request(folder, Path(path)), str(now))
    except OSError as error:
        raise SaasusMcpError.of("policy.state_folder", why=file_reason(error)) from None
    for _ in range(MAX_POLLS):
        if not _silent(running_servers(folder, file), now):
            break
        pause()
    notes = running_servers(folder, file)
    silent = _silent(notes, now)
    for note in silent:  # a server that still runs writes its note again
        _file(folder, note.server).unlink(missing_ok=True)
    return ReloadReplies(tuple(note for note in notes if note not in silent), tuple(silent))


def _silent(notes: Iterable[RunningServer], since: int) -> list[RunningServer]:
    return [note for note in notes if note.read_at < since]


def _asked(folder: Path, file: Path) -> int:
    """Return the time of the last reload request for a policy file; 0 without any."""
    try:
        return int(read_state_file(_request(folder, file)))
    except (OSError, ValueError):
        return 0


def _request(folder: Path, file: Path) -> Path:
    return folder / FOLDER / f"{sha256(str(file).encode()).hexdigest()[:16]}.asked"


def _file(folder: Path, server: str) -> Path:
    return folder / FOLDER / f"{server}.json"


def _read(path: Path) -> RunningServer | None:
    """Return the note, or None if the file is missing or invalid."""
    try:
        note: dict[str, Any] = json.loads(read_state_file(path))
        return RunningServer(**{**note, "said": Text(**note["said"]), "server": path.stem})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same file."""
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False
