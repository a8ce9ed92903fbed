"""Jobs are found, described and run from the compact surface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client as McpClient

from saasus_mcp.jobs.job_tools import build_job_tools
from saasus_mcp.permissions.policy.presets import PRESETS
from tests.support.gate import reply_text
from tests.support.job_server import start_job_server
from tests.support.pipeline import connect_client


@pytest.fixture(params=["guarded", "read-only"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[McpClient]:
    async with (
        start_job_server(tmp_path, policy=PRESETS[request.param]) as on,
        connect_client(
            on.pipeline, "legacy", kind="compact", extra_tools=build_job_tools(on.runner, "compact")
        ) as client,
    ):
        yield client


async def found_jobs(client: McpClient, query: str) -> list[str]:
    result = await client.call_tool("search_operations", {"query": query})
    assert result.structured_content is not None
    return [each["name"] for each in result.structured_content.get("jobs", [])]


@pytest.mark.parametrize("client", ["guarded"], indirect=True)
async def test_a_search_shows_the_job_how_it_is_run_and_what_it_needs(client: McpClient) -> None:
    result = await client.call_tool("search_operations", {"query": "ユーザー一覧をCSV出力"})
    assert result.structured_content is not None
    [job, *_] = result.structured_content["jobs"]
    assert (job["name"], job["call"], job["required"]) == ("job_export_users", "job_run", [])
    assert result.structured_content["operations"], "operations are found as before"
    assert await found_jobs(client, "delete one role") == []
    ran = await client.call_tool(job["call"], {"name": job["name"], "arguments": {}})
    assert '"status":"done"' in reply_text(ran)


@pytest.mark.parametrize("client", ["guarded"], indirect=True)
async def test_a_job_is_described_like_an_operation(client: McpClient) -> None:
    described = await client.call_tool("describe_operation", {"name": "job_import_users"})
    assert described.structured_content is not None, reply_text(described)
    assert described.structured_content["call"] == "job_run"
    assert "csv" in described.structured_content["inputSchema"]["properties"]
    assert "auth.CreateSaasUser" in described.structured_content["writes"]


@pytest.mark.parametrize("client", ["guarded"], indirect=True)
@pytest.mark.parametrize("tool", ["call_read", "call_write"])
async def test_a_job_called_as_an_operation_names_the_tool_that_runs_it(client: McpClient, tool: str) -> None:
    refused = await client.call_tool(tool, {"name": "job_import_users", "arguments": {}})
    assert refused.is_error
    assert "job_run" in reply_text(refused)


@pytest.mark.parametrize("client", ["read-only"], indirect=True)
async def test_a_job_that_the_policy_denies_is_not_shown(client: McpClient) -> None:
    assert "job_import_users" not in await found_jobs(client, "bulk import users")
    assert "job_export_users" in await found_jobs(client, "export users csv")
    assert (await client.call_tool("describe_operation", {"name": "job_import_users"})).is_error
