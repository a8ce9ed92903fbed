"""Durable execution of jobs by DBOS: a job continues after a crash, in this process or in another one.

DBOS has its own database: a file beside the store, or a schema of the shared PostgreSQL database. Its records are encrypted.
It opens no port and connects to no service: neither a conductor nor an exporter is configured.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, cast

import anyio
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.errors import StoreError

if TYPE_CHECKING:
    from dbos import DBOS, DBOSConfig
    from sqlalchemy import Engine as Database

    from saasus_mcp.store.store import Store

log = logging.getLogger(__name__)

APPLICATION_NAME = "saasus-mcp"
CHECKPOINT_VERSION = "3"
"""The version of plans and checkpoints. A process continues only jobs of its own version."""
FAILED_STATUSES = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""DBOS's statuses of a job that could not record its own end, for example because the store was unavailable."""
RunJob = Callable[[dict[str, Any]], Awaitable[None]]


class EngineError(SaasusMcpError):
    """Jobs cannot run here."""


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """How processes that run jobs notice each other, in seconds.

    Attributes:
        startup_delay: before the first search for jobs of other processes. It belongs to the client that has just connected.
        interval: between two heartbeats.
        timeout: without a heartbeat, after which other processes continue the jobs of a process.
    """

    startup_delay: float = 3.0
    interval: float = 2.0
    timeout: float = 10.0


STOP_SECONDS = 5.0
"""For which the end of the process waits for the answers of calls that were sent, and for their records."""


class JobInterrupted(BaseException):
    """The process ends while a job runs. Not an Exception, which DBOS would record as the end of the job."""


class JobEngine:
    """Runs the jobs of one process while it is entered. DBOS starts with the first job, or if another process left one.

    Args:
        url: of the engine's database: a SQLite file as SQLAlchemy writes it, or PostgreSQL as libpq does.
        encryptor: encrypts the engine's records.
        stores: the stores of the jobs. The first one also has the heartbeats.
        run: runs a job with the submitted data; after a crash, it is called again with the same data.
        schema: the schema of PostgreSQL for the engine's tables.
        has_jobs: returns whether the database may have earlier jobs.

    Attributes:
        is_stopping: no job begins another step here.
    """

    def __init__(
        self,
        url: str,
        encryptor: Encryptor,
        stores: Callable[[], Sequence[Store]],
        run: RunJob,
        *,
        schema: str = "",
        has_jobs: Callable[[], bool] = lambda: True,
        heartbeat: HeartbeatConfig | None = None,
    ) -> None:
        self._url = url
        self._schema = schema
        self._pool: Database | None = None
        self._dbos: type[DBOS]
        self._encryptor = encryptor
        self._stores = stores
        self._run = run
        self._has_jobs = has_jobs
        self._heartbeat = heartbeat or HeartbeatConfig()
        self._worker = secrets.token_hex(8)
        self._last_heartbeat = self._no_recovery_before = 0.0
        self._lock = anyio.Lock()
        self._workflow: RunJob | None = None
        self._running: dict[asyncio.Task[Any], anyio.CancelScope] = {}
        self.is_stopping = False
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._start_for_earlier_jobs)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop. Running jobs stay as they are, and the next process continues them."""
        if self._group is not None:
            self._group.cancel_scope.cancel()
            try:
                await self._group.__aexit__(None, None, None)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._stop()

    def interrupt(self) -> None:
        """Let no job begin another step here: what was sent is recorded, and the next process continues the jobs."""
        self.is_stopping = True
        for scope in self._running.values():
            scope.cancel()

    async def _stop(self) -> None:
        self.interrupt()
        # A task that is cancelled by itself leaves its thread that writes, and its call that is sent.
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_SECONDS)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._workflow is not None:
            await run_sync(self._destroy)
            with suppress(StoreError):
                await run_sync(lambda: self._stores()[0].jobs.retire_worker(self._worker))

    def _destroy(self) -> None:
        self._dbos.destroy(destroy_registry=True)
        if self._pool is not None:
            self._pool.dispose()

    async def start(self) -> None:
        """Start DBOS if it is not running, and then continue the jobs of dead processes.

        Raises:
            EngineError: DBOS cannot be started.
            StoreError: a database fails.
        """
        async with self._lock:
            if self._workflow is not None or self._group is None:
                return
            try:
                self._dbos = (await run_sync(import_module, "dbos")).DBOS  # slow to import, and only where a job runs
                await run_sync(self._write_heartbeat)
                self._workflow = await self._launch()
            except StoreError:
                raise
            except Exception as error:
                log.exception("the job engine cannot be started")
                raise EngineError.of("jobs.engine_not_started") from error
            self._group.start_soon(self._keep_alive)

    async def _launch(self) -> RunJob:
        """Launch DBOS and return the workflow that runs every job."""
        from saasus_mcp.jobs import engine_storage  # noqa: PLC0415 - imports the database library

        logger = logging.getLogger("dbos")
        if not logger.handlers:  # otherwise DBOS adds a handler that writes to the terminal
            logger.addHandler(logging.NullHandler())
        database, self._pool = engine_storage.engine_configuration(self._url, self._schema)
        config: DBOSConfig = {
            "name": APPLICATION_NAME,
            "application_version": CHECKPOINT_VERSION,
            "executor_id": self._worker,
            "serializer": engine_storage.create_serializer(self._encryptor),
            "enable_otlp": False,
            "log_level": "ERROR",
            **database,
        }
        self._dbos(config=config)
        loop = asyncio.get_running_loop()

        @self._dbos.workflow(name="job")
        async def job(submitted: dict[str, Any]) -> None:
            # DBOS continues a job in an event loop of its own, but pipelines belong to this one.
            run = asyncio.run_coroutine_threadsafe(self._run_tracked(submitted), loop)
            try:
                await asyncio.wrap_future(run)
            except asyncio.CancelledError:
                raise JobInterrupted from None

        try:
            with engine_storage.explain_failures(self._pool):
                await run_sync(self._dbos.launch)  # in a thread: it creates tables, and the database may not answer
        except Exception:
            await run_sync(self._destroy)  # so that the launch can be repeated
            raise
        return job

    async def _run_tracked(self, submitted: dict[str, Any]) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        with anyio.CancelScope() as scope:
            self._running[task] = scope
            try:
                if self.is_stopping:
                    scope.cancel()
                await self._run(submitted)
            finally:
                del self._running[task]
        if scope.cancelled_caught:
            raise asyncio.CancelledError

    async def submit(self, job: str, submitted: dict[str, Any]) -> None:
        """Run a job in the background. A job that is submitted twice runs once.

        Raises:
            EngineError: DBOS cannot be started.
            StoreError: its database fails.
        """
        await self.start()
        from dbos import SetWorkflowID  # noqa: PLC0415 - it was imported when the engine started

        from saasus_mcp.jobs.engine_storage import explain_failures  # noqa: PLC0415 - as above

        with explain_failures(cast("Database", self._pool)), SetWorkflowID(job):
            await self._dbos.start_workflow_async(cast("Any", self._workflow), submitted)

    async def find_submitted(self, job: str) -> dict[str, Any]:
        """Return what a job was submitted with. Raise EngineError if DBOS does not know the job, or cannot be started."""
        await self.start()
        found = await run_sync(lambda: self._dbos.list_workflows(workflow_ids=[job], load_output=False))
        if not found or found[0].input is None:
            raise EngineError.of("jobs.unknown_job")
        return cast("dict[str, Any]", found[0].input["args"][0])

    async def checkpoint(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a part of the current job and remember its result. If the job runs again, return the remembered result."""
        return await self._dbos.run_step_async({"name": name}, cast("Any", make))

    async def _start_for_earlier_jobs(self) -> None:
        """Start once a job is running that an earlier process left, or that another process runs and may leave."""
        await anyio.sleep(self._heartbeat.startup_delay)
        while self._workflow is None:
            try:
                if self._has_jobs() and await run_sync(lambda: any(each.jobs.any_running() for each in self._stores())):
                    await self.start()
            except SaasusMcpError as error:
                log.warning("jobs of other processes are not looked for: %s", error.message)
            except Exception:
                log.exception("jobs of other processes could not be looked for")
            await anyio.sleep(self._heartbeat.timeout)

    async def _keep_alive(self) -> None:
        """Write heartbeats, and continue the jobs of processes that no longer write theirs."""
        while True:
            try:
                await run_sync(self._beat)
            except StoreError as error:
                log.warning("jobs of other processes are not looked for: %s", error.message)
            except Exception:
                log.exception("jobs of other processes could not be continued")
            await anyio.sleep(self._heartbeat.interval)

    def _beat(self) -> None:
        self._write_heartbeat()
        jobs = self._stores()[0].jobs
        stale = jobs.stale_workers(self._heartbeat.timeout) if self._last_heartbeat >= self._no_recovery_before else []
        if stale:
            # DBOS's recovery lets one process win where several find the same job, and counts the attempts, so that a job that
            # kills its processes ends. Its public `resume_workflows` does neither.
            self._dbos._recover_pending_workflows(stale)  # noqa: SLF001
            jobs.remove_workers(stale)
        ended = self._dbos.list_workflows(status=["SUCCESS", *FAILED_STATUSES], load_input=False, load_output=False)
        for failed in (each.workflow_id for each in ended if each.status in FAILED_STATUSES):
            for store in self._stores():
                if store.jobs.get(failed) is not None:
                    report = {"why": str(message("jobs.server_failed"))}
                    store.finish_job(failed, "failed", report, record={"status": "failed"}, at=time.time())
        self._dbos.delete_workflows([each.workflow_id for each in ended])

    def _write_heartbeat(self) -> None:
        """Write a heartbeat. If the store was unavailable, other processes first get time to write theirs."""
        self._stores()[0].jobs.heartbeat(self._worker)
        now, before = time.monotonic(), self._last_heartbeat
        if before and now - before > self._heartbeat.timeout / 2:
            self._no_recovery_before = now + self._heartbeat.timeout
        self._last_heartbeat = now
