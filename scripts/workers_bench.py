"""Measure what further workers gain: `python -m scripts.workers_bench [--workers 2] [--calls N] [--rounds N]`.

One worker and several serve the same API in turns, so other work on the machine disturbs both alike. The load generator and the
stub of the API take processor time too: on a machine with as many cores as workers, the ratio cannot reach their number. So
the processor time of the busiest process is compared too: it limits the calls where each process has a core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

from scripts.speed import servers
from scripts.speed.load import Taken
from scripts.speed.raw_http import raw_load

GOAL = 1.7
TICKS = os.sysconf("SC_CLK_TCK")
WARMING = 20
"""Loads before the one that is measured, at most."""


@dataclass(frozen=True, slots=True)
class Round:
    """One run at one number of workers: calls a second, processor time and memory of each of the server's processes.

    Attributes:
        cpu_us: the processor time for one call, in µs, by process.
    """

    taken: Taken
    cpu_us: tuple[float, ...]
    memory: tuple[float, ...]


def processes(parent: int) -> list[int]:
    """Return a server's process and its children."""
    found = [parent]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if int(status[1]) == parent:
                found.append(int(entry.name))
    return found


def processor_seconds(pids: list[int]) -> list[float]:
    """Return the processor time that each of the processes has used."""
    fields = (Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for pid in pids)
    return [(int(each[11]) + int(each[12])) / TICKS for each in fields]


async def measure(api: str, workers: int, calls: int, at_once: int) -> Round:
    """Start a server, make the calls, and stop it."""
    with servers.environment(api) as env:
        env["SAASUS_MCP_WORKERS"] = str(workers)
        async with servers.listening((*servers.PROGRAM, *servers.OVER_HTTP), env) as (url, pid):
            pids: list[int] = []
            used: list[float] = []
            for _ in range(WARMING):  # a worker that is still starting takes no part
                before = dict(zip(pids, processor_seconds(pids), strict=True))
                await raw_load(url, servers.Tool(), calls // 4, at_once)
                pids = processes(pid)
                used = [now - before.get(each, now) for each, now in zip(pids, processor_seconds(pids), strict=True)]
                if sum(each > max(used) / 10 for each in used) >= workers and max(used) > 0:
                    break
            else:
                raise SystemExit(f"of {workers} workers, some took no part: {used}")
            before_load = processor_seconds(pids)
            taken = await raw_load(url, servers.Tool(), calls, at_once)
            used = [now - then for now, then in zip(processor_seconds(pids), before_load, strict=True)]
            cpu_us = tuple(each / calls * 1e6 for each in used)
            return Round(taken, cpu_us, tuple(servers.resident(each) for each in pids))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    counts = (1, given.workers)
    rounds: dict[int, list[Round]] = {count: [] for count in counts}
    with servers.stub() as api:
        for _ in range(given.rounds):
            for count in counts:
                rounds[count].append(await measure(api, count, given.calls, given.at_once))
    print(
        f"{given.calls} small reads over HTTP, {given.at_once} at once, {given.rounds} rounds in turns, {os.cpu_count()} cores\n"
    )
    print("| workers | calls/s | least | most | p50 ms | processor µs a call | MiB of each process |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for count, found in rounds.items():
        rates = [each.taken.rate for each in found]
        cells = (statistics.median(rates), min(rates), max(rates), statistics.median(each.taken.p50 for each in found))
        memory = ", ".join(f"{each:.0f}" for each in found[-1].memory)
        print(
            f"| {count} | {' | '.join(f'{each:,.1f}' for each in cells)} | {statistics.median(sum(each.cpu_us) for each in found):,.0f} | {memory} |"
        )
    pairs = list(zip(*rounds.values(), strict=True))
    measured = _spread([two.taken.rate / one.taken.rate for one, two in pairs])
    busiest = _spread([max(one.cpu_us) / max(two.cpu_us) for one, two in pairs])
    print(
        f"\n{given.workers} workers to one: {measured}; by the busiest process, each with a core of its own: {busiest}; goal {GOAL}"
    )


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    asyncio.run(main())
