"""The sample configurations of nginx, Caddy and HAProxy, run by the real programs before two servers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.catalog import Catalogue
from tests.support.gate import ACCEPT, question_name, reply_text, type_name
from tests.support.hosting_server import connect_client
from tests.support.load import Load, created_roles, repeated_writes, run_load
from tests.support.pipeline import ERAS, Era
from tests.support.proxies import FILES, ProxiedReplicas, ProxyName, find_program, start_proxied_replicas

pytestmark = [pytest.mark.process, pytest.mark.slow]
CONNECTIONS = 12
CALLS = 1_000
CLIENTS, BATCH = 3, 10


@pytest.fixture(params=FILES)
def proxy(request: pytest.FixtureRequest) -> ProxyName:
    name: ProxyName = request.param
    if find_program(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def confirm(params: types.ElicitRequestFormParams) -> types.ElicitResult:
    name = question_name(params)
    return type_name(name) if name else ACCEPT


async def connect_and_confirm(two: ProxiedReplicas, era: Era, number: int, attempts: int) -> None:
    """Connect, list the tools, and confirm a call in the client, if necessary again after a stream that ended early."""
    for attempt in range(attempts):
        broken = False
        try:
            await confirm_once(two, era, f"{era}_{number}_{attempt}".replace("-", "_"))
        except* MCPError:
            broken = True
            if attempt + 1 == attempts:
                raise
        if not broken:
            return


async def confirm_once(two: ProxiedReplicas, era: Era, label: str) -> None:
    rate = {"name": label, "display_name": label, "percentage": 8, "inclusive": False, "country": "JP"}
    async with connect_client(two.url, era, two.token, confirm) as client:
        assert len((await client.list_tools()).tools) > 100
        made = await client.call_tool("pricing_create_tax_rate", {**rate, "description": ""})
        assert not made.is_error, reply_text(made)
    assert two.sandbox.count_writes(f'"{label}"') == 1


async def test_every_client_connects_and_is_asked_and_a_restart_of_each_server_fails_no_call(
    catalogue: Catalogue, tmp_path: Path, proxy: ProxyName
) -> None:
    async with start_proxied_replicas(catalogue, proxy, tmp_path) as two:
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"{two.url}/metrics")).status_code == 404
            assert (await http.get(f"{two.url}/healthz")).status_code == 200
        for era in ERAS:
            for number in range(CONNECTIONS):
                await connect_and_confirm(two, era, number, attempts=3 if proxy == "caddy" else 1)
        if proxy == "caddy":
            return  # Caddy 2.6.2 ends about one stream in 500 without its response, also without a restart
        loads = await restart_under_load(two)
        failed = {label: reason for load in loads for label, reason in load.failed.items()}
        assert failed == {}
        assert sum(load.calls for load in loads) >= CALLS
        assert [label for load in loads for label in load.wrong] == []
        written = {label for load in loads for label in load.written}
        assert created_roles(two.sandbox, "load") == Counter(dict.fromkeys(written, 1))
        assert repeated_writes(two.sandbox) == {}


async def restart_under_load(two: ProxiedReplicas) -> list[Load]:
    """Restart one server after the other, while clients of both eras call. Return what they got."""
    loads: list[Load] = []
    restarted = anyio.Event()

    async def call(era: Era) -> None:
        while not restarted.is_set() or sum(load.calls for load in loads) < CALLS:
            name = f"load_{era.replace('-', '_')}_{len(loads)}"
            loads.append(await run_load(two.url, era, CLIENTS, BATCH, name, token=two.token))

    async with anyio.create_task_group() as tasks:
        for era in ERAS:
            tasks.start_soon(call, era)
        for number in range(2):
            await two.restart(number)
            await anyio.sleep(3)  # as the documentation says: the proxy has to see that the server is back
        restarted.set()
    return loads
