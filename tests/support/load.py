"""Many clients at once: their answers, the time, and the requests that reach the API."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp import Client as McpClient

from tests.support.gate import reply_text
from tests.support.hosting_server import Transport, connect_client
from tests.support.replicas import CountingSandbox

MEASURED = os.environ.get("SAASUS_MCP_TEST_LOAD")
"""How many clients and how many calls of each, as `32x50`. `make load` sets it, and prints the numbers."""
WRITES_EVERY = 5
"""One call of so many creates a role; the others read."""


@dataclass
class Load:
    """The result of a run.

    Attributes:
        failed: calls without an answer, or with one that says it failed: which, and why.
        wrong: answers that were another client's.
        seconds: of each call that was answered.
    """

    calls: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0

    def line(self) -> str:
        """Return the numbers in one line."""
        cuts = statistics.quantiles(self.seconds, n=100)
        return (
            f"{self.calls} calls, {self.calls / self.took:.0f} a second; median {cuts[49] * 1000:.0f} ms, "
            f"99 of 100 within {cuts[98] * 1000:.0f} ms; {len(self.failed)} failed, {len(self.wrong)} to the wrong client"
        )


async def run_load(
    url: str,
    way: Transport,
    clients: int,
    calls: int,
    name: str,
    after: Callable[[Load], Any] = lambda _: None,
    token: str | None = None,
) -> Load:
    """Run clients, each with a tenant of its own that it reads, and roles that only it creates.

    Args:
        name: of this run, so that what it creates is no other's.
        after: is called after each call.
    """
    load, start = Load(), anyio.Event()
    ready = [anyio.Event() for _ in range(clients)]

    async def one(number: int) -> None:
        async with connect_client(url, way, token) as client:
            tenant = await _tenant(client, f"{name} {number}")
            ready[number].set()
            await start.wait()
            for turn in range(calls):
                await _call(client, f"{name}_{number}_{turn}", tenant, load, writes=turn % WRITES_EVERY == 0)
                after(load)

    async with anyio.create_task_group() as everyone:
        for number in range(clients):
            everyone.start_soon(one, number)
        for each in ready:
            await each.wait()
        began = time.perf_counter()
        start.set()
    load.took = time.perf_counter() - began
    return load


async def _tenant(client: McpClient, name: str) -> tuple[str, str]:
    wanted = {"name": name, "attributes": {}, "back_office_staff_email": "a@example.jp"}
    made = await client.call_tool("auth_create_tenant", wanted)
    assert not made.is_error, reply_text(made)
    return str((made.structured_content or {})["id"]), name


async def _call(client: McpClient, label: str, tenant: tuple[str, str], load: Load, *, writes: bool) -> None:
    began = time.perf_counter()
    load.calls += 1
    try:
        if writes:
            given = await client.call_tool("auth_create_role", {"role_name": label, "display_name": label})
        else:
            given = await client.call_tool("auth_get_tenant", {"tenant_id": tenant[0]})
    except Exception as error:  # noqa: BLE001 - whatever a client raises, its caller has no answer
        load.failed[label] = f"{type(error).__name__}: {error}"
        return
    load.seconds.append(time.perf_counter() - began)
    if given.is_error:
        load.failed[label] = reply_text(given)
        return
    found = given.structured_content or {}
    if writes:
        load.written.add(label)
    if (found.get("role_name"), found.get("name")) != ((label, None) if writes else (None, tenant[1])):
        load.wrong.append(label)


def repeated_writes(sandbox: CountingSandbox) -> dict[str, int]:
    """Return the writes that reached the API more than once."""
    return {said: count for said, count in sandbox.writes.items() if count > 1}


def created_roles(sandbox: CountingSandbox, name: str) -> Counter[str]:
    """Return the roles of a run that reached the API, and how often each."""
    found: Counter[str] = Counter()
    for said, count in sandbox.writes.items():
        if "/roles" in said and f'"{name}_' in said:
            found[said.split('"role_name":"')[1].split('"')[0]] += count
    return found
