"""The process that started this one, and whether it is still there.

The end of standard input tells that a client is gone, but not where another process that it started still holds the pipe.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 1.0
"""Seconds between two looks."""
LAUNCHERS = frozenset({"uv", "uvx"})
"""Programs that wait for the server they started and outlive their own parent: that one is looked at, too."""
PROC = Path("/proc")


class ParentProcess:
    """The parent of this process when this object was made."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            self._handle = _handle(os.getppid())
        self._line = _line()

    def has_exited(self) -> bool:
        """Whether it has ended. False where the system cannot tell."""
        if sys.platform == "win32":
            return self._handle is not None and _has_ended(self._handle)
        return _line() != self._line

    async def wait_for_exit(self) -> None:
        """Return when it has ended."""
        import anyio  # noqa: PLC0415 - only where a loop runs

        while not self.has_exited():  # noqa: ASYNC110 - the system tells nobody
            await anyio.sleep(POLL_SECONDS)


def _line() -> tuple[int, ...]:
    """The parent's id, and its own parent's where it is a launcher. An orphan gets another parent (POSIX)."""
    parent = os.getppid()
    if sys.platform != "linux":
        return (parent,)
    with suppress(OSError, ValueError, IndexError):
        name, _, rest = (PROC / str(parent) / "stat").read_text("utf-8", "replace").partition("(")[2].rpartition(")")
        if name in LAUNCHERS:
            return parent, int(rest.split()[1])  # proc(5): state, then the parent's id
    return (parent,)


if sys.platform == "win32":
    import ctypes

    SYNCHRONIZE, WAIT_OBJECT_0 = 0x00100000, 0
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.OpenProcess.restype = ctypes.c_void_p
    _kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)

    def _handle(process: int) -> int | None:
        """A handle that keeps the id of a process from being used for another; None where it cannot be had."""
        handle: int | None = _kernel.OpenProcess(SYNCHRONIZE, False, process)
        return handle or None

    def _has_ended(handle: int) -> bool:
        return bool(_kernel.WaitForSingleObject(handle, 0) == WAIT_OBJECT_0)
