"""A hosted server as a process of its own, before a sandbox on a port that sees everything it is sent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.store import Store
from saasus_mcp.store.accounts import Accounts, Token
from tests.cli.running import PATIENCE
from tests.hosting.stage import MCP, WAYS, Way, connected
from tests.pipeline.attacks import text

PUBLIC = "https://mcp.example.com"
ROLE = {"role_name": "made", "display_name": "x"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}


@dataclass
class Slow:
    """The sandbox behind a network on which writes arrive and are answered when the test says so."""

    sandbox: Sandbox
    heads: list[str] = field(default_factory=list)
    arrived: anyio.Event = field(default_factory=anyio.Event)
    leave: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heads.append(f"{scope['raw_path']!r} {scope['query_string']!r} {scope['headers']!r}")
        if scope["method"] not in {"GET", "HEAD"}:
            self.arrived.set()
            await self.leave.wait()
        await self.sandbox(scope, receive, send)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        config = uvicorn.Config(self, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            running = uvicorn.Server(config)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(running.serve, [listener])
                try:
                    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
                finally:
                    running.should_exit = True


@contextmanager
def hosted(api: str, state: Path, config: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command that an operator runs, up and ready, before this API; gives where it listens."""
    (state.parent / "config.toml").write_text(
        f'version = 1\n[profiles.default]\ngroups = ["support"]\n{config}', encoding="utf-8"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ("--transport", "http", "--port", str(port), "--public-url", PUBLIC)
    env = {
        **os.environ,
        "SAASUS_API_URL_BASE": api,
        "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
        "SAASUS_API_KEY": CREDENTIALS.api_key,
        "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
    }
    command = [sys.executable, "-m", "saasus_mcp", "serve", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            assert f"MCP at {PUBLIC}/mcp" in said, said + process.stderr.read()
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()


def token(state: Path) -> str:
    """Alice's."""
    accounts, now = Accounts.at(state), time.time()
    try:
        return accounts.add(Token("alice", "caller", frozenset({"support"}), "local:me", now, now + 600))
    finally:
        accounts.close()


def audited(state: Path) -> list[dict[str, Any]]:
    store = Store.at(state, CREDENTIALS.saas_id)
    try:
        return store.audited()
    finally:
        store.close()


async def refuses(url: str) -> None:
    """Wait until nothing listens there any more."""
    host, port = url.removeprefix("http://").split(":")
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                async with await anyio.connect_tcp(host, int(port)):
                    pass
            except OSError:
                return
            await anyio.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
async def test_at_a_signal_a_write_under_way_is_finished_answered_and_audited(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    state, slow = tmp_path / "state", Slow(Sandbox(catalogue))
    bearer = token(state)
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "auth_create_role", "arguments": ROLE, "_meta": MODERN},
    }
    headers = {
        **MCP,
        "Authorization": f"Bearer {bearer}",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "auth_create_role",
    }
    answers: list[httpx2.Response] = []
    async with slow.listening() as api:
        with hosted(api, state) as (url, process):
            async with (
                httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as client,
                anyio.create_task_group() as both,
            ):

                async def ask() -> None:
                    answers.append(await client.post("/mcp", json=call))

                both.start_soon(ask)
                await slow.arrived.wait()
                process.send_signal(signal.SIGTERM)
                await refuses(url)
                slow.leave.set()
            assert await anyio.to_thread.run_sync(process.wait, PATIENCE) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
    [answer] = answers
    assert answer.status_code == 200
    assert not answer.json()["result"]["isError"]
    made = [each.status for each in slow.sandbox.requests if each.operation == "auth.CreateRole"]
    assert made == [201]
    assert [record["event"] for record in audited(state)] == ["begun", "ended"]
    assert audited(state)[-1]["applied"] == "applied"


@pytest.mark.parametrize("way", WAYS)
async def test_what_reaches_the_api_is_signed_with_the_profiles_key_and_knows_no_bearer(
    catalogue: Catalogue, tmp_path: Path, way: Way
) -> None:
    state, slow = tmp_path / "state", Slow(Sandbox(catalogue))
    slow.leave.set()
    bearer = token(state)
    async with slow.listening() as api:
        with hosted(api, state) as (url, _):
            async with connected(url, way, bearer) as client:
                made = await client.call_tool("auth_create_role", ROLE)
                assert not made.is_error, text(made)
                assert not (await client.call_tool("auth_get_roles", {})).is_error
    assert len(slow.heads) >= 2
    assert all("SAASUSSIGV1" in head for head in slow.heads)
    secret = bearer.removeprefix("smcp_")
    assert secret not in "".join(slow.heads) + repr(slow.sandbox.requests)
    assert secret not in json.dumps(audited(state))
    assert {record["principal"] for record in audited(state) if "principal" in record} == {"token:alice"}
