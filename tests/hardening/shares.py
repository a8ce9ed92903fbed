"""Attacks by one caller, or without a token, on shared resources: request slots, sockets, sessions and the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx2
from anyio.abc import SocketStream
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from saasus_mcp.hosting.console.forms import read_form
from saasus_mcp.hosting.http import h11_protocol
from saasus_mcp.hosting.limits import concurrency, connections
from saasus_mcp.hosting.limits.request_pool import CONSOLE_LIMITS, CapacityExceeded, PoolLimits
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline import call_sender
from saasus_mcp.server.pipeline.call import Call
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import (
    INITIALIZE,
    MCP,
    HostingServer,
    StaticAuthenticator,
    build_caller,
    build_server,
    error_message,
    open_socket,
)

AREA = "Fair shares"
PATIENCE = 20.0
TOOL = "auth_get_roles"
KNOWN = {
    "alice": build_caller("alice", "team"),
    "bob": build_caller("bob", "team"),
    "outsider": build_caller("outsider"),
    "boss": build_caller("boss", "team", role="approver"),
    "neighbour": build_caller("neighbour", "elsewhere", role="approver"),
}
FORM = (
    "POST /console/sign-in HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 16000\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n\r\nt"
)
BODY = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\nContent-Type: application/json\r\n"
OF_ALICE = "Authorization: Bearer alice\r\nAccept: application/json, text/event-stream\r\n\r\n{"
STREAM = "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer alice\r\n\r\n"


async def _sign_in(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(sorted(await read_form(request))))


async def _as_boss(request: Request) -> PlainTextResponse:
    """Serve a page of the console to the approver that the query names."""
    try:
        concurrency.assign_principal(request.scope, request.query_params["who"])
    except CapacityExceeded as none:
        return PlainTextResponse(str(none.limit), 429)
    if "slow" in request.query_params:
        while (await request.receive())["type"] != "http.disconnect":
            pass
    return PlainTextResponse("shown")


def start_shared_server(ground: AttackContext, **table: Any) -> HostingServer:
    """Return a server for alice, bob and the approver boss, with a form and a page like those of the console."""
    pages = [Route("/console/sign-in", _sign_in, methods=["POST"]), Route("/console/page", _as_boss)]
    pages.append(Route("/large", lambda _: PlainTextResponse("x" * 32_000_000)))
    given = {"connections": 20, **table}
    return build_server(
        ground.catalogue,
        {"default": ["team"], "other": ["elsewhere"]},
        StaticAuthenticator(dict(KNOWN)),
        extra=pages,
        **given,
    )


def open_client(url: str, who: str | None = "bob") -> httpx2.AsyncClient:
    """Open a client of this caller, whose token is their name."""
    known = {"Authorization": f"Bearer {who}"} if who else {}
    return httpx2.AsyncClient(base_url=url, headers={**MCP, **known}, timeout=PATIENCE)


async def assert_others_served(url: str, ready: int = 200) -> None:
    """Assert that bob, health checks, the console and the metrics are served."""
    async with open_client(url) as bob, open_client(url, "boss") as boss:
        assert (await bob.post("/mcp", json=INITIALIZE)).status_code == 200
        assert (await boss.get("/healthz")).status_code == 200
        assert (await boss.get("/readyz")).status_code == ready
        assert (await boss.get("/metrics")).status_code == 200
        form = await bob.post(
            "/console/sign-in",
            data={"token": "t"},
            headers={"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert form.text == "['token']"


async def wait_until(happened: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event announces."""
    with anyio.fail_after(PATIENCE):
        while not happened():  # noqa: ASYNC110 - see above
            await anyio.sleep(0.01)


@asynccontextmanager
async def open_streams(url: str, count: int, words: str) -> AsyncIterator[list[SocketStream]]:
    """Open sockets that send these words and then nothing."""
    async with AsyncExitStack() as until:
        found = [await until.enter_async_context(await open_socket(url)) for _ in range(count)]
        for each in found:
            if words:
                await each.send(words.encode())
        yield found


async def read_status(stream: SocketStream) -> int:
    """Return the HTTP status that a socket receives."""
    with anyio.fail_after(PATIENCE):
        return int((await stream.receive()).split(b" ")[1])


async def is_closed(stream: SocketStream) -> bool:
    """Return whether the server closes the connection, after any answer."""
    try:
        with anyio.fail_after(PATIENCE):
            while True:
                await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return True


async def open_session(asking: httpx2.AsyncClient) -> str:
    """Open a session. Return its id."""
    answer = await asking.post("/mcp", json=INITIALIZE)
    assert answer.status_code == 200, answer.text
    return answer.headers["Mcp-Session-Id"]


async def session_works(asking: httpx2.AsyncClient, session: str) -> bool:
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    return (await asking.post("/mcp", json=ping, headers={"Mcp-Session-Id": session})).status_code == 200


# -- places ------------------------------------------------------------------------------------------------------------


@attack(
    AREA, "Forms of the console without a token whose bodies never come, on more sockets than there are connections"
)
async def forms(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url, open_streams(url, 100, FORM) as streams:
        await assert_others_served(url)
        assert await read_status(streams[0]) == 503
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


# -- sockets -----------------------------------------------------------------------------------------------------------


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


# -- sessions ----------------------------------------------------------------------------------------------------------


@attack(AREA, "One caller who opens sessions without end")
async def sessions_without_end(ground: AttackContext) -> str:
    async with (
        start_shared_server(ground, sessions_per_caller=3).serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
    ):
        bobs = await open_session(bob)
        found = [await open_session(alice) for _ in range(8)]
        assert [await session_works(alice, each) for each in found] == [False] * 5 + [True] * 3
        assert await session_works(bob, bobs)
    return "the caller's own oldest ones end; another's goes on"


@attack(AREA, "One caller who opens many sessions at the same moment")
async def sessions_at_once(ground: AttackContext) -> str:
    made = start_shared_server(ground, connections=200, sessions_per_caller=3)
    found: list[str] = []
    async with made.serve() as url, open_client(url, "alice") as alice:

        async def one() -> None:
            answer = await alice.post("/mcp", json=INITIALIZE)
            assert answer.status_code in {200, 429}
            found.extend([answer.headers["Mcp-Session-Id"]] if answer.status_code == 200 else [])

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
        assert 1 <= sum([await session_works(alice, each) for each in found]) <= 3
    return "no more than the share stay open"


@attack(AREA, "One caller whose sessions all have an open stream, and who opens another")
async def sessions_in_use(ground: AttackContext) -> str:
    made = start_shared_server(ground, connections=50, sessions_per_caller=2)
    async with (
        made.serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
        AsyncExitStack() as until,
    ):
        for _ in range(2):
            head = STREAM.replace("/sse", "/mcp").replace(
                "Host", f"Mcp-Session-Id: {await open_session(alice)}\r\nHost"
            )
            [stream] = await until.enter_async_context(open_streams(url, 1, head))
            assert await read_status(stream) == 200
        answer = await alice.post("/mcp", json=INITIALIZE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert "sessions_per_caller" in error_message(answer)
        assert await open_session(bob)
    return "429 with Retry-After, naming the setting; another caller opens one"


@attack(AREA, "Another caller's session, named to keep it from being used or to end it")
async def sessions_of_others(ground: AttackContext) -> str:
    async with (
        start_shared_server(ground, sessions_per_caller=2).serve() as url,
        open_client(url, "alice") as alice,
        open_client(url) as bob,
    ):
        bobs = await open_session(bob)
        for method in ("DELETE", "GET", "POST"):
            answer = await alice.request(method, "/mcp", json=INITIALIZE, headers={"Mcp-Session-Id": bobs})
            assert answer.status_code == 404
        assert await session_works(bob, bobs)
        for _ in range(2):
            await anyio.wait_all_tasks_blocked()  # the answer is there before its request is over for the server
            await open_session(bob)
        await anyio.wait_all_tasks_blocked()
        assert not await session_works(bob, bobs)
    return "404 as for one that does not exist; its owner's share is as before"


# -- calls -------------------------------------------------------------------------------------------------------------


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
        assert sum(each.get("refused") == "busy" for each in made.served["default"].pipeline.store.audit_records()) == 2
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


# -- metrics -----------------------------------------------------------------------------------------------------------


@attack(AREA, "The metrics, asked for with a caller's token or by a caller in no group")
async def metrics_for_callers(ground: AttackContext) -> str:
    async with start_shared_server(ground).serve() as url:
        for token in ("alice", "outsider"):
            async with open_client(url, token) as asking:
                answer = await asking.get("/metrics")
            assert answer.status_code == 403
            assert "approver" in error_message(answer)
    return "403; the error says which token it takes"


@attack(AREA, "The metrics of a profile, asked for by an approver of another one")
async def metrics_of_others(ground: AttackContext) -> str:
    made = start_shared_server(ground)
    for one in made.served.values():
        await one.pipeline.run(Call("auth_get_tenants", {}, KNOWN["alice"].principal))
    async with made.serve() as url, open_client(url, "neighbour") as asking:
        page = (await asking.get("/metrics")).text
    assert 'profile="other"' in page
    assert 'profile="default"' not in page
    return "only their own profile is shown"
