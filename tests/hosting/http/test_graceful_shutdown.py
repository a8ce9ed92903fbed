"""A hosted server as a process of its own: it stops without losing a write, and tells the API nothing of its callers."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox import CREDENTIALS
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.gate import reply_text
from tests.support.hosting_process import (
    ROLE,
    SlowSandbox,
    assert_refuses_connections,
    audit_records,
    call_request,
    create_role_request,
    create_token,
    start_server,
)
from tests.support.hosting_server import TRANSPORTS, Transport, connect_client
from tests.support.processes import TIMEOUT
from tests.support.saas_store import open_saas_store
from tests.support.variants import sample_cases


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.exhaustive)])
async def test_at_a_signal_a_write_under_way_is_finished_answered_and_audited(
    catalogue: Catalogue, tmp_path: Path, workers: str
) -> None:
    state, slow = tmp_path / "state", SlowSandbox(FaultySandbox(catalogue))
    bearer = create_token(state)
    answers: list[httpx2.Response] = []
    async with slow.listening() as api:
        with start_server(api, state, SAASUS_MCP_WORKERS=workers) as (url, process):
            async with (
                httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as client,
                anyio.create_task_group() as both,
            ):

                async def ask() -> None:
                    answers.append(await client.post("/mcp", **create_role_request(bearer)))

                both.start_soon(ask)
                await slow.arrived.wait()
                process.send_signal(signal.SIGTERM)
                await assert_refuses_connections(url)
                slow.released.set()
            assert await anyio.to_thread.run_sync(process.wait, TIMEOUT) == 0
            assert process.stderr is not None
            lines = process.stderr.read().splitlines()
            assert [line for line in lines if ": INFO: " not in line] == []
            assert any("stopping: SIGTERM, calls in flight: 1" in line for line in lines)
    [answer] = answers
    assert answer.status_code == 200
    assert not answer.json()["result"]["isError"]
    assert [each.operation for each in slow.sandbox.requests].count("auth.CreateRole") == 1
    assert [record["event"] for record in audit_records(state)] == ["begun", "ended"]
    assert audit_records(state)[-1]["applied"] == "applied"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
async def test_at_a_signal_a_job_ends_its_steps_begins_no_other_and_is_reported(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    state, slow = tmp_path / "state", SlowSandbox(FaultySandbox(catalogue))
    roles = [{"tool": "auth_create_role", "arguments": {**ROLE, "role_name": f"role-{number}"}} for number in range(40)]
    request = call_request(create_token(state), "job_run_plan", {"calls": roles})
    async with slow.listening() as api:
        with start_server(api, state) as (url, process):
            async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as client:

                async def stop() -> None:
                    with anyio.fail_after(TIMEOUT):
                        await slow.arrived.wait()
                    process.send_signal(signal.SIGTERM)

                async with anyio.create_task_group() as both:
                    both.start_soon(stop)
                    answer = await client.post("/mcp", **request)
            slow.released.set()
            assert await anyio.to_thread.run_sync(process.wait, TIMEOUT) == 0
    report = answer.json()["result"]["structuredContent"]
    assert (report["status"], report["done"]) == ("running", 0)
    store = open_saas_store(state, CREDENTIALS.saas_id)
    try:
        job, outcomes = store.jobs.get(report["job"]), store.jobs.count_outcomes(report["job"])
    finally:
        store.close()
    assert job is not None
    assert job.status == "running"
    sent = [each.operation for each in slow.sandbox.requests].count("auth.CreateRole")
    assert 0 < sent < len(roles)
    assert outcomes == {"applied": sent}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
async def test_after_a_signal_a_balancer_is_served_and_told_to_keep_no_connection(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    state, slow = tmp_path / "state", SlowSandbox(FaultySandbox(catalogue))
    slow.released.set()
    request = create_role_request(create_token(state))
    async with slow.listening() as api:
        with start_server(api, state) as (url, process):
            async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as balancer, httpx2.AsyncClient() as probe:
                assert "connection" not in (await balancer.post("/mcp", **request)).headers
                process.send_signal(signal.SIGTERM)
                with anyio.fail_after(TIMEOUT):
                    while (await probe.get(f"{url}/readyz")).status_code == 200:
                        pass
                served = await balancer.post("/mcp", **request)
    assert (served.status_code, served.headers["connection"]) == (200, "close")


@pytest.mark.parametrize("way", sample_cases(TRANSPORTS))
async def test_a_request_to_the_api_is_signed_with_the_profiles_key_and_carries_no_bearer(
    catalogue: Catalogue, tmp_path: Path, way: Transport
) -> None:
    state, slow = tmp_path / "state", SlowSandbox(FaultySandbox(catalogue))
    slow.released.set()
    bearer = create_token(state)
    async with slow.listening() as api:
        with start_server(api, state) as (url, _):
            async with connect_client(url, way, bearer) as client:
                made = await client.call_tool("auth_create_role", ROLE)
                assert not made.is_error, reply_text(made)
                assert not (await client.call_tool("auth_get_roles", {})).is_error
    assert len(slow.requests) >= 2
    assert all("SAASUSSIGV1" in head for head in slow.requests)
    secret = bearer.removeprefix("smcp_")
    assert secret not in "".join(slow.requests) + repr(slow.sandbox.requests)
    assert secret not in json.dumps(audit_records(state))
    assert {record["principal"] for record in audit_records(state) if "principal" in record} == {"token:alice"}
