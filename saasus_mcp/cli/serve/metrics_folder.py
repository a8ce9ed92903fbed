"""The folder in which the workers of a server count together."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.system_reasons import os_reason

PREFIX = "saasus-mcp-metrics-"
LOCK = "owner.lock"
"""Locked while the owner of the folder runs. The system drops the lock of a process that is killed."""
NEW_SECONDS = 60.0
"""A folder may be so new that its owner has not locked it yet."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make the folder, and remove it at the end, and those of servers that were killed.

    Raises:
        SaasusMcpError: it cannot be made.
    """
    import fcntl  # noqa: PLC0415 - not on Windows, where one process serves

    try:
        with suppress(OSError):  # the folders of others are no reason not to start
            _remove_abandoned()
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        lock = (Path(folder.name) / LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise SaasusMcpError.of(
            "cli_serve.no_metrics_folder", folder=tempfile.gettempdir(), reason=os_reason(error)
        ) from None
    with folder, lock:
        yield Path(folder.name)


def forget_gauges(folder: Path, pid: int) -> None:
    """Forget what a worker that has ended had in progress. Its counters stay, because counters never fall."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        with suppress(OSError):
            file.unlink()


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_abandoned(folder):
                shutil.rmtree(folder)


def _is_abandoned(folder: Path) -> bool:
    """Return whether a folder is of this user, and its owner has ended."""
    import fcntl  # noqa: PLC0415 - as above

    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or time.time() - status.st_mtime < NEW_SECONDS:
        return False
    with (folder / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
