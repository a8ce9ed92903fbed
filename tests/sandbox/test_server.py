"""The sandbox on a loopback port: the same API, with connections that really break."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.saasus.client import ApiClient, SendFailed
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.sandbox.server import create_server
from tests.support.faulty_sandbox import AnyKind, FaultySandbox
from tests.support.sandbox import SandboxCaller


@pytest.fixture
async def served(catalogue: Catalogue) -> AsyncIterator[SandboxCaller]:
    sandbox = FaultySandbox(catalogue)
    # Listening before the server runs: an early client waits in the backlog.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        running = create_server(host, port, sandbox)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.serve, [listener])
            direct = httpx2.AsyncHTTPTransport()  # whatever proxy the machine has
            async with ApiClient(CREDENTIALS, base_url=f"http://{host}:{port}", timeout=5, transport=direct) as client:
                yield SandboxCaller(catalogue, sandbox, client)
            running.should_exit = True


async def test_a_client_outside_the_process_signs_over_the_port(served: SandboxCaller) -> None:
    await served.read("auth.CreateRole", role_name="外部", display_name="x")
    roles = (await served.read("auth.GetRoles"))["roles"]
    assert "外部" in [role["role_name"] for role in roles]


async def test_one_date_and_one_trace_id_come_back(served: SandboxCaller) -> None:
    response = await served.send("auth.GetRoles")
    assert response.date is not None
    assert response.trace_id == "trace-of-the-test"


@pytest.mark.parametrize(("kind", "done"), [("reset_before", False), ("reset", True)])
async def test_a_connection_is_really_cut(served: SandboxCaller, kind: AnyKind, done: bool) -> None:
    served.sandbox.faults.add(kind, on="auth.CreateRole", times=1)
    with pytest.raises(SendFailed, match="broke after"):
        await served("auth.CreateRole", role_name="made", display_name="x")
    roles = (await served.read("auth.GetRoles"))["roles"]
    assert ("made" in [role["role_name"] for role in roles]) is done


async def test_a_caller_who_gives_up_leaves_nothing_hanging(served: SandboxCaller) -> None:
    served.sandbox.faults.add("drop", on="auth.CreateRole", times=1)
    with anyio.move_on_after(0.05):
        await served("auth.CreateRole", role_name="made", display_name="x")
    assert (await served("auth.GetRoles")).status == 200
