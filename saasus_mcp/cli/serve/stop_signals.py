"""How a server on stdio is stopped other than by the end of its input: by a signal, or because its parent ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from saasus_mcp.server.stdio.parent_process import ParentProcess

SIGNAL_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNAL_EXIT_BASE = 128
"""Added to a signal's number it is the exit status of what the signal stopped, as shells have it."""


@dataclass(slots=True)
class StopStatus:
    """How a server was stopped.

    Attributes:
        status: the exit status of the process.
    """

    exit_status: int = 0


def exit_on_signal() -> None:
    """Let the first signal to stop end the process at once, as long as nothing is under way.

    KeyboardInterrupt can be swallowed by an import, and a signal's default action does not reach the first process of a
    container. Signals that are ignored, or that something else listens for, are left alone. Windows has no such signals.
    """
    if sys.platform == "win32":
        return
    for number in _numbers():
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end_now)


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in SIGNAL_NAMES]


def _end_now(number: int, _: object) -> None:
    os._exit(SIGNAL_EXIT_BASE + number)


@asynccontextmanager
async def stop_on_signal(end: Callable[[], None], parent: ParentProcess) -> AsyncIterator[StopStatus]:
    """Call `end` at the first signal that `at_once` would heed, and when the parent has ended. A second signal ends at once.

    SIGHUP is not among them where a policy file is read again at it.
    """
    import anyio  # noqa: PLC0415 - after the client has its first answers

    stopped = StopStatus()

    async def at_end_of_parent() -> None:
        await parent.wait_for_exit()
        end()

    async def at_signal() -> None:
        heeded = [signal.Signals(each) for each in _numbers() if signal.getsignal(each) is _end_now]
        with anyio.open_signal_receiver(*heeded) as heard:
            async for number in heard:
                stopped.exit_status = SIGNAL_EXIT_BASE + number
                break
        exit_on_signal()
        end()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at_end_of_parent)
        if sys.platform != "win32":  # there an event loop listens for no signal, and an interrupt cancels what runs
            tasks.start_soon(at_signal)
        yield stopped
        tasks.cancel_scope.cancel()
