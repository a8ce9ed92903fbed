"""Whole jobs before several servers: begun at one, followed at another, and taken over where one is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client as McpClient
from sqlalchemy import make_url

from saasus_mcp.catalog import Catalogue
from saasus_mcp.jobs.job_reader import MAX_CONCURRENT
from tests.support.databases import POSTGRESQL
from tests.support.gate import reply_text
from tests.support.hosting_server import connect_client
from tests.support.job_data import HEADER, list_grants, tenant_id
from tests.support.network import SHORT_TIMEOUT, connect_through
from tests.support.pipeline import accept_question
from tests.support.processes import TIMEOUT
from tests.support.replicas import Replicas, start_replicas

PEOPLE = 24
FATAL = 20
"""Writes that have reached the API when a server is killed: about a third of all."""
TAKEN_OVER = 60.0
AWAY = 12.0
"""Seconds without a database: longer than a server is given that says nothing."""


@asynccontextmanager
async def client(url: str) -> AsyncIterator[McpClient]:
    async with connect_client(url, "2026-07-28", None, accept_question) as one:
        yield one


async def told(one: McpClient, tool: str, **arguments: Any) -> dict[str, Any]:
    given = await one.call_tool(tool, arguments)
    assert not given.is_error, reply_text(given)
    return dict(given.structured_content or {})


async def over(one: McpClient, job: str) -> dict[str, Any]:
    """Return the report of a job once it has ended."""
    with anyio.fail_after(TAKEN_OVER):
        while (found := await told(one, "job_status", job=job, wait=5))["status"] == "running":
            pass
    return found


def people(of: Replicas) -> str:
    return HEADER + "".join(
        f"new-{n}@example.com,,{tenant_id(of.sandbox)},,3,viewer,Person {n}\n" for n in range(PEOPLE)
    )


def there(of: Replicas) -> set[str]:
    """Who of them holds the role."""
    return {row[0] for row in list_grants(of.sandbox) if row[0].startswith("new-") and row[4] == "viewer"}


async def written(of: Replicas, least: int) -> None:
    with anyio.fail_after(TIMEOUT):
        while of.sandbox.writes.total() < least:  # noqa: ASYNC110 - there is no event but at the API
            await anyio.sleep(0.01)


async def begun(one: McpClient, of: Replicas) -> None:
    """Start the import, and ignore a lost answer."""
    of.sandbox.faults.add("latency", on="auth.CreateTenantUser", seconds=0.3)
    with suppress(Exception):  # its server is killed
        await one.call_tool("job_import_users", {"csv": people(of)})


async def the_job(one: McpClient) -> str:
    [listed] = (await told(one, "job_status"))["jobs"]
    return str(listed["job"])


@pytest.mark.exhaustive  # as below, where the first server is killed as well
async def test_a_job_of_one_server_is_followed_at_another(
    catalogue: Catalogue, where: Path | str, tmp_path: Path
) -> None:
    async with start_replicas(catalogue, where, tmp_path) as two, client(two.replicas[0].url) as here:
        async with client(two.replicas[1].url) as other, anyio.create_task_group() as together:
            together.start_soon(begun, here, two)
            await written(two, 4)
            report = await over(other, await the_job(other))
        assert (report["status"], report["counts"]) == ("done", {"applied": PEOPLE})
        assert len(there(two)) == PEOPLE
        assert max(two.sandbox.writes.values()) == 1


async def test_a_server_that_lives_takes_over_the_job_of_one_that_was_killed(
    catalogue: Catalogue, where: Path | str, tmp_path: Path
) -> None:
    async with start_replicas(catalogue, where, tmp_path) as two, client(two.replicas[1].url) as survivor:
        async with anyio.create_task_group() as together:
            together.start_soon(_begun_alone, two)
            await written(two, FATAL)
            two.replicas[0].kill()
            together.cancel_scope.cancel()
        assert two.sandbox.writes.total() < 3 * PEOPLE, "it died in the middle"
        two.sandbox.faults.clear()
        report = await over(survivor, await the_job(survivor))
        assert report["status"] == "done", report
        assert max(two.sandbox.writes.values()) == 1, "nothing was sent twice"
        assert PEOPLE - len(there(two)) <= MAX_CONCURRENT, "only what was under way at the death can be missing"
        assert report["counts"].get("applied", 0) == len(there(two))


async def _begun_alone(of: Replicas) -> None:
    async with client(of.replicas[0].url) as one:
        await begun(one, of)


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
async def test_a_job_outlives_its_database_and_is_done_once_by_servers_that_stay_answerable(
    catalogue: Catalogue, where: str, tmp_path: Path
) -> None:
    url = make_url(where)
    key = tmp_path / "pgpass"
    key.write_text(f"*:*:*:*:{url.password}\n", encoding="utf-8")
    key.chmod(0o600)
    async with connect_through(where) as (network, near):
        address = make_url(near)._replace(password=None).update_query_dict({"passfile": str(key)})
        async with (
            start_replicas(catalogue, address.render_as_string(), tmp_path) as two,
            client(two.replicas[1].url) as other,
            httpx2.AsyncClient(timeout=SHORT_TIMEOUT) as http,
            anyio.create_task_group() as together,
        ):
            together.start_soon(_begun_alone, two)
            await written(two, FATAL)
            job = await the_job(other)
            network.cut()
            lost = await other.call_tool("job_status", {"job": job})
            assert lost.is_error
            assert "SAASUS_MCP_DATABASE_URL answers" in reply_text(lost)
            until = anyio.current_time() + AWAY
            while anyio.current_time() < until:
                for each in two.replicas:
                    assert (await http.get(f"{each.url}/healthz")).status_code == 200
            network.restore()
            two.sandbox.faults.clear()
            report = await over(other, job)
            together.cancel_scope.cancel()
        assert max(two.sandbox.writes.values()) == 1, "nothing was sent twice"
        assert report["status"] == "done", report
        assert report["counts"].get("applied", 0) == len(there(two))
        assert PEOPLE - len(there(two)) <= MAX_CONCURRENT, "only what was under way when it was lost can be missing"
        assert all(str(url.password) not in each.output for each in two.replicas)
