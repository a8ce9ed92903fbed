"""The jobs of a process: one engine, and a runner for each of its pipelines. What the commands put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.jobs import load
from saasus_mcp.jobs.engine import Engine, Pace
from saasus_mcp.jobs.runner import Runner
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.server.pipeline import Pipeline

if TYPE_CHECKING:
    from saasus_mcp.store import Store


@asynccontextmanager
async def staff(
    pipelines: Mapping[str, Pipeline],
    url: str,
    sealer: Sealer,
    *,
    schema: str = "",
    used: Callable[[], bool] = lambda: True,
    pace: Pace | None = None,
) -> AsyncIterator[dict[str, Runner]]:
    """A runner for each pipeline, by profile. What is under way when this ends goes on in another process.

    Args:
        url: of the engine's database.
        schema: in that, where it is PostgreSQL.
        used: whether there can be a job in it from before.
    """
    runners: dict[str, Runner] = {}

    async def run(submitted: Mapping[str, Any]) -> None:
        await runners[submitted["profile"]].run(submitted)

    def stores() -> list[Store]:
        return [pipeline.store for pipeline in pipelines.values()]

    async with Engine(url, sealer, stores, run, schema=schema, used=used, pace=pace) as engine:
        specs = {spec.name: spec for spec in load()}
        runners.update({name: Runner(pipeline, specs, engine) for name, pipeline in pipelines.items()})
        yield runners
