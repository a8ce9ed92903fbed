"""A store that does not answer holds a job up; it does not end it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_steps import with_jobs
from saasus_mcp.server.scheduling.store_executor import T
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import JobStore

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""Seconds between two tries."""


async def query_jobs(pipeline: Pipeline, look: Callable[[JobStore], T]) -> T:
    """What the store knows of jobs, or notes of them, as soon as it does."""
    return await retry(lambda: with_jobs(pipeline, look))


async def retry(ask: Callable[[], Awaitable[T]]) -> T:
    """The same of anything that can be asked twice."""
    while True:
        try:
            return await ask()
        except StoreError as error:
            await wait_for_store(error.message)


async def wait_for_store(why: str) -> None:
    """Wait before the next try, and say why."""
    log.warning("a job waits for the store: %s", why)
    await anyio.sleep(RETRY_SECONDS)
