"""Durable execution by DBOS: what was begun goes on after a crash, here or in another process. Only this and sealing import it.

DBOS keeps its own database: a file beside the store, or a schema where PostgreSQL is shared. What it keeps of a job is
sealed under the state folder's key. It opens no port and calls nobody: no conductor and no exporter is configured.
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
from saasus_mcp.jobs.sealing import EngineError, create_serializer
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store import StoreError

if TYPE_CHECKING:
    from dbos import DBOSConfig
    from sqlalchemy import Engine as Database

    from saasus_mcp.store import Store

log = logging.getLogger(__name__)

APPLICATION_NAME = "saasus-mcp"
CHECKPOINT_VERSION = "1"
"""Of what is kept of a job under way. A process takes up only jobs of its own; raise it where a job could not go on."""

FAILED_STATUSES = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""How the engine calls the end of a job that could not even say how it ended: no store to write to, say."""
FAILED = "The server failed while it ran the job; its log says why."
RunJob = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """How fast processes notice each other, in seconds.

    Attributes:
        settle: what belongs to the client that has just connected, before jobs from before are looked for.
        beat: between two signs of life.
        dead: after how long without one the others take a process's jobs up.
    """

    startup_delay: float = 3.0
    interval: float = 2.0
    timeout: float = 10.0


class JobInterrupted(BaseException):
    """The process ends while a job runs. No Exception: the engine would take that for the job's own end."""


class JobEngine:
    """Runs the jobs of one process, while it is entered. It starts with the first job, or where others left one.

    Args:
        url: of its database: a file of SQLite as SQLAlchemy writes it, or PostgreSQL as libpq does.
        schema: where in PostgreSQL its tables are.
        sealer: seals what it keeps.
        stores: of the jobs; in the first one, processes that run jobs say that they live.
        run: does a job, given what was submitted; called again with the same after a crash.
        used: whether there can be a job from before.
    """

    def __init__(
        self,
        url: str,
        sealer: Encryptor,
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
        self._sealer = sealer
        self._stores = stores
        self._run = run
        self._used = has_jobs
        self._pace = heartbeat or HeartbeatConfig()
        self._worker = secrets.token_hex(8)
        self._beaten = self._patient_until = 0.0
        self._lock = anyio.Lock()
        self._workflow: RunJob | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._look_back)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop: what runs is left as it is, for the next process to go on with."""
        if self._group is not None:
            self._group.cancel_scope.cancel()
            try:
                await self._group.__aexit__(None, None, None)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._leave()

    async def _leave(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._workflow is not None:
            await run_sync(self._destroy)
            with suppress(StoreError):
                await run_sync(lambda: self._stores()[0].jobs.retire_worker(self._worker))

    def _destroy(self) -> None:
        from dbos import DBOS  # noqa: PLC0415 - it was imported when the engine started

        DBOS.destroy(destroy_registry=True)
        if self._pool is not None:
            self._pool.dispose()

    async def start(self) -> None:
        """Start where that was not yet done; then jobs that dead processes left are taken up.

        Raises:
            EngineError: the engine cannot be started.
        """
        async with self._lock:
            if self._workflow is not None or self._group is None:
                return
            try:
                await run_sync(import_module, "dbos")
                await run_sync(self._say_alive)
                self._workflow = await self._launched()
            except Exception as error:
                log.exception("the engine of jobs cannot be started")
                raise EngineError("Jobs cannot run here: their engine does not start.", "The server's log says why.") \
                    from error  # fmt: skip
            self._group.start_soon(self._live)

    async def _launched(self) -> RunJob:
        """The workflow that every job is. It runs in the event loop of the pipelines."""
        from dbos import DBOS  # noqa: PLC0415 - slow to import, and only where a job runs

        from saasus_mcp.jobs.engine_storage import engine_configuration  # noqa: PLC0415 - imports the database library

        quiet = logging.getLogger("dbos")
        if not quiet.handlers:  # else it would write to the terminal on its own
            quiet.addHandler(logging.NullHandler())
        where, self._pool = engine_configuration(self._url, self._schema)
        config: DBOSConfig = {
            "name": APPLICATION_NAME,
            "application_version": CHECKPOINT_VERSION,
            "executor_id": self._worker,
            "serializer": create_serializer(self._sealer),
            "enable_otlp": False,
            "log_level": "ERROR",
            **where,
        }
        launching = DBOS(config=config)
        launching._background_event_loop.set_main_loop()  # noqa: SLF001 - else it would be the thread's that launches it

        @DBOS.workflow(name="job")
        async def job(submitted: dict[str, Any]) -> None:
            task = asyncio.current_task()
            if task is None:
                raise AssertionError("a workflow is a task")
            self._running.add(task)
            try:
                await self._run(submitted)
            except asyncio.CancelledError:
                raise JobInterrupted from None
            finally:
                self._running.discard(task)

        try:
            await run_sync(DBOS.launch)  # in a thread: it makes the tables, and the database may not answer
        except Exception:
            await run_sync(self._destroy)  # a launch that failed can be tried again
            raise
        return job

    async def submit(self, job: str, submitted: dict[str, Any]) -> None:
        """Run a job, in the background; submitted twice, it runs once."""
        await self.start()
        from dbos import DBOS, SetWorkflowID  # noqa: PLC0415 - it was imported when the engine started

        with SetWorkflowID(job):
            await DBOS.start_workflow_async(cast("Any", self._workflow), submitted)

    async def checkpoint(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a part of the present job and remember what it gives; where the job runs anew, give that again."""
        from dbos import DBOS  # noqa: PLC0415 - as above

        return await DBOS.run_step_async({"name": name}, cast("Any", make))

    async def _look_back(self) -> None:
        """Start where a job is under way: left from before, or run by another process, which can die.

        Not before whoever came with this process has been served.
        """
        await anyio.sleep(self._pace.startup_delay)
        while self._workflow is None:
            try:
                if self._used() and await run_sync(lambda: any(store.jobs.any_running() for store in self._stores())):
                    await self.start()
            except SaasusMcpError as error:
                log.warning("jobs of other processes are not looked for: %s", error.message)
            except Exception:
                log.exception("jobs of other processes could not be looked for")
            await anyio.sleep(self._pace.timeout)

    async def _live(self) -> None:
        """Say that this process lives, and take up what those left that no more do."""
        while True:
            try:
                await run_sync(self._beat)
            except StoreError as error:
                log.warning("jobs of other processes are not looked for: %s", error.message)
            except Exception:
                log.exception("jobs that others left could not be taken up")
            await anyio.sleep(self._pace.interval)

    def _beat(self) -> None:
        from dbos import DBOS  # noqa: PLC0415 - as above

        self._say_alive()
        jobs = self._stores()[0].jobs
        dead = jobs.stale_workers(self._pace.timeout) if self._beaten >= self._patient_until else []
        if dead:  # of several that find them, the engine lets one take up each job
            DBOS._recover_pending_workflows(dead)  # noqa: SLF001 - DBOS's own recovery, which has no public name
            jobs.remove_workers(dead)
        over = DBOS.list_workflows(status=["SUCCESS", *FAILED_STATUSES], load_input=False, load_output=False)
        for broken in (each.workflow_id for each in over if each.status in FAILED_STATUSES):
            for store in self._stores():
                if store.jobs.get(broken) is not None:
                    store.finish_job(broken, "failed", {"why": FAILED}, record={"status": "failed"}, at=time.time())
        DBOS.delete_workflows([each.workflow_id for each in over])

    def _say_alive(self) -> None:
        """Where the store was away for a while, the others could not say it either: they are then given time to."""
        self._stores()[0].jobs.heartbeat(self._worker)
        now, before = time.monotonic(), self._beaten
        if before and now - before > self._pace.timeout / 2:
            self._patient_until = now + self._pace.timeout
        self._beaten = now
