"""Starting and stopping: it does not start where it would be open to all, and nothing begun is lost when it stops."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.hosting.http import uvicorn_server
from saasus_mcp.hosting.limits import concurrency
from saasus_mcp.hosting.limits.request_pool import PoolLimits
from saasus_mcp.hosting.metrics import Metrics
from tests.support.arguments import complete_arguments
from tests.support.commands import run_command
from tests.support.gate import reply_text, target_answers
from tests.support.hosting_server import INITIALIZE, TRANSPORTS, HostingServer, Transport, build_server, connect_client
from tests.support.pipeline import accept_question
from tests.support.processes import TIMEOUT, start_module

OPEN = ("serve", "--transport", "http", "--sandbox", "--host", "0.0.0.0")  # noqa: S104 - it must refuse


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path) -> Path:
    """The file that the settings name, without which no server over HTTP starts."""
    file = tmp_path / "config.toml"
    file.write_text("version = 1\n", encoding="utf-8")
    return file


@dataclass
class Held(httpx2.AsyncBaseTransport):
    """A network on which a write arrives and is answered when the test says so."""

    inner: httpx2.AsyncBaseTransport
    arrived: anyio.Event = field(default_factory=anyio.Event)
    leave: anyio.Event = field(default_factory=anyio.Event)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            self.arrived.set()
            await self.leave.wait()
        return await self.inner.handle_async_request(request)


def held(catalogue: Catalogue) -> tuple[HostingServer, Held]:
    """Return a server whose API delays writes."""
    made: list[Held] = []

    def through(inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        made.append(Held(inner))
        return made[0]

    return build_server(catalogue, through=through), made[0]


def test_it_does_not_start_without_the_file_that_says_who_may_call(configuration: Path) -> None:
    configuration.unlink()
    ran = run_command(*OPEN[:4])
    assert ran.status == 1
    assert f"there is no file {configuration}" in ran.err


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_write_under_way_is_finished_and_answered_before_the_server_stops(
    catalogue: Catalogue, way: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, network = held(catalogue)
    operation = catalogue.find("auth_delete_tenant_user")
    made.apis["default"].answers = target_answers(catalogue, operation)
    drained, drain = anyio.Event(), made.hosted.limiter.drain
    results: list[Any] = []

    async def told(seconds: float) -> None:
        await drain(seconds)
        drained.set()

    monkeypatch.setattr(made.hosted.limiter, "drain", told)
    monkeypatch.setattr(concurrency, "FLUSH_SECONDS", 0.05)
    with uvicorn_server.open_listener("127.0.0.1", 0) as listener:
        server = uvicorn_server.create_server(made.hosted)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        async def call() -> None:
            async with connect_client(url, way, answering=accept_question) as client:
                await client.list_tools()  # with which the client checks what it gets
                results.append(await client.call_tool(operation.tool, complete_arguments(operation)))

        async with anyio.create_task_group() as both:
            both.start_soon(server.serve, [listener])
            both.start_soon(call)
            await network.arrived.wait()
            server.should_exit = True
            with anyio.move_on_after(1):
                await drained.wait()
            assert not drained.is_set(), "however soon answers must be out, first the call ends"
            monkeypatch.setattr(concurrency, "FLUSH_SECONDS", TIMEOUT)
            network.leave.set()
    [result] = results
    assert not result.is_error, reply_text(result)
    assert len(made.apis["default"].writes) == 1
    assert made.served["default"].pipeline.store.audit_log.list_records()[-1]["applied"] == "applied"


async def test_a_stop_waits_only_so_long_and_the_write_still_ends_with_its_audit(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "FLUSH_SECONDS", 0.1)
    made, network = held(catalogue)
    operation = next(each for each in catalogue if each.level == "write")
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": operation.tool, "arguments": complete_arguments(operation)},
    }
    modern = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    call["params"] |= {"_meta": modern}  # type: ignore[operator]
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": operation.tool}
    answers: list[httpx2.Response] = []
    async with made.client(**headers) as client, anyio.create_task_group() as both:

        async def ask() -> None:
            answers.append(await client.post("/mcp", json=call))

        both.start_soon(ask)
        await network.arrived.wait()
        await made.hosted.limiter.drain(0)
        assert (await client.post("/mcp", json=call)).status_code == 503
        assert (await client.get("/readyz")).json()["status"] == "stopping"
        assert (await client.get("/healthz")).status_code == 200
        network.leave.set()
    assert answers[0].status_code == 500, "not 503, after which a proxy or client would send the write again"
    assert made.served["default"].pipeline.store.audit_log.list_records()[-1]["applied"] == "applied"


@pytest.mark.parametrize("path", ["/sse", "/mcp"])
async def test_open_streams_do_not_hold_a_stop_up(
    catalogue: Catalogue, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "FLUSH_SECONDS", 0.1)
    made = build_server(catalogue)
    async with made.serve() as url:
        client = httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer alice-token"}, timeout=TIMEOUT)
        accept = {"Accept": "application/json, text/event-stream"}
        opened = await client.post("/mcp", json=INITIALIZE, headers=accept)
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        streaming = client.stream("GET", path, headers={"Accept": "text/event-stream", **session})
        answer = await streaming.__aenter__()
        assert answer.status_code == 200
    assert "data" in "".join([line async for line in answer.aiter_lines()]) or path == "/mcp"
    await streaming.__aexit__(None, None, None)
    await client.aclose()


def test_small_answers_are_not_held_back() -> None:
    with uvicorn_server.open_listener("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP, "else asyncio does not turn Nagle's algorithm off"


async def test_a_port_that_is_taken_is_named() -> None:
    with uvicorn_server.open_listener("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SaasusMcpError, match=f"127.0.0.1, port {port}") as caught:
            uvicorn_server.open_listener("127.0.0.1", port)
    assert caught.value.message.id == "hosting.cannot_listen"
    assert "--port" in str(caught.value.hint)


def test_it_does_not_start_where_others_reach_it_and_it_is_not_said_by_which_address() -> None:
    ran = run_command(*OPEN)
    assert ran.status == 1
    assert "SAASUS_MCP_PUBLIC_URL" in ran.err


@pytest.mark.parametrize(
    "flags",
    [OPEN, OPEN[:4], (*OPEN[:4], "--host", "127.0.0.1"), (*OPEN[:4], "--host", "::1")],
    ids=["all addresses", "loopback behind a proxy", "127.0.0.1 behind a proxy", "::1 behind a proxy"],
)
def test_it_does_not_start_where_others_reach_it_and_nobody_is_asked_who_they_are(flags: tuple[str, ...]) -> None:
    ran = run_command(*flags, "--public-url", "https://mcp.example.com")
    assert ran.status == 1
    assert "does not start without authentication" in ran.err
    assert "saasus-mcp token new" in ran.err


def test_neither_stdio_nor_http_starts_with_an_address_that_cannot_be_read() -> None:
    ran = run_command(*OPEN, "--public-url", "http://mcp.example.com")
    assert ran.status == 1
    assert "--public-url (SAASUS_MCP_PUBLIC_URL): only https" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
def test_the_command_says_where_it_listens_serves_and_ends_at_a_signal() -> None:
    command = ("saasus_mcp", *OPEN[:4], "--port", "0")
    with start_module(*command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stderr is not None
            said = re.search(r"MCP at (http://127\.0\.0\.1:\d+)/mcp$", process.stderr.readline().strip())
            assert said
            assert "no authentication" in process.stderr.readline().lower()
            assert f"{said[1]}/console/enter/" in process.stderr.readline()
            assert "saasus-mcp console" in process.stderr.readline()
            answer = httpx2.get(f"{said[1]}/readyz", timeout=TIMEOUT)
            assert answer.json() == {
                "status": "ready",
                "store": "ok",
                "policy": "ok",
                "upstream": "ok",
                "capacity": "ok",
            }
            with socket.create_connection(("127.0.0.1", int(said[1].rsplit(":", 1)[1]))):  # silent, and in nobody's way
                process.send_signal(signal.SIGTERM)
                assert process.wait(TIMEOUT) == 0
            stopping, stopped = process.stderr.read().splitlines()
            assert stopping.endswith("INFO: stopping: SIGTERM, calls in flight: 0, open requests: 0")
            assert "INFO: stopped after " in stopped
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
def test_a_second_signal_ends_it_at_once_and_in_order(configuration: Path) -> None:
    """It would take requests for five minutes after the first one."""
    configuration.write_text("version = 1\n[auth]\ntokens = true\n[http]\nleave_seconds = 300\n", encoding="utf-8")
    with start_module("saasus_mcp", *OPEN[:4], "--port", "0", stderr=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            assert any("Console at" in line for line in lines)
            process.send_signal(signal.SIGTERM)
            assert "stopping: SIGTERM" in next(lines)
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
            [stopped] = lines
            assert "INFO: stopped after " in stopped
        finally:
            process.kill()


async def test_an_answer_that_is_still_on_its_way_is_waited_for_when_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency, "SSE_FLUSH_SECONDS", 0.0)
    asked, goes, sent = anyio.Event(), anyio.Event(), list[Message]()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        asked.set()
        await goes.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    through = concurrency.ConcurrencyLimiter(app, PoolLimits(10, 10, 10), Metrics())
    async with anyio.create_task_group() as both:
        both.start_soon(through, {"type": "http", "method": "POST", "path": "/mcp"}, receive, send)
        await asked.wait()
        both.start_soon(through.drain, TIMEOUT)
        await anyio.wait_all_tasks_blocked()
        goes.set()
    assert [message.get("status", message.get("body")) for message in sent] == [200, b"done"]
