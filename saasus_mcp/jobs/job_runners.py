"""The jobs of a process: one engine, and a runner for each pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.jobs import load_jobs
from saasus_mcp.jobs.engine import HeartbeatConfig, JobEngine
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store


@asynccontextmanager
async def start_runners(
    pipelines: Mapping[str, Pipeline],
    url: str,
    encryptor: Encryptor,
    *,
    schema: str = "",
    has_jobs: Callable[[], bool] = lambda: True,
    heartbeat: HeartbeatConfig | None = None,
) -> AsyncIterator[dict[str, JobRunner]]:
    """Provide a runner for each pipeline, by profile. Another process continues the jobs that still run at the end.

    Args:
        url, schema, has_jobs: see `JobEngine`.
    """
    runners: dict[str, JobRunner] = {}

    async def run(submitted: Mapping[str, Any]) -> None:
        await runners[submitted["profile"]].run(submitted)

    def stores() -> list[Store]:
        return [pipeline.store for pipeline in pipelines.values()]

    async with JobEngine(url, encryptor, stores, run, schema=schema, has_jobs=has_jobs, heartbeat=heartbeat) as engine:
        specs = {spec.name: spec for spec in load_jobs(for_people=True)}
        runners.update({name: JobRunner(pipeline, specs, engine) for name, pipeline in pipelines.items()})
        yield runners
