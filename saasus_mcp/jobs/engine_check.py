"""A check of the job engine: whether it starts and runs a job on this Python and this SQLite."""

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
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.engine import JobEngine
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.store import Store

TIMEOUT_SECONDS = 20.0
"""For a start and one empty job. About one second is usual."""
THREAD_NAME = "job engine check"


class EngineCheckFailed(SaasusMcpError):
    """The engine does not start, or does not run a job. The message is the cause alone."""


def check_engine() -> None:
    """Start the engine on an empty database in a temporary folder, and run one empty job.

    Raises:
        EngineCheckFailed: the engine does not start, or the job does not run in time.
    """
    errors: list[Exception] = []

    def run() -> None:
        try:
            anyio.run(_run_empty_job)
        except Exception as error:  # noqa: BLE001 - any error is a result of the check
            errors.append(error)

    thread = threading.Thread(target=run, name=THREAD_NAME, daemon=True)
    with _silence_engine_log():
        thread.start()
        # The database library cannot be interrupted, so a timeout in the event loop would not hold.
        thread.join(TIMEOUT_SECONDS)
    if thread.is_alive():
        raise EngineCheckFailed(message("jobs.engine_check_timeout", seconds=f"{TIMEOUT_SECONDS:.0f}"))
    if errors:
        cause = errors[0].__cause__ or errors[0]
        text = f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
        raise EngineCheckFailed(message("jobs.stored_error", error=text)) from errors[0]


async def _run_empty_job() -> None:
    done = anyio.Event()

    async def job(_: dict[str, Any]) -> None:
        done.set()

    with TemporaryDirectory(prefix="saasus-mcp-", ignore_cleanup_errors=True) as name:
        url = f"sqlite:///{Path(name, 'jobs.db')}"
        with closing(Store.in_memory()) as store:
            async with JobEngine(url, Encryptor.ephemeral(), lambda: [store], job, has_jobs=lambda: False) as engine:
                await engine.submit("check", {})
                with anyio.fail_after(TIMEOUT_SECONDS / 2):
                    await done.wait()


@contextmanager
def _silence_engine_log() -> Iterator[None]:
    """Keep the engine's log off the terminal. The error that is raised names the cause."""
    log = logging.getLogger("saasus_mcp.jobs.engine")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
