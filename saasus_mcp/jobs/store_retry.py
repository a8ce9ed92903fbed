"""Waiting for a store that does not answer. An unavailable store delays a job and does not end it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.job_steps import with_jobs
from saasus_mcp.server.scheduling.store_executor import T
from saasus_mcp.store.errors import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import JobStore

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


async def query_jobs(pipeline: Pipeline, query: Callable[[JobStore], T]) -> T:
    """Run a query on the store of jobs, again and again until the store answers."""
    return await retry(lambda: with_jobs(pipeline, query))


async def retry(attempt: Callable[[], Awaitable[T]]) -> T:
    """Run an idempotent function until it raises no StoreError, and return its result."""
    while True:
        try:
            return await attempt()
        except StoreError as error:
            await wait_for_store(str(error.message))


async def wait_for_store(reason: str) -> None:
    """Log the reason and wait before the next attempt."""
    log.warning("a job waits for the store: %s", reason)
    await anyio.sleep(RETRY_SECONDS)
