"""The gate before each row of a running job, closed while the job is paused."""

from __future__ import annotations

import time
from functools import partial

import anyio

from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.common.timezones import format_instant
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import PAUSED_KEY
from saasus_mcp.jobs.store_retry import query_jobs, retry
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.job_records import GRANT_SECONDS, Job, JobPause

POLL_SECONDS = 1.0
"""Between two queries whether the job was resumed."""
TRUST_SECONDS = 0.5
"""For which an open gate is not asked for again. The end of a row looks, too, and the commit of each call refuses a frozen write."""


class PauseGate:
    """Lets the rows of one job begin, unless the job is paused. A job that is paused until its consent is over ends."""

    def __init__(self, pipeline: Pipeline, job: str) -> None:
        self._pipeline = pipeline
        self._job = job
        self._in_progress = 0
        self._open_until = 0.0
        self._lock = anyio.Lock()  # of the rows that wait, only one asks the store

    def recheck(self) -> None:
        """Ask the store before the next row begins, because the job must pause or stop."""
        self._open_until = 0.0

    async def begin_row(self) -> bool:
        """Wait while the job is paused, and count a row as in progress. Return False if the job must stop."""
        async with self._lock:
            if await self._wait():
                self._in_progress += 1
                return True
        return False

    def end_row(self) -> None:
        self._in_progress -= 1

    async def hold_row(self) -> bool:
        """Wait while the job is paused, within a row of which no call is in progress. Return False if the job must stop."""
        self.recheck()  # the row may have waited for long
        self._in_progress -= 1
        try:
            return await self.wait()
        finally:
            self._in_progress += 1

    async def wait(self) -> bool:
        """Wait while the job is paused. Return False if the job must stop."""
        async with self._lock:
            return await self._wait()

    async def hold_row_for_freeze(self) -> bool:
        """Pause the job because writes are frozen, and wait within a row. Return False if the job must stop."""
        pipeline = self._pipeline
        pause = partial(job_control.pause_for_freeze, pipeline.store, self._job, now=pipeline.clock())
        await retry(lambda: pipeline.store_executor(pause))
        return await self.hold_row()

    async def _wait(self) -> bool:
        reported: JobPause | None = None
        if time.monotonic() < self._open_until:
            return True
        while True:
            job = await query_jobs(self._pipeline, lambda jobs: jobs.get(self._job))
            if job is None or job.status != "running" or job.cancelling:
                return False
            if job.pause is None:
                if PAUSED_KEY in job.report:
                    await query_jobs(self._pipeline, lambda jobs: jobs.save_report(self._job, {}))
                self._open_until = time.monotonic() + TRUST_SECONDS
                return True
            if paused_too_long(job, self._pipeline.clock()):
                await query_jobs(self._pipeline, lambda jobs: jobs.request_cancellation(self._job))
                return False
            if not self._in_progress and job.pause != reported:
                reported = job.pause
                await self._report(job, reported)
            await anyio.sleep(POLL_SECONDS)

    async def _report(self, job: Job, pause: JobPause) -> None:
        since = format_instant(pause.at, self._pipeline.reader.zone)
        text = describe_pause(job, pause, since).text(self._pipeline.language)
        report = {PAUSED_KEY: {"by": pause.by, "side": pause.side, "since": since}, "waiting": text}
        await query_jobs(self._pipeline, lambda jobs: jobs.save_report(self._job, report))


def paused_too_long(job: Job, now: float) -> bool:
    """Return whether a job is paused although its consent is over."""
    return job.pause is not None and now > job.at + GRANT_SECONDS


def describe_pause(job: Job, pause: JobPause, since: str) -> Message:
    """Return where a job is paused, by whom and since when."""
    by = Quoted(pause.by, bare=True)
    if job.total is None:
        return message("jobs.paused.at", done=job.done, by=by, since=since)
    return message("jobs.paused.of", done=job.done, total=job.total, by=by, since=since)
