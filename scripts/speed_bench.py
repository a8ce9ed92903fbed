"""How fast the server starts and answers, and what it takes: beside signed calls without it, and beside another server.

    scripts/speed_bench.py [--against 'COMMAND' --tool NAME [--arguments JSON]] [--json FILE] [--write]

All that is compared is measured in turns in one run, so that a busy machine is busy for everybody. `--write` renews
docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.speed import servers  # noqa: E402 - after the path
from scripts.speed.load import Taken, load, middle  # noqa: E402 - after the path
from scripts.speed.servers import PROGRAM, Send, Stdio, Tool  # noqa: E402 - after the path

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- made by scripts/speed_bench.py --write -->\n", "<!-- end -->\n"
STARTS, ROUNDS, ALONE, TOGETHER, AT_ONCE, MANY = 9, 5, 200, 640, 32, 10_000
OURS, OTHER, DIRECT = "saasus-mcp", "the other server", "signed httpx2 alone"
USERS = (1_000, 10_000)
Results = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Other:
    """The server to measure beside ours."""

    command: tuple[str, ...]
    tool: Tool


def starting(api: str, other: Other | None) -> dict[str, dict[str, float]]:
    """Spawn to tools/list in both eras, from a warm file cache and, where it can be emptied of our files, a cold one."""
    kinds: list[tuple[str, tuple[str, ...], bool, bool]] = [
        (f"{OURS}, {era}, {cache}", PROGRAM, era == servers.MODERN, cache == "cold")
        for era in (servers.HANDSHAKE["protocolVersion"], servers.MODERN)
        for cache in ("warm", "cold")
        if cache == "warm" or hasattr(os, "posix_fadvise")
    ]
    if other is not None:
        kinds += [(f"{OTHER}, {cache}", other.command, False, cache == "cold") for cache in ("warm", "cold")]
    taken: dict[str, list[float]] = {name: [] for name, *_ in kinds}
    with servers.environment(api) as env:
        for _ in range(STARTS):
            for name, command, modern, cold in kinds:
                if cold:
                    _forget(other)
                else:
                    servers.started(command, env, modern=modern)
                taken[name].append(servers.started(command, env, modern=modern))
    return {
        name: {"median": statistics.median(each), "least": min(each), "most": max(each)} for name, each in taken.items()
    }


def _forget(other: Other | None) -> None:
    """Have the system forget what it keeps in memory of the files of both servers."""
    folders = [Path(sys.prefix) / "lib", ROOT / "saasus_mcp"]
    folders += [Path(part).resolve().parent for part in other.command if Path(part).is_file()] if other else []
    for file in (file for folder in folders for file in folder.rglob("*") if file.is_file()):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def calling(server: Stdio, tool: Tool) -> Send:
    """Call the tool."""

    async def send() -> bytes:
        answer = await server.ask("tools/call", tool.params)
        if b'"isError":true' in answer[-200:] or b'"error"' in answer[:40]:
            raise SystemExit(f"{tool.name} failed: {answer[:300]!r}")
        return answer

    return send


async def calls(api: str, other: Other | None) -> dict[str, dict[str, float]]:
    """Return a small read one after another, and 32 at once: directly, through our server on stdio and HTTP, through the other."""
    taken: dict[str, list[Taken]] = {}
    with servers.environment(api) as env:
        async with AsyncExitStack() as until:
            ways = {DIRECT: await until.enter_async_context(servers.direct(f"{api}/v1/auth/roles"))}
            ours = await until.enter_async_context(servers.on_stdio(PROGRAM, env))
            ways[f"{OURS} on stdio"] = calling(ours, Tool())
            ways[f"{OURS} over HTTP"], _ = await until.enter_async_context(servers.on_http(env, Tool()))
            if other is not None:
                theirs = await until.enter_async_context(servers.on_stdio(other.command, env))
                ways[f"{OTHER} on stdio"] = calling(theirs, other.tool)
            for _ in range(ROUNDS):
                for name, send in ways.items():
                    taken.setdefault(f"{name}, one by one", []).append(await load(send, ALONE, 1))
                for name, send in ways.items():
                    taken.setdefault(f"{name}, {AT_ONCE} at once", []).append(await load(send, TOGETHER, AT_ONCE))
    return {name: middle(rounds) for name, rounds in taken.items()}


async def memory(api: str, other: Other | None) -> dict[str, dict[str, float]]:
    """MiB once the tools are listed, after the first call, and after ten thousand."""
    found: dict[str, dict[str, float]] = {}
    for name, command, tool in [(OURS, PROGRAM, Tool())] + ([(OTHER, other.command, other.tool)] if other else []):
        with servers.environment(api) as env:
            async with servers.on_stdio(command, env) as server:
                await server.ask("ping", {})
                started = server.memory()
                send = calling(server, tool)
                await send()
                first = server.memory()
                await load(send, MANY, AT_ONCE)
                found[name] = {"started": started, "called": first, "after 10,000": server.memory()}
    return found


async def large(api: str) -> dict[str, dict[str, float]]:
    """Answers of many users: directly, and on stdio, where they are cut and the whole of them is kept."""
    taken: dict[str, list[Taken]] = {}
    with servers.environment(api) as env:
        async with servers.on_stdio(PROGRAM, env) as server:
            for number in USERS:
                tool = Tool("auth_get_tenant_users", json.dumps({"tenant_id": f"users-{number}"}))
                async with servers.direct(f"{api}/v1/auth/tenants/users-{number}/users") as alone:
                    for _ in range(ROUNDS):
                        taken.setdefault(f"{DIRECT}, {number:,} users", []).append(await load(alone, 5, 1, 1))
                        send = calling(server, tool)
                        taken.setdefault(f"{OURS} on stdio, {number:,} users", []).append(await load(send, 5, 1, 1))
    return {name: middle(rounds) for name, rounds in taken.items()}


async def measured(other: Other | None) -> Results:
    """Everything."""
    with servers.stub() as api:
        return {
            "start": starting(api, other),
            "calls": await calls(api, other),
            "memory": await memory(api, other),
            "large": await large(api),
        }


def ratios(found: Results) -> Iterator[tuple[str, float, str]]:
    """Return the promises: name, measured value and target."""
    start, each = found["start"], found["calls"]
    ours = start[f"{OURS}, {servers.HANDSHAKE['protocolVersion']}, warm"]["median"]
    if f"{OTHER}, warm" in start:
        yield "start, to the other server's", ours / start[f"{OTHER}, warm"]["median"], "at most 1"
    alone, together = ", one by one", f", {AT_ONCE} at once"
    for way in ("on stdio", "over HTTP"):
        added = each[f"{OURS} {way}{alone}"]["p50"] - each[DIRECT + alone]["p50"]
        yield f"milliseconds added to a call {way}, median", added, "under 1" if way == "on stdio" else ""
    for name in (f"{OURS} on stdio", f"{OURS} over HTTP", f"{OTHER} on stdio"):
        if name + together in each:
            rate = each[name + together]["rate"] / each[DIRECT + together]["rate"]
            yield f"throughput of {name} at {AT_ONCE}, to {DIRECT}", rate, "at least 0.6" if OURS in name else ""
    yield "MiB once the tools are listed", found["memory"][OURS]["started"], "under 90"


def tables(found: Results) -> str:
    """Return the measurements for the page and the terminal."""
    today = datetime.now(UTC).date()
    said = [f"{today}, Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores, other work beside it: see the ratios."]  # fmt: skip
    said.append(
        _table(("spawn to tools/list", "median ms", "least", "most"), found["start"], ("median", "least", "most"))
    )
    columns = ("p50", "p99", "rate", "least", "most")
    heads = ("p50 ms", "p99 ms", "calls/s", "least p50", "most p50")
    said.append(_table(("a small read", *heads), found["calls"], columns))
    said.append(_table(("a large read", *heads), found["large"], columns))
    said.append(_table(("memory, MiB", "listed", "one call", "10,000 calls"), found["memory"], ("started", "called", "after 10,000")))  # fmt: skip
    lines = [f"| {name} | {value:.2f} | {goal} |" for name, value, goal in ratios(found)]
    said.append("\n".join(["| held to | measured | goal |", "| --- | ---: | --- |", *lines]))
    return "\n\n".join(said) + "\n"


def _table(heads: Sequence[str], rows: dict[str, dict[str, float]], columns: Sequence[str]) -> str:
    lines = [f"| {name} | " + " | ".join(f"{row[each]:,.1f}" for each in columns) + " |" for name, row in rows.items()]
    return "\n".join([f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * len(columns), *lines])


def report(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--against", metavar="COMMAND", help="another server on stdio")
    options.add_argument("--tool", help="its tool that reads roles")
    options.add_argument("--arguments", default="{}", help="that tool's arguments, JSON")
    options.add_argument("--json", type=Path, help="file to write it to as JSON")
    options.add_argument("--write", action="store_true", help="renew docs/performance.md")
    given = options.parse_args(arguments)
    if given.against and not given.tool:
        options.error("--against needs --tool")
    other = Other(tuple(shlex.split(given.against)), Tool(given.tool, given.arguments)) if given.against else None
    found = asyncio.run(measured(other))
    print(tables(found))
    if given.json:
        promised: Any = [{"what": name, "measured": value, "goal": goal} for name, value, goal in ratios(found)]
        given.json.write_text(json.dumps({**found, "held to": promised}, indent=1) + "\n", encoding="utf-8")
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        PAGE.write_text(head + BEGIN + tables(found) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    report(sys.argv[1:])
