"""A hosted server in a process of its own, before a sandbox on a port that records every request."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import uvicorn
from starlette.types import Receive, Scope, Send

from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.store.tokens import Token, TokenStore
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.hosting_server import MCP, run_server
from tests.support.processes import TIMEOUT, start_module
from tests.support.saas_store import open_saas_store

PUBLIC = "https://mcp.example.com"
ROLE = {"role_name": "role-of-the-test", "display_name": "x"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}


@dataclass
class SlowSandbox:
    """A sandbox that answers writes only when the test releases them."""

    sandbox: FaultySandbox
    requests: list[str] = field(default_factory=list)
    arrived: anyio.Event = field(default_factory=anyio.Event)
    released: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(f"{scope['raw_path']!r} {scope['query_string']!r} {scope['headers']!r}")
        if scope["method"] not in {"GET", "HEAD"}:
            self.arrived.set()
            await self.released.wait()
        await self.sandbox(scope, receive, send)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        config = uvicorn.Config(self, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with run_server(uvicorn.Server(config), listener) as url:
                yield url


@contextmanager
def start_server(api: str, state: Path, **env: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the command that an operator runs, before this API. Return the URL and the process when it is ready."""
    (state.parent / "config.toml").write_text(
        'version = 1\n[profiles.default]\ngroups = ["support"]\n', encoding="utf-8"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ("--transport", "http", "--port", str(port), "--public-url", PUBLIC)
    settings = {
        **os.environ,
        "SAASUS_API_URL_BASE": api,
        "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
        "SAASUS_API_KEY": CREDENTIALS.api_key,
        "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
        **env,
    }
    with start_module("saasus_mcp", "serve", *flags, stderr=subprocess.PIPE, encoding="utf-8", env=settings) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            assert f"MCP at {PUBLIC}/mcp" in said, said + process.stderr.read()
            assert "Console at" in process.stderr.readline()
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()


def create_role_request(bearer: str) -> dict[str, Any]:
    """Return a call that creates a role. See `call_request`."""
    return call_request(bearer, "auth_create_role", ROLE)


def call_request(bearer: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a call of protocol 2026-07-28 as arguments of httpx2."""
    params = {"name": tool, "arguments": arguments, "_meta": MODERN}
    headers = {
        **MCP,
        "Authorization": f"Bearer {bearer}",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}


def create_token(state: Path, name: str = "alice", role: Literal["caller", "approver"] = "caller") -> str:
    """Create a token."""
    accounts, now = TokenStore.open(state), time.time()
    try:
        return accounts.add(Token(name, role, frozenset({"support"}), "local:me", now, now + 600))
    finally:
        accounts.close()


def audit_records(state: Path) -> list[dict[str, Any]]:
    store = open_saas_store(state, CREDENTIALS.saas_id)
    try:
        return store.audit_log.list_records()
    finally:
        store.close()


async def assert_refuses_connections(url: str) -> None:
    """Wait until the server accepts no connections."""
    host, port = url.removeprefix("http://").split(":")
    with anyio.fail_after(TIMEOUT):
        while True:
            try:
                async with await anyio.connect_tcp(host, int(port)):
                    pass
            except OSError:
                return
            await anyio.sleep(0.01)
