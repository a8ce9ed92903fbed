"""Having running servers read their policy file again: by files in the state folder, alike on every system, without a port.

A server notes there under which file it runs and when it last read it, and looks every second whether it is asked to read
it again. What it then reads is its own file; a request says nothing but when it was made.
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
from types import TracebackType
from typing import Self

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.file import ReloadablePolicy, ReloadResult
from saasus_mcp.store.state_files import read_state_file, write_state_file

FOLDER = "servers"
POLL_INTERVAL = 1.0
"""Seconds from one look of a server to the next."""
MAX_POLLS = 60
"""How often who asks looks for answers before giving up: with pauses of 0.05 s for three seconds."""
REPLY_POLL_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What a running server says of itself.

    Attributes:
        server: its name, which is that of the file that the note is in.
        policy: its policy file.
        read_at: when it last began to read that: nanoseconds since the epoch.
        taken: whether what it read is in force.
        said: how it ended, in words.
    """

    pid: int
    policy: str
    read_at: int
    taken: bool
    said: str
    server: str = ""


@dataclass(frozen=True, slots=True)
class ReloadReplies:
    """The servers that read their file again, and those that did not answer in time."""

    replied: tuple[RunningServer, ...]
    silent: tuple[RunningServer, ...]


class ReloadListener:
    """Answers requests to read a policy file again, from a thread of its own, while it is entered."""

    def __init__(
        self,
        folder: Path,
        policy: ReloadablePolicy,
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        _file(self._folder, self._server).unlink(missing_ok=True)

    def poll(self) -> None:
        """Read the policy again where that was asked since it was read, and note it."""
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
    """What the servers in a state folder noted: all of them, or those that run under a policy file."""
    notes = (_read(path) for path in sorted((folder / FOLDER).glob("*.json")))
    return [note for note in notes if note is not None and (file is None or _same(Path(note.policy), file))]


def running_policy_files(folder: Path) -> list[Path]:
    """The policy files that the servers in a state folder run under."""
    return sorted({Path(note.policy) for note in running_servers(folder)})


def request_reload(folder: Path, file: Path, pause: Callable[[], object]) -> ReloadReplies:
    """Have the servers that run under a policy file read it again.

    Args:
        pause: waits from one look for answers to the next.

    Raises:
        SaasusMcpError: the state folder cannot be written.
    """
    if not (folder / FOLDER).is_dir():
        return ReloadReplies((), ())
    now = time.time_ns()
    try:
        for path in {str(file), *(note.policy for note in running_servers(folder, file))}:
            write_state_file(_request(folder, Path(path)), str(now))
    except OSError as error:
        raise SaasusMcpError(f"The state folder cannot be used: {error}.", "Set SAASUS_MCP_STATE_DIR.") from None
    for _ in range(MAX_POLLS):
        if not _silent(running_servers(folder, file), now):
            break
        pause()
    notes = running_servers(folder, file)
    silent = _silent(notes, now)
    for note in silent:  # of one that has ended nothing is left then; one that has not notes itself again
        _file(folder, note.server).unlink(missing_ok=True)
    return ReloadReplies(tuple(note for note in notes if note not in silent), tuple(silent))


def _silent(notes: Iterable[RunningServer], since: int) -> list[RunningServer]:
    return [note for note in notes if note.read_at < since]


def _asked(folder: Path, file: Path) -> int:
    """When servers under a policy file were last asked to read it again; 0 where they never were."""
    try:
        return int(read_state_file(_request(folder, file)))
    except (OSError, ValueError):
        return 0


def _request(folder: Path, file: Path) -> Path:
    return folder / FOLDER / f"{sha256(str(file).encode()).hexdigest()[:16]}.asked"


def _file(folder: Path, server: str) -> Path:
    return folder / FOLDER / f"{server}.json"


def _read(path: Path) -> RunningServer | None:
    """A note; None where it is none, or is gone meanwhile."""
    try:
        return RunningServer(**{**json.loads(read_state_file(path)), "server": path.stem})
    except (OSError, ValueError, TypeError):
        return None


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file."""
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False
