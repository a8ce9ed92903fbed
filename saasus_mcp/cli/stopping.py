"""How a server on stdio is stopped other than by the end of its input: by a signal, or because its parent ended."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from saasus_mcp.server.parent import Parent

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
KILLED = 128
"""Added to a signal's number it is the exit status of what the signal stopped, as shells have it."""


@dataclass(slots=True)
class Stopped:
    """How a server was stopped.

    Attributes:
        status: the exit status of the process.
    """

    status: int = 0


def at_once() -> None:
    """Let the first Ctrl+C end the process at once, as it does with programs that are not in Python: nothing is under way.

    Python would raise KeyboardInterrupt, which an import can swallow. On Windows the event loop needs it.
    """
    if sys.platform != "win32" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@asynccontextmanager
async def heeding(end: Callable[[], None], parent: Parent) -> AsyncIterator[Stopped]:
    """Call `end` at the first signal to stop, and when the parent has ended. A second signal kills.

    Signals that are ignored, or that something else listens for (SIGHUP with a policy file), are left alone.
    """
    import anyio  # noqa: PLC0415 - after the client has its first answers

    stopped = Stopped()

    async def at_end_of_parent() -> None:
        await parent.wait()
        end()

    async def at_signal() -> None:
        found = [getattr(signal, name) for name in NAMES]
        with anyio.open_signal_receiver(*(each for each in found if signal.getsignal(each) is signal.SIG_DFL)) as heard:
            async for number in heard:
                stopped.status = KILLED + number
                break
        at_once()
        end()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at_end_of_parent)
        if sys.platform != "win32":  # there an event loop listens for no signal; an interrupt cancels what runs
            tasks.start_soon(at_signal)
        yield stopped
        tasks.cancel_scope.cancel()
