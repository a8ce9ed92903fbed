"""Several worker processes on one port: they share everything, and the end of one loses nothing and repeats nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue
from tests.support.commands import spawn_command
from tests.support.gate import question_name, reply_text, type_name
from tests.support.hosting_process import MODERN
from tests.support.hosting_server import MCP, Transport, connect_client
from tests.support.load import repeated_writes, run_load
from tests.support.pipeline import ERAS
from tests.support.processes import TIMEOUT
from tests.support.replicas import Replica, Replicas, start_replicas
from tests.support.workers import wait_for_workers, wait_until_gone, worker_pids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are looked up in /proc")

CONNECTIONS = 12
MANY = 64
CLIENTS, CALLS = 6, 15
COUNT = re.compile(r'saasus_mcp_calls_total\{level="read",outcome="ok",profile="default"\} ([0-9.]+)')


@pytest.fixture
async def servers(catalogue: Catalogue, tmp_path: Path) -> AsyncIterator[Replicas]:
    """One server with two workers, on SQLite."""
    async with start_replicas(
        catalogue, tmp_path / "state", tmp_path, 1, SAASUS_MCP_WORKERS="2", SAASUS_MCP_LOG_FORMAT="json"
    ) as started:
        await wait_for_workers(started.replicas[0].process.pid, 2)
        yield started


@pytest.fixture
def server(servers: Replicas) -> Replica:
    return servers.replicas[0]


def call_request(tool: str, **arguments: Any) -> dict[str, Any]:
    """Return a call of protocol 2026-07-28 as arguments of httpx2."""
    headers = {**MCP, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
    params = {"name": tool, "arguments": arguments, "_meta": MODERN}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}


def unknown_stream(url: str) -> httpx2.Response:
    """Return the response to a message for a stream that nobody has."""
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    return httpx2.post(f"{url}/messages/default/?session_id={'0' * 32}", json=body, timeout=TIMEOUT)


async def serving(url: str) -> None:
    """Wait until new connections are answered."""
    async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
        assert (await client.get(f"{url}/healthz")).status_code == 200
        assert (await client.get(f"{url}/readyz")).json()["status"] == "ready"


def sockets_of(pid: int) -> int:
    """Return how many sockets a process has open."""
    found = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            found += str(each.readlink()).startswith("socket:")
    return found


async def connections_by_worker(server: Replica) -> list[int]:
    """Open connections that are all used once, and return how many of them each worker holds."""
    url, pids = httpx2.URL(server.url), worker_pids(server.process.pid)
    before = [sockets_of(pid) for pid in pids]

    async def connect() -> anyio.abc.SocketStream:
        stream = await anyio.connect_tcp(url.host, url.port or 80)
        await stream.send(b"GET /healthz HTTP/1.1\r\nHost: %b\r\n\r\n" % url.netloc)
        assert (await stream.receive()).startswith(b"HTTP/1.1 200")
        return stream

    async with AsyncExitStack() as until:
        for stream in await asyncio.gather(*[connect() for _ in range(MANY)]):
            until.push_async_callback(stream.aclose)
        return [sockets_of(pid) - least for pid, least in zip(pids, before, strict=True)]


async def test_connections_are_divided_among_the_workers(server: Replica) -> None:
    await serving(server.url)
    with anyio.fail_after(TIMEOUT):
        while (
            min(await connections_by_worker(server)) <= MANY / 8
        ):  # the first worker serves while the second one starts
            await serving(server.url)


async def test_a_worker_that_hangs_holds_back_no_connection(server: Replica) -> None:
    hangs = worker_pids(server.process.pid)[0]
    os.kill(hangs, signal.SIGSTOP)
    try:
        for _ in range(CONNECTIONS):
            async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
                assert (await client.get(f"{server.url}/healthz")).status_code == 200
    finally:
        os.kill(hangs, signal.SIGCONT)


async def test_connections_of_both_eras_with_a_question_each_at_once(servers: Replicas, server: Replica) -> None:
    answered: dict[int, Any] = {}

    async def one(number: int) -> None:
        def accept(asked: types.ElicitRequestFormParams) -> types.ElicitResult:
            name = question_name(asked)
            return type_name(name) if name else types.ElicitResult(action="accept", content={"confirm": True})

        way: Transport = ERAS[number % len(ERAS)]
        rate = {"name": f"rate_{number}", "display_name": "Rate", "percentage": 8, "inclusive": False, "country": "JP"}
        async with connect_client(server.url, way, None, accept) as client:
            answered[number] = await client.call_tool("pricing_create_tax_rate", {**rate, "description": ""})

    async with anyio.create_task_group() as together:
        for number in range(CONNECTIONS):
            together.start_soon(one, number)
    failed = {number: reply_text(each) for number, each in answered.items() if each.is_error}
    assert failed == {}
    assert [servers.sandbox.count_writes(f'"rate_{number}"') for number in range(CONNECTIONS)] == [1] * CONNECTIONS
    assert spawn_command("audit", "verify", **servers.env).status == 0


async def test_a_worker_that_is_killed_under_load_is_replaced_and_no_write_goes_twice(
    servers: Replicas, server: Replica
) -> None:
    before = worker_pids(server.process.pid)
    answered, cut = Counter[str](), Counter[str]()

    async def write(number: int) -> None:
        for turn in range(CALLS):
            if (number, turn) == (0, CALLS // 2):
                os.kill(before[0], signal.SIGKILL)
            name = f"role_{number}_{turn}"
            try:
                async with httpx2.AsyncClient(base_url=server.url, timeout=TIMEOUT) as client:
                    answer = await client.post(
                        "/mcp", **call_request("auth_create_role", role_name=name, display_name="x")
                    )
            except httpx2.TransportError:
                cut[name] += 1
            else:
                assert not answer.json()["result"]["isError"], answer.text
                answered[name] += 1

    async with anyio.create_task_group() as together:
        for number in range(CLIENTS):
            together.start_soon(write, number)
    assert repeated_writes(servers.sandbox) == {}
    assert len(cut) <= CLIENTS, "only calls in progress at that worker have no answer"
    assert {name: servers.sandbox.count_writes(f'"{name}"') for name in answered} == dict.fromkeys(answered, 1)
    after = await wait_for_workers(server.process.pid, 2, frozenset(before[:1]))
    assert before[1] in after
    await serving(server.url)
    await server.wait_for_output(f"(process {before[0]}) ended with status -9 and is replaced")


async def test_clients_of_the_older_sse_work_whichever_worker_their_messages_reach(
    servers: Replicas, server: Replica
) -> None:
    async with anyio.create_task_group() as together:
        for number in range(4):

            async def one(number: int = number) -> None:
                async with connect_client(server.url, "sse", None) as client:
                    made = await client.call_tool(
                        "auth_create_role", {"role_name": f"sse_{number}", "display_name": "x"}
                    )
                    assert not made.is_error, reply_text(made)

            together.start_soon(one)
    assert [servers.sandbox.count_writes(f'"sse_{number}"') for number in range(4)] == [1] * 4
    other = await anyio.to_thread.run_sync(unknown_stream, server.url)
    assert (other.status_code, "not open" in other.text) == (404, True)


async def test_workers_are_replaced_one_after_the_other_at_sighup_and_no_call_fails(
    servers: Replicas, server: Replica
) -> None:
    before = frozenset(worker_pids(server.process.pid))
    done = anyio.Event()

    async def replace() -> None:
        server.process.send_signal(signal.SIGHUP)
        await wait_for_workers(server.process.pid, 2, before, 4 * TIMEOUT)
        done.set()

    async with anyio.create_task_group() as together:
        together.start_soon(replace)
        turn = 0
        while not done.is_set():
            load = await run_load(server.url, "2026-07-28", f"again{turn}", 2, 5)
            assert (load.failed, load.wrong) == ({}, [])
            turn += 1
    assert repeated_writes(servers.sandbox) == {}
    await serving(server.url)


async def test_a_policy_that_is_edited_holds_for_no_worker_until_it_is_reloaded_and_then_for_all(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    rule = "version: 1\nrules:\n  - name: look\n    levels: [read]\n    then: {then}\n"
    policy.write_text(rule.format(then="allow"), encoding="utf-8")
    async with start_replicas(
        *(catalogue, tmp_path / "state", tmp_path, 1), SAASUS_MCP_WORKERS="2", SAASUS_MCP_POLICY=str(policy)
    ) as started:
        server = started.replicas[0]

        async def denied() -> set[bool]:
            seen = set()
            for _ in range(8):
                async with httpx2.AsyncClient(base_url=server.url, timeout=TIMEOUT) as client:
                    seen.add((await client.post("/mcp", **call_request("auth_get_roles"))).json()["result"]["isError"])
            return seen

        before = await wait_for_workers(server.process.pid, 2)
        policy.write_text(rule.format(then="deny"), encoding="utf-8")
        os.kill(before[0], signal.SIGKILL)
        os.kill(before[1], signal.SIGHUP)
        workers = await wait_for_workers(server.process.pid, 2, frozenset(before[:1]))
        await serving(server.url)
        assert await denied() == {False}
        done = await anyio.to_thread.run_sync(
            lambda: spawn_command("policy", "reload", "--policy", str(policy), **started.env)
        )
        assert done.status == 0, done.err
        assert await denied() == {True}
        assert worker_pids(server.process.pid) == workers
        await server.wait_for_output("the policy is in force in 2 of 2 workers")


async def test_any_worker_answers_with_the_metrics_of_all(server: Replica) -> None:
    calls = 8
    for _ in range(calls):
        async with connect_client(server.url, "2026-07-28", None) as client:
            assert not (await client.call_tool("auth_get_roles", {})).is_error
    seen = set()
    for _ in range(6):
        async with httpx2.AsyncClient() as client:
            found = COUNT.search((await client.get(f"{server.url}/metrics")).text)
            seen.add(found[1] if found else "")
    assert seen == {f"{calls}.0"}


async def test_workers_are_added_and_removed_and_end_with_their_supervisor(server: Replica) -> None:
    server.process.send_signal(signal.SIGTTIN)
    three = await wait_for_workers(server.process.pid, 3)
    server.process.send_signal(signal.SIGTTOU)
    two = await wait_for_workers(server.process.pid, 2)
    assert set(two) < set(three)
    server.kill()
    await wait_until_gone(two)


def test_a_fault_that_every_worker_would_find_is_reported_once(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: 5\n", encoding="utf-8")
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")
    env = {
        "SAASUS_MCP_WORKERS": "2",
        "SAASUS_MCP_POLICY": str(policy),
        "SAASUS_MCP_STATE_DIR": str(tmp_path / "state"),
        "SAASUS_SAAS_ID": "saas",
        "SAASUS_API_KEY": "key-of-the-test",
        "SAASUS_SECRET_KEY": "secret-of-the-test",
    }
    refused = spawn_command("serve", "--transport", "http", "--port", "0", **env)
    assert refused.status == 1
    assert refused.err.count("policy.yaml") == 1, refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    ("flags", "said"), [(("--transport", "http", "--sandbox"), "sandbox"), ((), "stdio")], ids=["sandbox", "stdio"]
)
def test_options_for_a_single_process_are_refused(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")
    refused = spawn_command("serve", "--workers", "2", *flags)
    assert refused.status == 1
    assert said in refused.err
    assert "SAASUS_MCP_WORKERS" in refused.err
