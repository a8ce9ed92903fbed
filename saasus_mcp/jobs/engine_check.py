"""A trial of the job engine: whether it starts and runs a job on this Python and this SQLite."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.jobs.engine import JobEngine
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store import Store

TIMEOUT_SECONDS = 20.0
"""How long a start and one empty job may take; about one second is usual."""
THREAD_NAME = "job engine trial"


class EngineCheckFailed(SaasusMcpError):
    """The engine does not start, or does not run a job; the message is the cause alone."""


def check_engine() -> None:
    """Start the engine on an empty database in a temporary folder, let it run one empty job, and remove the folder.

    Raises:
        EngineFault: it does not start, or not in time.
    """
    failed: list[Exception] = []

    def tried() -> None:
        try:
            anyio.run(_tried)
        except Exception as error:  # noqa: BLE001 - any of them is what was looked for
            failed.append(error)

    thread = threading.Thread(target=tried, name=THREAD_NAME, daemon=True)
    with _quiet():
        thread.start()
        thread.join(
            TIMEOUT_SECONDS
        )  # the database library cannot be interrupted, so a limit in the event loop would not hold
    if thread.is_alive():
        raise EngineCheckFailed(f"no job ran within {TIMEOUT_SECONDS:.0f} s")
    if failed:
        cause = failed[0].__cause__ or failed[0]
        raise EngineCheckFailed(f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}") from failed[0]


async def _tried() -> None:
    over = anyio.Event()

    async def job(_: dict[str, Any]) -> None:
        over.set()

    with TemporaryDirectory(prefix="saasus-mcp-", ignore_cleanup_errors=True) as name:
        database = f"sqlite:///{Path(name, 'jobs.db')}"
        with closing(Store.in_memory()) as store:
            async with JobEngine(
                database, Encryptor.ephemeral(), lambda: [store], job, has_jobs=lambda: False
            ) as engine:
                await engine.submit("trial", {})
                with anyio.fail_after(TIMEOUT_SECONDS / 2):
                    await over.wait()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the engine's log off the terminal: the fault that is raised tells the cause."""
    log = logging.getLogger("saasus_mcp.jobs.engine")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
