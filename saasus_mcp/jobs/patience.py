"""A store that does not answer holds a job up; it does not end it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from saasus_mcp.server.aside import Given
from saasus_mcp.server.job_steps import of_jobs
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import Jobs

log = logging.getLogger(__name__)

PAUSE = 2.0
"""Seconds between two tries."""


async def noted(pipeline: Pipeline, look: Callable[[Jobs], Given]) -> Given:
    """What the store knows of jobs, or notes of them, as soon as it does."""
    return await patiently(lambda: of_jobs(pipeline, look))


async def patiently(ask: Callable[[], Awaitable[Given]]) -> Given:
    """The same of anything that can be asked twice."""
    while True:
        try:
            return await ask()
        except StoreError as error:
            await paused(error.message)


async def paused(why: str) -> None:
    """Wait before the next try, and say why."""
    log.warning("a job waits for the store: %s", why)
    await anyio.sleep(PAUSE)
