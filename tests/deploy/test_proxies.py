"""The sample configurations of nginx, Caddy and HAProxy, run by the real programs before two servers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.outcome import Outcome
from tests.support.gate import ACCEPT, question_name, reply_text, type_name
from tests.support.hosting_server import connect_client
from tests.support.load import Load, created_roles, repeated_writes, run_load
from tests.support.pipeline import ERAS, Era
from tests.support.proxies import FILES, ProxiedReplicas, ProxyName, find_program, get_unchanged, start_proxied_replicas

pytestmark = [pytest.mark.process, pytest.mark.slow]
CONNECTIONS = 12
CALLS = 1_000
CLIENTS, BATCH = 3, 10
METRICS = "saasus_mcp_http_requests_in_flight"
SPELLINGS = (
    "/metrics",
    "/metrics?a=1",
    "/metrics/",
    "/metrics;a",
    "/%6detrics",
    "/metric%73?a=1",
    "/%6D%65%74%72%69%63%73",
    "/%256detrics",
    "/METRICS",
    "//metrics",
    "/%2fmetrics",
    "%2fmetrics",
    "/./metrics",
    "/%2e/metrics",
    "/x/../metrics",
    "/x/%2e%2e/metrics",
    "/x%2f..%2fmetrics",
    "/metrics%00",
    "/metrics%0a",
    "/metrics%20",
    "/metrics#a",
)


@pytest.fixture(params=FILES)
def proxy(request: pytest.FixtureRequest) -> ProxyName:
    name: ProxyName = request.param
    if find_program(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def confirm(params: types.ElicitRequestFormParams) -> types.ElicitResult:
    name = question_name(params)
    return type_name(name) if name else ACCEPT


async def connect_and_confirm(two: ProxiedReplicas, era: Era, label: str) -> None:
    """Connect, list the tools, and confirm a call in the client."""
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
            assert (await http.get(f"{two.url}/healthz")).status_code == 200
        for era in ERAS:
            for number in range(CONNECTIONS):
                await connect_and_confirm(two, era, f"{era}_{number}".replace("-", "_"))
        loads = await restart_under_load(two)
        failed = {label: reason for load in loads for label, reason in load.failed.items()}
        assert failed == {}
        assert sum(load.calls for load in loads) >= CALLS
        assert [label for load in loads for label in load.wrong] == []
        written = {label for load in loads for label in load.writes(Outcome.APPLIED)}
        assert created_roles(two.sandbox, "load") == Counter(dict.fromkeys(written, 1))
        assert repeated_writes(two.sandbox) == {}


@pytest.mark.parametrize("monitored", ["with a token", "without a token"])
async def test_no_spelling_of_the_path_reads_the_metrics_through_the_proxy(
    catalogue: Catalogue, tmp_path: Path, proxy: ProxyName, monitored: str
) -> None:
    open_to_all = monitored == "without a token"
    async with start_proxied_replicas(catalogue, proxy, tmp_path, open_metrics=open_to_all) as two:
        token = "" if open_to_all else two.monitor
        assert METRICS in await get_unchanged(f"http://127.0.0.1:{two.ports[0]}", "/%6detrics", token)
        answers = {path: await get_unchanged(two.url, path, token) for path in SPELLINGS}
        assert {path for path, answer in answers.items() if METRICS in answer} == set()
        assert answers["/metrics"].startswith("HTTP/1.1 404 ")


async def restart_under_load(two: ProxiedReplicas) -> list[Load]:
    """Restart one server after the other, while clients of both eras call. Return what they got."""
    loads: list[Load] = []
    restarted = anyio.Event()

    async def call(era: Era) -> None:
        while not restarted.is_set() or sum(load.calls for load in loads) < CALLS:
            name = f"load_{era.replace('-', '_')}_{len(loads)}"
            loads.append(await run_load(two.url, era, name, CLIENTS, BATCH, tokens=[two.token]))

    async with anyio.create_task_group() as tasks:
        for era in ERAS:
            tasks.start_soon(call, era)
        for number in range(2):
            await two.restart(number)
        restarted.set()
    return loads
