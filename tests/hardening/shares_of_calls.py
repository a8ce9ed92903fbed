"""Attacks by one caller on the calls that a server makes at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2

from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline import call_sender
from saasus_mcp.server.pipeline.call import Call
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import INITIALIZE, HostingServer, StaticAuthenticator, build_server
from tests.support.shared_server import KNOWN, PATIENCE, TOOL, open_client, open_session, session_works, wait_until

AREA = "Fair shares"


class SlowApi(httpx2.AsyncBaseTransport):
    """An API that does not answer one operation until the end."""

    def __init__(self, behind: httpx2.AsyncBaseTransport) -> None:
        self.behind, self.go, self.waiting = behind, anyio.Event(), 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/roles") and request.method == "GET":
            self.waiting += 1
            await self.go.wait()
        return await self.behind.handle_async_request(request)


async def call_tool(made: HostingServer, who: str, tool: str, **arguments: str) -> ToolAnswer:
    """Return the answer of a call that asks for no confirmation."""
    given = await made.served["default"].pipeline.run(Call(tool, arguments, KNOWN[who].principal))
    assert isinstance(given, ToolAnswer)
    return given


@asynccontextmanager
async def busy_alice(ground: AttackContext, calls: int) -> AsyncIterator[tuple[HostingServer, SlowApi, list[Any]]]:
    """Start calls of alice, so that as many as allowed are at the API."""
    slow: list[SlowApi] = []

    def through(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        slow.append(SlowApi(transport))
        return slow[-1]

    made = build_server(
        ground.catalogue, {"default": ["team"]}, StaticAuthenticator(dict(KNOWN)), through=through, calls_per_caller=3
    )
    given: list[Any] = []

    async def call() -> None:
        given.append(await call_tool(made, "alice", TOOL))

    async with anyio.create_task_group() as tasks:
        for _ in range(calls):
            tasks.start_soon(call)
        await wait_until(lambda: slow[0].waiting == min(calls, 3))
        await anyio.wait_all_tasks_blocked()
        yield made, slow[0], given
        slow[0].go.set()


@attack(AREA, "Slow reads of one caller at all connections to the API")
async def slow_reads(ground: AttackContext) -> str:
    async with busy_alice(ground, 150) as (made, slow, given):
        assert (await call_tool(made, "bob", "auth_get_tenants")).ok
        assert (slow.waiting, given) == (3, [])
        slow.go.set()
        await wait_until(lambda: len(given) == 150)
        assert all(each.ok for each in given)
    return "they wait behind each other and are all answered; another's read goes at once"


@attack(AREA, "Reads of one caller that wait longer than is waited for")
async def late_reads(ground: AttackContext) -> str:
    ground.monkeypatch.setattr(call_sender, "READ_WAIT_SECONDS", 0.05)
    async with busy_alice(ground, 5) as (made, _, given):
        await wait_until(lambda: len(given) == 2)
        assert {(each.ok, each.why, each.applied) for each in given} == {(False, "busy", "not_applied")}
        assert all("Try again in 2 seconds" in each.text for each in given)
        assert (
            sum(
                each.get("refused") == "busy" for each in made.served["default"].pipeline.store.audit_log.list_records()
            )
            == 2
        )
    return "busy, not_applied, with the seconds to wait; audited"


@attack(AREA, "A write of a caller who keeps all of their own calls busy")
async def late_write(ground: AttackContext) -> str:
    ground.monkeypatch.setattr(call_sender, "WRITE_WAIT_SECONDS", 0.05)
    async with busy_alice(ground, 3) as (made, _, _):
        given = await call_tool(made, "alice", "auth_create_role", role_name="r", display_name="r")
        assert (given.ok, given.why, given.applied) == (False, "busy", "not_applied")
        assert made.apis["default"].writes == []
    return "not_applied: nothing was sent and no yes used up"


@attack(AREA, "Calls that their clients give up while they wait")
async def given_up(ground: AttackContext) -> str:
    async with busy_alice(ground, 3) as (made, slow, given):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(call_tool, made, "alice", TOOL)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        slow.go.set()
        for _ in range(6):
            assert (await call_tool(made, "alice", TOOL)).ok
        assert len(given) == 3
    return "their turns go to the calls behind them"


@attack(AREA, "Calls without end through one session, whose answers nobody waits for")
async def through_one_session(ground: AttackContext) -> str:
    slow: list[SlowApi] = []

    def through(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        slow.append(SlowApi(transport))
        return slow[-1]

    made = build_server(
        ground.catalogue, {"default": ["team"]}, StaticAuthenticator(dict(KNOWN)), through=through, calls_per_caller=1
    )
    async with (
        made.serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
        alice.stream("GET", "/sse", headers={"Accept": "text/event-stream"}) as events,
    ):
        lines = events.aiter_lines()
        path = await _data(lines, "/messages/")
        await alice.post(path, json=INITIALIZE)
        await _data(lines, "protocolVersion")
        await alice.post(path, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number in range(12):
            body = {"jsonrpc": "2.0", "id": 10 + number, "method": "tools/call", "params": {"name": TOOL}}
            assert (await alice.post(path, json=body)).status_code == 202
        answer = await _data(lines, '"result"')
        assert "10 requests in progress" in answer
        assert "not_applied" in answer
        assert slow[0].waiting == 1
        assert await session_works(bob, await open_session(bob))
        slow[0].go.set()
    return "busy, not_applied, beyond ten times the share; another caller is served"


async def _data(lines: AsyncIterator[str], part: str) -> str:
    """Return the data of the next event that contains a text."""
    with anyio.fail_after(PATIENCE):
        async for line in lines:
            if line.startswith("data: ") and part in line:
                return line.removeprefix("data: ")
    raise AssertionError(part)
