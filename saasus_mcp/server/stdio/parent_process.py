"""The process that started this one, and whether it still runs.

The end of standard input tells that a client has gone, unless another process that the client started holds the pipe open.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 1.0
"""Seconds between two checks."""
LAUNCHERS = frozenset({"uv", "uvx"})
"""Programs that wait for the server that they started, and outlive their own parent. Their parent is checked, too."""
PROC = Path("/proc")


class ParentProcess:
    """The parent of this process at the time when the object was made."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            self._handle = _handle(os.getppid())
        self._ancestors = _ancestors()

    def has_exited(self) -> bool:
        """Return whether the parent has exited. False if the system cannot tell."""
        if sys.platform == "win32":
            return self._handle is not None and _has_ended(self._handle)
        return _ancestors() != self._ancestors

    async def wait_for_exit(self) -> None:
        """Return when the parent has exited."""
        import anyio  # noqa: PLC0415 - only where a loop runs

        while not self.has_exited():  # noqa: ASYNC110 - the system sends no event
            await anyio.sleep(POLL_SECONDS)


def _ancestors() -> tuple[int, ...]:
    """Return the id of the parent, and of its own parent if it is a launcher. An orphan gets another parent (POSIX)."""
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
        """Return a handle that reserves the id of a process, or None."""
        handle: int | None = _kernel.OpenProcess(SYNCHRONIZE, False, process)
        return handle or None

    def _has_ended(handle: int) -> bool:
        return bool(_kernel.WaitForSingleObject(handle, 0) == WAIT_OBJECT_0)
