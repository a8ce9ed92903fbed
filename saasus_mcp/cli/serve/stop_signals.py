"""Stop a server on stdio by a signal, or because its parent process ended."""

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
"""Plus the number of a signal: the exit status of a process that the signal stopped, as in shells."""


@dataclass(slots=True)
class StopStatus:
    exit_status: int = 0


def exit_on_signal() -> None:
    """Let the first signal end the process at once, as long as nothing is in progress.

    An import can swallow KeyboardInterrupt, and the default action of a signal does not reach the first process of a
    container. Signals that are ignored or have another handler stay as they are. Windows has no such signals.
    """
    if sys.platform == "win32":
        return
    for number in _signal_numbers():
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _exit_now)


def _signal_numbers() -> list[int]:
    return [getattr(signal, name) for name in SIGNAL_NAMES]


def _exit_now(number: int, _: object) -> None:
    os._exit(SIGNAL_EXIT_BASE + number)


@asynccontextmanager
async def stop_on_signal(stop: Callable[[], None], parent: ParentProcess) -> AsyncIterator[StopStatus]:
    """Call `stop` at the first signal that `exit_on_signal` handles, or when the parent ends. A second signal exits at once.

    SIGHUP is not handled if it reloads the policy file.
    """
    import anyio  # noqa: PLC0415 - after the early responses to the client

    stopped = StopStatus()

    async def wait_for_parent() -> None:
        await parent.wait_for_exit()
        stop()

    async def wait_for_signal() -> None:
        numbers = [signal.Signals(each) for each in _signal_numbers() if signal.getsignal(each) is _exit_now]
        with anyio.open_signal_receiver(*numbers) as received:
            async for number in received:
                stopped.exit_status = SIGNAL_EXIT_BASE + number
                break
        exit_on_signal()
        stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_for_parent)
        if sys.platform != "win32":  # there the event loop receives no signals, and an interrupt cancels it
            tasks.start_soon(wait_for_signal)
        yield stopped
        tasks.cancel_scope.cancel()
