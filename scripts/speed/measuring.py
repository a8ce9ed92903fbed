"""What one run measures. Everything that is compared takes turns, so that a busy machine is busy for all of it.

A result is a number by table, row and column. Rows are named by terms of `tables.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from scripts.speed import parts, servers
from scripts.speed.load import Taken, load, middle
from scripts.speed.other_servers import OtherServer
from scripts.speed.servers import OVER_HTTP, PROGRAM, Send, Stdio, Tool

ROOT = Path(__file__).resolve().parents[2]
STARTS, ROUNDS, ALONE, TOGETHER, AT_ONCE, MANY, LARGE = 3, 3, 200, 640, 32, 10_000, 5
USERS = (1_000, 10_000)
PING_SECONDS = 0.002
"""How often the server is asked whether it still answers, while it prepares a large answer."""
Row = tuple[str, ...]
Rows = dict[Row, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to measure: the API, the environment of the servers, and the servers beside ours."""

    api: str
    env: dict[str, str]
    others: Sequence[OtherServer]


async def start(bench: Bench) -> Rows:
    """Spawn to tools/list in both eras, from a warm file cache and, where it can be emptied of our files, a cold one."""
    caches = ("warm", "cold") if hasattr(os, "posix_fadvise") else ("warm",)
    eras = (servers.EARLIER, servers.MODERN)
    kinds: dict[Row, tuple[Sequence[str], bool]] = {
        ("ours", era, cache): (PROGRAM, era == servers.MODERN) for era in eras for cache in caches
    }
    kinds |= {(other.key, cache): (other.command, False) for other in bench.others for cache in caches}
    taken: dict[Row, list[float]] = {name: [] for name in kinds}
    for _ in range(STARTS):
        for name, (command, modern) in kinds.items():
            if name[-1] == "cold":
                _forget_files(bench.others)
            else:
                servers.started(tuple(command), bench.env, modern=modern)
            taken[name].append(servers.started(tuple(command), bench.env, modern=modern))
    return {name: {"ms": statistics.median(each)} for name, each in taken.items()}


def _forget_files(others: Sequence[OtherServer]) -> None:
    """Have the system forget what it keeps in memory of the files of all servers."""
    folders = [Path(sys.prefix) / "lib", ROOT / "saasus_mcp", *(other.folder for other in others if other.folder)]
    for file in (file for folder in folders for file in folder.rglob("*") if file.is_file()):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def calling(server: Stdio, tool: Tool) -> Send:
    """Return a function that calls the tool."""

    async def send() -> bytes:
        answer = await server.ask("tools/call", tool.params)
        if b'"isError":true' in answer[-200:] or b'"error"' in answer[:40]:
            raise SystemExit(f"{tool.name} failed: {answer[:300]!r}")
        return answer

    return send


async def calls(bench: Bench) -> Rows:
    """A small read one by one, and 32 at once: directly, through our server on stdio and HTTP, through the others."""
    taken: dict[Row, list[Taken]] = {}
    async with AsyncExitStack() as until:
        ways: dict[Row, Send] = {}
        ways[("direct",)] = await until.enter_async_context(servers.direct(f"{bench.api}/v1/auth/roles"))
        ours = await until.enter_async_context(servers.on_stdio(PROGRAM, bench.env))
        ways["ours", "stdio"] = calling(ours, Tool())
        hosted = await until.enter_async_context(servers.on_http((*PROGRAM, *OVER_HTTP), bench.env, Tool()))
        ways["ours", "http"] = hosted[0]
        for other in bench.others:
            theirs = await until.enter_async_context(servers.on_stdio(other.command, bench.env))
            ways[other.key, "stdio"] = calling(theirs, other.tool)
        for _ in range(ROUNDS):
            for name, send in ways.items():
                taken.setdefault((*name, "alone"), []).append(await load(send, ALONE, 1))
            for name, send in ways.items():
                taken.setdefault((*name, "together"), []).append(await load(send, TOGETHER, AT_ONCE))
    ordered = sorted(taken, key=lambda name: name[-1] == "together")
    return {name: {each: middle(taken[name])[each] for each in ("p50", "p99", "rate")} for name in ordered}


async def processor(bench: Bench) -> Rows:
    """Microseconds of processor time of a small read, 32 at once, in the whole server and in its parts."""
    program = (sys.executable, parts.__file__)
    kinds = {"sdk": (*program, "sdk"), "ours_alone": (*program, "ours"), "whole": PROGRAM}
    found: Rows = {}
    async with AsyncExitStack() as until:
        ways: dict[tuple[str, str], tuple[Send, int]] = {}
        for name, command in kinds.items():
            server = await until.enter_async_context(servers.on_stdio(command, bench.env))
            ways[name, "stdio"] = calling(server, Tool()), server.process.pid
            arguments = OVER_HTTP if name == "whole" else ("http",)
            over_http = servers.on_http((*command, *arguments), bench.env, Tool())
            ways[name, "http"] = await until.enter_async_context(over_http)
        taken: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for way, (send, pid) in ways.items():
                await load(send, AT_ONCE, AT_ONCE)
                before = servers.processor(pid)
                await load(send, TOGETHER, AT_ONCE, warm=0)
                taken.setdefault(way, []).append((servers.processor(pid) - before) / TOGETHER * 1e6)
    for (name, transport), each in taken.items():
        found.setdefault((name,), {})[transport] = statistics.median(each)
    return found


async def large(bench: Bench) -> Rows:
    """Answers of many users: directly, and on stdio, where they are cut and the whole of them is kept."""
    found: Rows = {}
    async with servers.on_stdio(PROGRAM, bench.env) as server:
        for number in USERS:
            size = f"{number:,}"
            send = calling(server, Tool("auth_get_tenant_users", json.dumps({"tenant_id": f"users-{number}"})))
            async with servers.direct(f"{bench.api}/v1/auth/tenants/users-{number}/users") as alone:
                rounds = [(await load(alone, LARGE, 1, 1), await load(send, LARGE, 1, 1)) for _ in range(ROUNDS)]
            for name, taken in (
                (("direct",), [each[0] for each in rounds]),
                (("ours", "stdio"), [each[1] for each in rounds]),
            ):
                found[(*name, "users " + size)] = {"p50": middle(taken)["p50"]}
            blocked = statistics.median([await _longest_block(server, send) for _ in range(LARGE)])
            found["ours", "stdio", "users " + size]["block"] = blocked
    return found


async def _longest_block(server: Stdio, send: Send) -> float:
    """Return the longest time in ms for which a server did not answer a ping while it made one answer."""
    making = asyncio.ensure_future(send())
    longest = 0.0
    while not making.done():
        before = time.perf_counter()
        await server.ask("ping", {})
        longest = max(longest, time.perf_counter() - before)
        await asyncio.sleep(PING_SECONDS)
    await making
    return longest * 1000


async def memory(bench: Bench) -> Rows:
    """MiB once the tools are listed and the SDK is loaded, after the first call, and after ten thousand."""
    found: Rows = {}
    for name, command, tool in [("ours", PROGRAM, Tool()), *((one.key, one.command, one.tool) for one in bench.others)]:
        async with servers.on_stdio(command, bench.env) as server:
            await server.ask("ping", {})
            listed = server.memory()
            send = calling(server, tool)
            await send()
            first = server.memory()
            await load(send, MANY, AT_ONCE)
            found[(name,)] = {"listed": listed, "one": first, "many": server.memory()}
    return found


MEASURES: Mapping[str, Callable[[Bench], Awaitable[Rows]]] = {
    "start": start,
    "calls": calls,
    "processor": processor,
    "large": large,
    "memory": memory,
}


async def measure(others: Sequence[OtherServer], only: Sequence[str]) -> dict[str, Rows]:
    """Return the results of one run, by table."""
    with servers.stub() as api, servers.environment(api) as env:
        return {
            name: await measure_one(Bench(api, env, others)) for name, measure_one in MEASURES.items() if name in only
        }
