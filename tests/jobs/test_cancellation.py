"""A client takes its call back, or goes away: the one stops the job, the other does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.job_data import import_lines
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL, accept_question, connect_client


async def ended(on: JobServer) -> dict[str, Any]:
    [job] = on.pipeline.store.jobs.list_jobs(PRINCIPAL.id, on.pipeline.destination.profile, 5)
    return await on.call_json("job_status", {"job": job.id, "wait": 30})


async def test_a_call_that_is_cancelled_stops_its_job_between_rows(tmp_path: Path) -> None:
    """In memory only the older protocol tells a cancelled call from a lost connection; over stdio both do."""
    async with (
        start_job_server(tmp_path) as on,
        connect_client(on.pipeline, "legacy", accept_question, extra_tools=on.tools) as client,
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "job_import_users", {"csv": import_lines(on.sandbox, 60)})
            while on.count_requests("auth.CreateTenantUserRoles") < 5:  # noqa: ASYNC110 - there is no event but at the API
                await anyio.sleep(0.002)
            group.cancel_scope.cancel()
        told = await ended(on)
        assert told["status"] == "cancelled"
        assert told["counts"]["not_begun"] > 0


@pytest.mark.slow
async def test_a_job_outlives_the_connection_of_its_client(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        async with anyio.create_task_group() as group:

            async def gone() -> None:
                await on.call("job_import_users", {"csv": import_lines(on.sandbox, 20)}, elicitor=AcceptingPerson())

            group.start_soon(gone)
            while on.count_requests("auth.CreateSaasUser") < 2:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.002)
            group.cancel_scope.cancel()
        told = await ended(on)
        assert (told["status"], told["counts"]) == ("done", {"applied": 40})
