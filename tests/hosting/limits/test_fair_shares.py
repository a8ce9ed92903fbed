"""One hostile principal does its worst on each resource while another makes small reads. `make load` measures how long they take."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.http import uvicorn_server
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.sandbox.server import create_server as sandbox_server
from saasus_mcp.store.stores import Stores
from saasus_mcp.store.tokens import Token
from scripts.load import P99_GOAL_SECONDS
from tests.support.databases import open_stores
from tests.support.gate import reply_text
from tests.support.hostile_client import SCENARIOS
from tests.support.hosting_server import connect_client, run_server
from tests.support.load_report import MEASURED, report_row
from tests.support.processes import TIMEOUT, start_module
from tests.support.replicas import CountingSandbox, environment, start_replica
from tests.support.variants import sample_cases

SLOW = 3.0
"""Seconds for which the API keeps a slow read waiting."""
FEWEST_READS, READS = 5, (200 if MEASURED else 5)
READ_SECONDS = 5.0
"""Time after which no further read begins, once there are the fewest."""
PART = 1 if MEASURED else 20
"""One part in so many of what `make load` does is done in every run of the tests."""
GATHERING = 2.0 if MEASURED else 0.0
"""Seconds for which the hostile principal goes on before the other begins."""


def _token(kept: Stores, name: str, role: str = "caller") -> str:
    now = time.time()
    with closing(kept.open_tokens()) as accounts:
        return accounts.add(Token(name, role, frozenset({"team"}), "local:me", now, now + 3600))  # type: ignore[arg-type]  # a role


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    with closing(open_stores(tmp_path / "state")) as kept:
        found = {name: _token(kept, name) for name in ("alice", "bob")}
        return {**found, "boss": _token(kept, "boss", "approver")}


@asynccontextmanager
async def server(catalogue: Catalogue, folder: Path) -> AsyncIterator[str]:
    """Yield the URL of a server that requires tokens and whose API has one slow read."""
    sandbox, config = CountingSandbox(catalogue), folder / "config.toml"
    sandbox.faults.add("latency", on="auth.GetRoles", seconds=SLOW)
    config.write_text("version = 1\n[auth]\ntokens = true\n[profiles.default]\ngroups = ['team']\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with uvicorn_server.open_listener("127.0.0.1", 0) as listener:
        async with run_server(sandbox_server("127.0.0.1", 0, sandbox), listener) as api:
            known = {
                "SAASUS_MCP_CONFIG": str(config),
                "SAASUS_API_URL_BASE": api,
                "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
                "SAASUS_API_KEY": CREDENTIALS.api_key,
                "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
            }
            with start_replica(known | environment(folder / "state", folder), folder / "server.log", port) as one:
                await one.wait_until_ready()
                yield one.url


@contextmanager
def hostile(scenario: str, url: str, token: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the hostile principal until the end; its output goes to `log`."""
    count = max(4, SCENARIOS[scenario][1] // PART)
    with log.open("wb") as kept:
        process = start_module("tests.support.hostile_client", scenario, url, token, str(count), stdout=kept)
    try:
        yield process
    finally:
        process.kill()
        process.wait(TIMEOUT)


async def _seconds(url: str, token: str, reads: int = READS) -> list[float]:
    """How long each small read takes."""
    found: list[float] = []
    async with connect_client(url, "2026-07-28", token) as client:
        until = time.perf_counter() + READ_SECONDS
        while len(found) < reads and ((began := time.perf_counter()) < until or len(found) < FEWEST_READS):
            given = await client.call_tool("auth_get_tenants", {})
            found.append(time.perf_counter() - began)
            assert not given.is_error, reply_text(given)
    return found


def _p99(seconds: list[float]) -> float:
    return min(statistics.quantiles(seconds, n=100)[98], max(seconds))  # of few values, it would lie beyond all of them


def _cells(alone: list[float], seconds: list[float], log: Path) -> tuple[str, ...]:
    """Return the cells of a scenario in the table of `make load`."""
    went_on, ended = log.read_text(encoding="utf-8").splitlines()[-1].split()
    times = statistics.median(seconds), _p99(seconds), max(seconds), _p99(alone)
    rate = int(ended) / max(float(went_on), 0.001)
    cells = *(f"{each * 1000:.0f}" for each in times), f"{rate:.0f}"
    return (str(len(seconds)), *cells)


PLAYED = list(SCENARIOS) if MEASURED else sample_cases(["slow reads of the API", "streams", "forms without a token"])
"""Each takes some seconds; the others' attacks are in the corpus (tests/hardening), in the process."""


@pytest.mark.parametrize("scenario", PLAYED)
async def test_a_hostile_principal_takes_the_service_from_nobody_by(
    catalogue: Catalogue, tmp_path: Path, tokens: dict[str, str], scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with server(catalogue, tmp_path) as url:
        await _seconds(url, tokens["bob"], 1)  # the first call of a process loads modules and makes tables
        alone = await _seconds(url, tokens["bob"], READS // 2)
        with hostile(scenario, url, tokens["alice"], tmp_path / "hostile.log") as process:
            await anyio.sleep(GATHERING)
            seconds = await _seconds(url, tokens["bob"])
            async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as client:
                assert (await client.get("/healthz")).status_code == 200
                assert (await client.get("/readyz")).json()["capacity"] == "ok"
                assert (await client.get("/console/sign-in")).status_code == 200
                numbers = await client.get("/metrics", headers={"Authorization": f"Bearer {tokens['boss']}"})
                assert numbers.status_code == 200
            assert process.poll() is None, "it went on to the end"
        if MEASURED:
            report_row("shares", (scenario,), _cells(alone, seconds, tmp_path / "hostile.log"), capsys)
            assert _p99(seconds) < P99_GOAL_SECONDS
