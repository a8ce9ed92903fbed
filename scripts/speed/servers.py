"""Servers as processes, and clients of theirs that cost as little as can be."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from saasus_mcp.saasus.signature import Credentials, format_timestamp, now, place_of, sign_request

PROGRAM = (sys.executable, "-m", "saasus_mcp")
OVER_HTTP = ("serve", "--transport", "http", "--port", "0")
"""Arguments with which this server serves HTTP on a free port."""
KEYS = Credentials("saas-bench", "key-of-the-bench-1", "secret-of-the-bench-1")
MODERN = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
CLIENT = {"name": "bench", "version": "1"}
META = {PREFIX + "protocolVersion": MODERN, PREFIX + "clientCapabilities": {}, PREFIX + "clientInfo": CLIENT}
EARLIER = "2025-11-25"
HANDSHAKE = {"protocolVersion": EARLIER, "capabilities": {}, "clientInfo": CLIENT}
LONGEST_LINE = 64 * 1024 * 1024
NUMBER = re.compile(rb'"id": ?(\d+)')
Send = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Tool:
    """The tool that is called."""

    name: str = "auth_get_roles"
    arguments: str = "{}"

    @property
    def params(self) -> dict[str, Any]:
        return {"name": self.name, "arguments": json.loads(self.arguments)}


@contextmanager
def stub() -> Iterator[str]:
    """Yield the stubbed API as a process; its origin."""
    command = (sys.executable, str(Path(__file__).with_name("stub.py")))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - this Python
        assert process.stdout is not None  # noqa: S101 - for the type
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextmanager
def environment(api: str) -> Iterator[dict[str, str]]:
    """Return the environment of a server: the address of the API and the keys, under the names of this server and of the official one."""
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-speed-", ignore_cleanup_errors=True) as folder:
        ours = {"SAAS_ID": KEYS.saas_id, "API_KEY": KEYS.api_key, "SECRET_KEY": KEYS.secret_key, "API_URL_BASE": api}
        theirs = {"SAASID": KEYS.saas_id, "APIKEY": KEYS.api_key, "SECRETKEY": KEYS.secret_key, "API_URL_BASE": api}
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("SAASUS_")},
            **{f"SAASUS_{name}": value for name, value in ours.items()},
            **{f"SAASUS_PLATFORM_{name}": value for name, value in theirs.items()},
            "SAASUS_MCP_STATE_DIR": folder,
            "SAASUS_MCP_CONFIG": str(
                Path(folder) / "config.toml"
            ),  # it does not exist: reading one makes a start take half as long again
        }


def line(number: int, method: str, params: dict[str, Any]) -> bytes:
    """One request."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def started(command: tuple[str, ...], env: dict[str, str], *, modern: bool) -> float:
    """Milliseconds from spawning a server to its list of tools."""
    opening = ("server/discover", {"_meta": META}) if modern else ("initialize", HANDSHAKE)
    before = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - what is measured
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None  # noqa: S101 - for the type
        assert process.stdout is not None  # noqa: S101 - for the type
        process.stdin.write(line(1, *opening))
        process.stdin.flush()
        process.stdout.readline()
        noted = b"" if modern else b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
        process.stdin.write(noted + line(2, "tools/list", {"_meta": META} if modern else {}))
        process.stdin.flush()
        listed = process.stdout.readline()
        taken = (time.perf_counter() - before) * 1000
        process.kill()
    if b'"tools"' not in listed:
        raise SystemExit(f"{command[0]} did not list its tools: {listed[:200]!r}")
    return taken


class Stdio:
    """A server on pipes: requests go out as they are made, answers come back in any order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # noqa: S101 - for the type
        assert process.stdout is not None  # noqa: S101 - for the type
        self.process = process
        self._in, self._out = process.stdin, process.stdout
        self._number = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def listen(self) -> None:
        """Hand each answer to who waits for it."""
        while answer := await self._out.readline():
            found = NUMBER.search(answer[:200]) or NUMBER.search(answer[-200:])
            if found is not None:
                self._waiting.pop(int(found[1])).set_result(answer)

    def ask(self, method: str, params: dict[str, Any]) -> Awaitable[bytes]:
        """Send a request; its answer."""
        self._number += 1
        future = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        self._in.write(line(self._number, method, params))
        return future

    def memory(self) -> float:
        """MiB that the process has resident."""
        return resident(self.process.pid)


@asynccontextmanager
async def on_stdio(command: tuple[str, ...], env: dict[str, str]) -> AsyncIterator[Stdio]:
    """Yield a server on stdio that was greeted and has listed its tools."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, limit=LONGEST_LINE
    )
    server = Stdio(process)
    listening = asyncio.create_task(server.listen())
    try:
        await server.ask("initialize", HANDSHAKE)
        server._in.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')  # noqa: SLF001 - its own module
        await server.ask("tools/list", {})
        yield server
    finally:
        listening.cancel()
        process.kill()
        await process.wait()


@asynccontextmanager
async def listening(command: tuple[str, ...], env: dict[str, str]) -> AsyncIterator[tuple[str, int]]:
    """Yield the URL of a server over HTTP, and the id of its process."""
    config = Path(env["SAASUS_MCP_CONFIG"]).with_name("http.toml")
    config.write_text("version = 1\n", encoding="utf-8")  # over HTTP, a file that is named must exist
    env = {**env, "SAASUS_MCP_CONFIG": str(config)}
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, env=env)
    assert process.stderr is not None  # noqa: S101 - for the type
    said = (await process.stderr.readline()).decode()
    if "MCP at " not in said:
        raise SystemExit(f"the server does not start: {said}")
    try:
        yield said.split("MCP at ")[1].split(",")[0].strip(), process.pid
    finally:
        process.terminate()  # a supervisor stops its workers
        await process.wait()


@asynccontextmanager
async def on_http(command: tuple[str, ...], env: dict[str, str], tool: Tool) -> AsyncIterator[tuple[Send, int]]:
    """Yield a function that calls a tool of a server over HTTP by protocol 2026-07-28, and the id of the server's process."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool.name,
    }
    content = line(1, "tools/call", {**tool.params, "_meta": META})
    async with listening(command, env) as (url, pid), httpx2.AsyncClient(headers=headers, timeout=60) as client:

        async def send() -> bytes:
            return (await client.post(url, content=content)).content

        yield send, pid


@asynccontextmanager
async def direct(url: str) -> AsyncIterator[Send]:
    """Yield the same read by nothing but a signed httpx2 call, its answer parsed."""
    async with httpx2.AsyncClient(headers={"Accept": "application/json"}) as client:

        async def send() -> bytes:
            signed = sign_request(
                KEYS, format_timestamp(now()), method="GET", place=place_of(httpx2.URL(url)), body=b""
            )
            answer = await client.get(url, headers={"Authorization": signed})
            answer.json()
            return answer.content

        yield send


def resident(pid: int) -> float:
    """MiB that a process has resident."""
    file = Path(f"/proc/{pid}/status")
    status = file.read_text(encoding="ascii") if file.exists() else ""
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def processor(pid: int) -> float:
    """Seconds of a processor that the threads of a process have used; where the system does not count them so, not a number."""
    try:
        counters = [each.read_text(encoding="ascii") for each in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:
        counters = []
    return sum(int(each.split()[0]) for each in counters) / 1e9 if counters else float("nan")


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a count of names
