"""The worker processes of a server that serves one port by several."""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from pathlib import Path

import anyio

from tests.support.fork_server import WORKER
from tests.support.processes import TIMEOUT


def worker_pids(supervisor: int) -> list[int]:
    """Return the process ids of the workers that a supervisor has."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                names = (entry / "cmdline").read_bytes() + (
                    entry / "comm"
                ).read_bytes()  # a new interpreter's, a fork's
            except OSError:  # it has ended meanwhile
                continue
            if int(status[1]) == supervisor and status[0] != "Z" and WORKER.encode() in names:
                found.append(int(entry.name))
    return sorted(found)


async def wait_until_gone(pids: list[int]) -> None:
    """Wait until these processes have ended."""
    with anyio.fail_after(TIMEOUT):
        while any(_runs(pid) for pid in pids):  # noqa: ASYNC110 - the end of a process of another parent is no event
            await anyio.sleep(0.05)


def _ignores_hangup(pid: int) -> bool:
    """Return whether a worker has begun its work. Before that, SIGHUP would end it."""
    with suppress(OSError):
        ignored = re.search(r"^SigIgn:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
        return ignored is not None and bool(int(ignored[1], 16) & 1 << signal.SIGHUP - 1)
    return False


def _runs(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # nothing of one that nobody has waited for
    except OSError:
        return False


async def wait_for_workers(
    supervisor: int, count: int, without: frozenset[int] = frozenset(), timeout: float = TIMEOUT
) -> list[int]:
    """Wait until a supervisor has so many workers that have begun their work, none of them one of `without`."""
    with anyio.fail_after(timeout):
        while True:
            pids = worker_pids(supervisor)
            if len(pids) == count and not without.intersection(pids) and all(map(_ignores_hangup, pids)):
                return pids
            await anyio.sleep(0.05)
