"""An hour of mixed use in one run: 100,000 calls of many kinds on stdio, in which nothing may grow.

    make soak    or: python -m scripts.speed.soak [CALLS]

Exit status 1 where memory, descriptors or threads grew.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.speed import servers
from scripts.speed.servers import PROGRAM, Stdio

CALLS, AT_ONCE, SAMPLES = 100_000, 16, 20
GROWN_MIB, GROWN_FILES = 8.0, AT_ONCE
"""More than this between the first half and the second is a leak. A pool may hold a connection for each call at once."""
MIX: Sequence[tuple[int, str, dict[str, Any]]] = (
    (50, "tools/call", {"name": "auth_get_roles", "arguments": {}}),
    (20, "tools/call", {"name": "auth_get_tenant_users", "arguments": {"tenant_id": "users-3"}}),
    (8, "tools/call", {"name": "time_now", "arguments": {}}),
    (6, "tools/call", {"name": "auth_get_tenant", "arguments": {"tenant_id": 7}}),
    (4, "tools/call", {"name": "auth_get_tennant", "arguments": {}}),
    (4, "tools/call", {"name": "auth_create_role", "arguments": {"role_name": "r", "display_name": "R"}}),
    (3, "tools/call", {"name": "auth_delete_tenant", "arguments": {"tenant_id": "users-1"}}),
    (2, "prompts/list", {}),
    (2, "resources/list", {}),
    (1, "tools/call", {"name": "auth_get_tenant_users", "arguments": {"tenant_id": "users-300"}}),
    (0, "tools/list", {}),
)
"""How often, method and parameters: reads small, middling and too large to show, writes, refusals and mistakes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds after so many calls."""

    calls: int
    memory: float
    files: int
    threads: int


def sample(server: Stdio, calls: int) -> Sample:
    """Return the resources that the process holds."""
    pid = server.process.pid
    threads = len([*Path(f"/proc/{pid}/task").iterdir()])
    return Sample(calls, server.memory(), servers.descriptors(pid), threads)


async def soak(calls: int) -> list[Sample]:
    """Make the calls, and look now and then. A ping at the end shows that nothing waits for ever."""
    weights = [weight for weight, *_ in MIX]
    chosen = iter(random.Random(1).choices(MIX, weights, k=calls))  # noqa: S311 - the same mix each time
    samples: list[Sample] = []
    done = 0
    with servers.stub() as api, servers.environment(api) as env:
        async with servers.on_stdio(PROGRAM, env) as server:

            async def worker() -> None:
                nonlocal done
                for _, method, params in chosen:
                    await server.ask(method, params)
                    done += 1
                    if done % (calls // SAMPLES) == 0:
                        samples.append(sample(server, done))

            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
            await server.ask("ping", {})
    return samples


def grown(samples: Sequence[Sample]) -> list[str]:
    """Return the growth from the first half, without the start, to the second."""
    first, second = samples[2 : len(samples) // 2], samples[len(samples) // 2 :]
    found = []
    if max(each.memory for each in second) > max(each.memory for each in first) + GROWN_MIB:
        found.append("memory")
    if max(each.files for each in second) > max(each.files for each in first) + GROWN_FILES:
        found.append("descriptors")
    if max(each.threads for each in second) > max(each.threads for each in first) + GROWN_FILES:
        found.append("threads")
    return found


def main(calls: int) -> int:
    """Print what was seen. Gives the exit status."""
    before = time.monotonic()
    samples = asyncio.run(soak(calls))
    for each in samples:
        print(f"{each.calls:>8,} calls: {each.memory:6.1f} MiB, {each.files} descriptors, {each.threads} threads")
    found = grown(samples)
    print(json.dumps({"calls": calls, "seconds": round(time.monotonic() - before), "grown": found}))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else CALLS))
