"""A client takes its call back, or goes away: the one stops the job, the other does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from tests.jobs.stage import Stage, Yes, stage
from tests.jobs.test_import_users import listed
from tests.support import ME, connected, saying_yes


async def ended(on: Stage) -> dict[str, Any]:
    [job] = on.pipeline.store.jobs.of(ME.id, on.pipeline.place.profile, 5)
    return await on.told("job_status", {"job": job.id, "wait": 30})


async def test_a_call_that_is_cancelled_stops_its_job_between_rows(tmp_path: Path) -> None:
    """In memory only the older protocol tells a cancelled call from a lost connection; over stdio both do."""
    async with stage(tmp_path) as on, connected(on.pipeline, "legacy", saying_yes, more=on.more) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "job_import_users", {"csv": listed(on.sandbox, 60)})
            while on.sent("auth.CreateTenantUserRoles") < 5:  # noqa: ASYNC110 - there is no event but at the API
                await anyio.sleep(0.002)
            group.cancel_scope.cancel()
        told = await ended(on)
        assert told["status"] == "cancelled"
        assert told["counts"]["not_begun"] > 0


async def test_a_job_outlives_the_connection_of_its_client(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        async with anyio.create_task_group() as group:

            async def gone() -> None:
                await on.call("job_import_users", {"csv": listed(on.sandbox, 20)}, asker=Yes())

            group.start_soon(gone)
            while on.sent("auth.CreateSaasUser") < 2:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.002)
            group.cancel_scope.cancel()
        told = await ended(on)
        assert (told["status"], told["counts"]) == ("done", {"applied": 40})
