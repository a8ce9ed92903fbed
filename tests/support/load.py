"""Many clients at once: their answers, the time, and the requests that reach the API."""

from __future__ import annotations

import itertools
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio
from mcp import Client as McpClient
from mcp_types import CallToolResult

from saasus_mcp.common.messages import message
from saasus_mcp.common.outcome import Outcome
from tests.support.gate import reply_text
from tests.support.hosting_server import Transport, connect_client
from tests.support.load_report import MEASURED
from tests.support.replicas import CountingSandbox

CLIENTS, CALLS = (int(number) for number in (MEASURED or "8x10").split("x"))
"""How many clients there are at once, and how many calls each makes."""
RUN_SECONDS = 20.0
"""No call of a run begins later, so that a busy machine makes fewer calls and does not take longer."""
HANG_SECONDS = 300.0
"""A run that takes longer hangs."""
KEEP_TOKEN = str(message("hosting.keep_token"))
"""In the answer to a request whose token could not be checked, so that nothing was called."""
WRITES_EVERY = 5
"""One call of so many of a client creates a role; the others read."""


@dataclass
class Load:
    """The result of a run.

    Attributes:
        failed: calls without an answer, or with one that says that it failed: which, and why.
        outcomes: of the writes, as the answers say: `unknown` without an answer.
        wrong: answers that were another client's.
        seconds: of each call that was answered.
    """

    calls: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0

    def writes(self, outcome: Outcome) -> set[str]:
        """Return the writes with this outcome."""
        return {label for label, found in self.outcomes.items() if found == outcome}

    def cells(self, sandbox: CountingSandbox) -> tuple[str, ...]:
        """Return the cells of a run in the table of `make load`."""
        cuts = statistics.quantiles(self.seconds, n=100)
        unknown, twice = len(self.writes(Outcome.UNKNOWN)), len(repeated_writes(sandbox))
        times = f"{self.took:.1f}", f"{self.calls / self.took:.0f}", f"{cuts[49] * 1000:.0f}", f"{cuts[98] * 1000:.0f}"
        return (*(f"{number:,}" for number in (self.calls, len(self.failed), unknown, twice)), *times)


async def run_load(
    url: str,
    way: Transport,
    name: str,
    clients: int = CLIENTS,
    calls: int = CALLS,
    tokens: Sequence[str | None] = (None,),
    meanwhile: Callable[[Load], Awaitable[None]] | None = None,
    seconds: float = RUN_SECONDS,
) -> Load:
    """Run clients, each with a tenant of its own that it reads, and roles that only it creates.

    Args:
        name: of this run, so that what it creates is no other's.
        tokens: of the clients, in turn.
        meanwhile: runs beside the calls. The clients go on with more calls until it has ended.
        seconds: no call begins later, except while `meanwhile` runs.

    Raises:
        TimeoutError: a call has no end.
    """
    load, start, ended = Load(), anyio.Event(), anyio.Event()
    ready = [anyio.Event() for _ in range(clients)]

    def is_over(turn: int, began: float) -> bool:
        is_enough = turn >= calls or time.perf_counter() - began > seconds
        return is_enough and (meanwhile is None or ended.is_set())

    async def one(number: int) -> None:
        async with connect_client(url, way, tokens[number % len(tokens)]) as client:
            tenant = await _tenant(client, f"{name} {number}")
            ready[number].set()
            await start.wait()
            began = time.perf_counter()
            for turn in itertools.count():
                if is_over(turn, began):
                    break
                await _call(client, f"{name}_{number}_{turn}", tenant, load, writes=(number + turn) % WRITES_EVERY == 0)

    with anyio.fail_after(HANG_SECONDS):
        async with anyio.create_task_group() as everyone:
            for number in range(clients):
                everyone.start_soon(one, number)
            for each in ready:
                await each.wait()
            began = time.perf_counter()
            start.set()
            if meanwhile is not None:
                await meanwhile(load)
                ended.set()
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
    if writes:
        load.outcomes[label] = Outcome.UNKNOWN
    try:
        if writes:
            given = await client.call_tool("auth_create_role", {"role_name": label, "display_name": label})
        else:
            given = await client.call_tool("auth_get_tenant", {"tenant_id": tenant[0]})
    except Exception as error:  # noqa: BLE001 - whatever a client raises, its caller has no answer
        load.failed[label] = f"{type(error).__name__}: {error}"
        if writes and KEEP_TOKEN in str(error):
            load.outcomes[label] = Outcome.NOT_APPLIED
        return
    load.seconds.append(time.perf_counter() - began)
    if writes:
        load.outcomes[label] = _outcome(given)
    if given.is_error:
        load.failed[label] = reply_text(given)
        return
    found = given.structured_content or {}
    if (found.get("role_name"), found.get("name")) != ((label, None) if writes else (None, tenant[1])):
        load.wrong.append(label)


def _outcome(given: CallToolResult) -> str:
    """Return what an answer says of its call, for programs."""
    [found] = [value for name, value in (given.meta or {}).items() if name.endswith("/applied")]
    return str(found)


def judge_truth(load: Load, sandbox: CountingSandbox, name: str) -> None:
    """Assert that every answer is true: what it says of a write is what has reached the API, which was sent nothing twice."""
    sent = created_roles(sandbox, name)
    assert load.wrong == []
    assert load.writes(Outcome.APPLIED) <= set(sent), "what was answered as done was done"
    assert load.writes(Outcome.NOT_APPLIED).isdisjoint(sent), "what was answered as not done was not sent"
    assert set(sent) <= set(load.outcomes)
    assert repeated_writes(sandbox) == {}


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
