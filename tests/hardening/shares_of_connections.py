"""Attacks by one caller, or without a token, on request slots and sockets."""

from __future__ import annotations

import anyio
from anyio.abc import SocketStream

from saasus_mcp.hosting.http import h11_protocol
from saasus_mcp.hosting.limits import concurrency, connections
from saasus_mcp.hosting.limits.request_pool import CONSOLE_LIMITS, PoolLimits
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import INITIALIZE, error_message
from tests.support.shared_server import (
    BODY,
    FORM,
    OF_ALICE,
    PATIENCE,
    STREAM,
    assert_others_served,
    is_closed,
    open_client,
    open_streams,
    read_status,
    start_shared_server,
    wait_until,
)

AREA = "Fair shares"


@attack(
    AREA, "Forms of the console without a token whose bodies never come, on more sockets than there are connections"
)
async def forms(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url, open_streams(url, 100, FORM) as streams:
        await assert_others_served(url)
        assert await read_status(streams[0]) == 408
    return "the oldest give way; callers, the console, metrics and health checks are served"


@attack(AREA, "A form of the console whose body never comes")
async def slow_form(ground: AttackContext) -> str:
    ground.monkeypatch.setattr(concurrency, "BODY_SECONDS", 0.05)
    async with start_shared_server(ground).serve() as url, open_streams(url, 1, FORM) as [stream]:
        assert await read_status(stream) == 408
        assert await is_closed(stream)
    return "408 at its deadline, and the connection is closed"


@attack(AREA, "A body of MCP that comes one byte at a time")
async def trickling(ground: AttackContext) -> str:
    ground.monkeypatch.setattr(concurrency, "BODY_SECONDS", 0.1)

    async def trickles(stream: SocketStream) -> None:
        while True:
            await stream.send(b" ")
            await anyio.sleep(0.01)

    async with (
        start_shared_server(ground).serve() as url,
        open_streams(url, 1, BODY + OF_ALICE) as [stream],
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(trickles, stream)
        assert await read_status(stream) == 408
        tasks.cancel_scope.cancel()
    return "408 at the deadline of the whole body"


@attack(AREA, "Bodies of MCP without a token that never come, on more sockets than there are connections")
async def bodies(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url, open_streams(url, 100, BODY + "\r\n{") as streams:
        await assert_others_served(url)
        assert await read_status(streams[0]) == 401
    return "401 before the body is waited for; others are served"


@attack(AREA, "Bodies of one caller that never come, on more sockets than there are connections")
async def callers_bodies(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url, open_streams(url, 30, BODY + OF_ALICE) as streams:
        assert await read_status(streams[-1]) == 429
        await assert_others_served(url)
    return "429 beyond the caller's share; others are served"


@attack(AREA, "As many event streams of one caller as there are connections")
async def streams_of_one(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url, open_streams(url, 25, STREAM) as streams:
        assert [await read_status(each) for each in streams] == [200] * 4 + [429] * 21
        await assert_others_served(url)
        async with open_client(url, "alice") as alice:
            answer = await alice.get("/sse")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert "connections_per_caller" in error_message(answer)
    return "429 with Retry-After beyond a fifth of them, naming the setting; others are served"


@attack(AREA, "Several callers who take all connections together")
async def all_places(ground: AttackContext) -> str:
    async with start_shared_server(ground, connections=4, connections_per_caller=4).serve() as url:
        async with open_streams(url, 4, STREAM) as streams:
            assert [await read_status(each) for each in streams] == [200] * 4
            async with open_client(url) as bob, open_client(url, "boss") as boss:
                answer = await bob.post("/mcp", json=INITIALIZE)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
                ready = await boss.get("/readyz")
                assert (ready.status_code, ready.json()["capacity"]) == (503, "exhausted")
                assert (await boss.get("/healthz")).status_code == 200
                assert (await boss.get("/metrics")).status_code == 200
        async with open_client(url) as bob:
            with anyio.fail_after(PATIENCE):
                while (await bob.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - nothing tells
                    await anyio.sleep(0.01)
    return "503 with Retry-After; not ready until there is room again; console and metrics are served"


@attack(AREA, "Slow pages of one approver in every place of the console")
async def console(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    async with made.serve() as url, open_client(url, None) as asking, anyio.create_task_group() as tasks:
        for _ in range(CONSOLE_LIMITS.each):
            tasks.start_soon(asking.get, "/console/page?who=boss&slow=1")
        await wait_until(lambda: made.metrics.requests.count == CONSOLE_LIMITS.each)
        assert (await asking.get("/console/page?who=boss")).status_code == 429
        assert (await asking.get("/console/page?who=deputy")).text == "shown"
        await assert_others_served(url)
        tasks.cancel_scope.cancel()
    return "429 beyond the approver's share; another approver is served"


@attack(AREA, "More silent sockets than the server may have open, without a token")
async def silent(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    most = connections.connections_needed(PoolLimits.from_settings(made.http.table, multiple_principals=True))
    async with made.serve() as url, open_streams(url, most + 20, "") as streams:
        await assert_others_served(url)
        assert await is_closed(streams[0])
    return "the oldest are closed; others and health checks are served"


@attack(AREA, "Half of a request's head on more sockets than the server may have open")
async def half_heads(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    most = connections.connections_needed(PoolLimits.from_settings(made.http.table, multiple_principals=True))
    async with made.serve() as url, open_streams(url, most + 20, "POST /mcp HTTP/1.1\r\nHost: ") as streams:
        await assert_others_served(url)
        assert await is_closed(streams[0])
    return "the oldest are closed; others and health checks are served"


@attack(AREA, "Silent sockets by the hundred, while a caller's connection is kept for the next request")
async def idle_connections(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    most = connections.connections_needed(PoolLimits.from_settings(made.http.table, multiple_principals=True))
    head = BODY.replace("16000", "2") + OF_ALICE + "}"
    async with made.serve() as url, open_streams(url, 1, head) as [alice]:
        assert await read_status(alice) == 400
        async with open_streams(url, most + 20, ""):
            await alice.send(head.encode())
            assert await read_status(alice) == 400
    return "sockets without a known caller are closed first"


@attack(AREA, "A client that asks for a large answer and reads none of it")
async def unread(ground: AttackContext) -> str:
    ground.monkeypatch.setattr(h11_protocol, "READ_SECONDS", 0.1)
    made = start_shared_server(ground)
    async with made.serve() as url, open_streams(url, 1, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        await wait_until(lambda: made.metrics.requests.count > 0)
        with anyio.fail_after(PATIENCE):
            await made.metrics.requests.wait_until_zero()
    return "its connection is closed, and its place is free"
