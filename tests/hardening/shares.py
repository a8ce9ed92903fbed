"""Attacks by one caller, or by nobody in particular, on what others need as well: places, sockets, sessions and the API."""

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

from saasus_mcp.hosting import connection, sockets, traffic
from saasus_mcp.hosting.console import web
from saasus_mcp.hosting.shares import CONSOLE, Limits, NoPlace
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server import sending
from saasus_mcp.server.call import Call
from tests.hardening.corpus import Ground, attack
from tests.hosting.stage import INITIALIZE, MCP, Known, Stage, caller, dialled, said, stage

AREA = "Fair shares"
PATIENCE = 20.0
TOOL = "auth_get_roles"
KNOWN = {
    "alice": caller("alice", "team"),
    "bob": caller("bob", "team"),
    "outsider": caller("outsider"),
    "boss": caller("boss", "team", role="approver"),
    "neighbour": caller("neighbour", "elsewhere", role="approver"),
}
FORM = (
    "POST /console/sign-in HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 16000\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n\r\nt"
)
BODY = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\nContent-Type: application/json\r\n"
OF_ALICE = "Authorization: Bearer alice\r\nAccept: application/json, text/event-stream\r\n\r\n{"
STREAM = "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer alice\r\n\r\n"


async def _sign_in(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(sorted(await web.form(request))))


async def _as_boss(request: Request) -> PlainTextResponse:
    """A page of the console, for the approver that the query names, as soon as they are signed in."""
    try:
        traffic.admit(request.scope, request.query_params["who"])
    except NoPlace as none:
        return PlainTextResponse(str(none.limit), 429)
    if "slow" in request.query_params:
        while (await request.receive())["type"] != "http.disconnect":
            pass
    return PlainTextResponse("shown")


def shared(ground: Ground, **table: Any) -> Stage:
    """A server that alice, bob and the approver boss may use, with a form and a page as the console has them."""
    pages = [Route("/console/sign-in", _sign_in, methods=["POST"]), Route("/console/page", _as_boss)]
    pages.append(Route("/large", lambda _: PlainTextResponse("x" * 32_000_000)))
    given = {"connections": 20, **table}
    return stage(
        ground.catalogue, {"default": ["team"], "other": ["elsewhere"]}, Known(dict(KNOWN)), extra=pages, **given
    )


def client(url: str, who: str | None = "bob") -> httpx2.AsyncClient:
    """A client of this caller, whose token is their name."""
    known = {"Authorization": f"Bearer {who}"} if who else {}
    return httpx2.AsyncClient(base_url=url, headers={**MCP, **known}, timeout=PATIENCE)


async def others_are_served(url: str, ready: int = 200) -> None:
    """Bob is served, and so are health checks, the console and whoever looks at the metrics."""
    async with client(url) as bob, client(url, "boss") as boss:
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


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of."""
    with anyio.fail_after(PATIENCE):
        while not happened():  # noqa: ASYNC110 - see above
            await anyio.sleep(0.01)


@asynccontextmanager
async def held(url: str, count: int, words: str) -> AsyncIterator[list[SocketStream]]:
    """So many sockets that say this and then nothing."""
    async with AsyncExitStack() as until:
        found = [await until.enter_async_context(await dialled(url)) for _ in range(count)]
        for each in found:
            if words:
                await each.send(words.encode())
        yield found


async def status(stream: SocketStream) -> int:
    """The status that a socket is answered with."""
    with anyio.fail_after(PATIENCE):
        return int((await stream.receive()).split(b" ")[1])


async def is_closed(stream: SocketStream) -> bool:
    """Whether the server ends the connection, whatever it says before."""
    try:
        with anyio.fail_after(PATIENCE):
            while True:
                await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return True


async def opened(asking: httpx2.AsyncClient) -> str:
    """The id of a new session."""
    answer = await asking.post("/mcp", json=INITIALIZE)
    assert answer.status_code == 200, answer.text
    return answer.headers["Mcp-Session-Id"]


async def works(asking: httpx2.AsyncClient, session: str) -> bool:
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    return (await asking.post("/mcp", json=ping, headers={"Mcp-Session-Id": session})).status_code == 200


# -- places ------------------------------------------------------------------------------------------------------------


@attack(
    AREA, "Forms of the console without a token whose bodies never come, on more sockets than there are connections"
)
async def forms(ground: Ground) -> str:
    async with shared(ground).listening() as url, held(url, 100, FORM) as streams:
        await others_are_served(url)
        assert await status(streams[0]) == 503
    return "the oldest give way; callers, the console, metrics and health checks are served"


@attack(AREA, "A form of the console whose body never comes")
async def slow_form(ground: Ground) -> str:
    ground.monkeypatch.setattr(traffic, "BODY_SECONDS", 0.05)
    async with shared(ground).listening() as url, held(url, 1, FORM) as [stream]:
        assert await status(stream) == 408
        assert await is_closed(stream)
    return "408 at its deadline, and the connection is closed"


@attack(AREA, "A body of MCP that comes one byte at a time")
async def trickling(ground: Ground) -> str:
    ground.monkeypatch.setattr(traffic, "BODY_SECONDS", 0.1)

    async def trickles(stream: SocketStream) -> None:
        while True:
            await stream.send(b" ")
            await anyio.sleep(0.01)

    async with (
        shared(ground).listening() as url,
        held(url, 1, BODY + OF_ALICE) as [stream],
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(trickles, stream)
        assert await status(stream) == 408
        tasks.cancel_scope.cancel()
    return "408 at the deadline of the whole body"


@attack(AREA, "Bodies of MCP without a token that never come, on more sockets than there are connections")
async def bodies(ground: Ground) -> str:
    async with shared(ground).listening() as url, held(url, 100, BODY + "\r\n{") as streams:
        await others_are_served(url)
        assert await status(streams[0]) == 401
    return "401 before the body is waited for; others are served"


@attack(AREA, "Bodies of one caller that never come, on more sockets than there are connections")
async def callers_bodies(ground: Ground) -> str:
    async with shared(ground).listening() as url, held(url, 30, BODY + OF_ALICE) as streams:
        assert await status(streams[-1]) == 429
        await others_are_served(url)
    return "429 beyond the caller's share; others are served"


@attack(AREA, "As many event streams of one caller as there are connections")
async def streams_of_one(ground: Ground) -> str:
    async with shared(ground).listening() as url, held(url, 25, STREAM) as streams:
        assert [await status(each) for each in streams] == [200] * 4 + [429] * 21
        await others_are_served(url)
        async with client(url, "alice") as alice:
            answer = await alice.get("/sse")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert "connections_per_caller" in said(answer)
    return "429 with Retry-After beyond a fifth of them, naming the setting; others are served"


@attack(AREA, "Several callers who take all connections together")
async def all_places(ground: Ground) -> str:
    async with shared(ground, connections=4, connections_per_caller=4).listening() as url:
        async with held(url, 4, STREAM) as streams:
            assert [await status(each) for each in streams] == [200] * 4
            async with client(url) as bob, client(url, "boss") as boss:
                answer = await bob.post("/mcp", json=INITIALIZE)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
                ready = await boss.get("/readyz")
                assert (ready.status_code, ready.json()["capacity"]) == (503, "exhausted")
                assert (await boss.get("/healthz")).status_code == 200
                assert (await boss.get("/metrics")).status_code == 200
        async with client(url) as bob:
            with anyio.fail_after(PATIENCE):
                while (await bob.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - nothing tells
                    await anyio.sleep(0.01)
    return "503 with Retry-After; not ready until there is room again; console and metrics are served"


@attack(AREA, "Slow pages of one approver in every place of the console")
async def console(ground: Ground) -> str:
    made = shared(ground)
    async with made.listening() as url, client(url, None) as asking, anyio.create_task_group() as tasks:
        for _ in range(CONSOLE.each):
            tasks.start_soon(asking.get, "/console/page?who=boss&slow=1")
        await until(lambda: made.metrics.requests.count == CONSOLE.each)
        assert (await asking.get("/console/page?who=boss")).status_code == 429
        assert (await asking.get("/console/page?who=deputy")).text == "shown"
        await others_are_served(url)
        tasks.cancel_scope.cancel()
    return "429 beyond the approver's share; another approver is served"


# -- sockets -----------------------------------------------------------------------------------------------------------


@attack(AREA, "More silent sockets than the server may have open, without a token")
async def silent(ground: Ground) -> str:
    made = shared(ground)
    most = sockets.sockets_for(Limits.of(made.http.table, shared=True))
    async with made.listening() as url, held(url, most + 20, "") as streams:
        await others_are_served(url)
        assert await is_closed(streams[0])
    return "the oldest are closed; others and health checks are served"


@attack(AREA, "Half of a request's head on more sockets than the server may have open")
async def half_heads(ground: Ground) -> str:
    made = shared(ground)
    most = sockets.sockets_for(Limits.of(made.http.table, shared=True))
    async with made.listening() as url, held(url, most + 20, "POST /mcp HTTP/1.1\r\nHost: ") as streams:
        await others_are_served(url)
        assert await is_closed(streams[0])
    return "the oldest are closed; others and health checks are served"


@attack(AREA, "Silent sockets by the hundred, while a caller's connection is kept for the next request")
async def kept(ground: Ground) -> str:
    made = shared(ground)
    most = sockets.sockets_for(Limits.of(made.http.table, shared=True))
    head = BODY.replace("16000", "2") + OF_ALICE + "}"
    async with made.listening() as url, held(url, 1, head) as [alice]:
        assert await status(alice) == 400
        async with held(url, most + 20, ""):
            await alice.send(head.encode())
            assert await status(alice) == 400
    return "sockets without a known caller are closed first"


@attack(AREA, "A client that asks for a large answer and reads none of it")
async def unread(ground: Ground) -> str:
    ground.monkeypatch.setattr(connection, "READING_SECONDS", 0.1)
    made = shared(ground)
    async with made.listening() as url, held(url, 1, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        await until(lambda: made.metrics.requests.count > 0)
        with anyio.fail_after(PATIENCE):
            await made.metrics.requests.none()
    return "its connection is closed, and its place is free"


# -- sessions ----------------------------------------------------------------------------------------------------------


@attack(AREA, "One caller who opens sessions without end")
async def sessions_without_end(ground: Ground) -> str:
    async with (
        shared(ground, sessions_per_caller=3).listening() as url,
        client(url, "alice") as alice,
        client(url) as bob,
    ):
        bobs = await opened(bob)
        found = [await opened(alice) for _ in range(8)]
        assert [await works(alice, each) for each in found] == [False] * 5 + [True] * 3
        assert await works(bob, bobs)
    return "the caller's own oldest ones end; another's goes on"


@attack(AREA, "One caller who opens many sessions at the same moment")
async def sessions_at_once(ground: Ground) -> str:
    made = shared(ground, connections=200, sessions_per_caller=3)
    found: list[str] = []
    async with made.listening() as url, client(url, "alice") as alice:

        async def one() -> None:
            answer = await alice.post("/mcp", json=INITIALIZE)
            assert answer.status_code in {200, 429}
            found.extend([answer.headers["Mcp-Session-Id"]] if answer.status_code == 200 else [])

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
        assert 1 <= sum([await works(alice, each) for each in found]) <= 3
    return "no more than the share stay open"


@attack(AREA, "One caller whose sessions all have an open stream, and who opens another")
async def sessions_in_use(ground: Ground) -> str:
    made = shared(ground, connections=50, sessions_per_caller=2)
    async with made.listening() as url, client(url, "alice") as alice, client(url) as bob, AsyncExitStack() as until:
        for _ in range(2):
            head = STREAM.replace("/sse", "/mcp").replace("Host", f"Mcp-Session-Id: {await opened(alice)}\r\nHost")
            [stream] = await until.enter_async_context(held(url, 1, head))
            assert await status(stream) == 200
        answer = await alice.post("/mcp", json=INITIALIZE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert "sessions_per_caller" in said(answer)
        assert await opened(bob)
    return "429 with Retry-After, naming the setting; another caller opens one"


@attack(AREA, "Another caller's session, named to keep it from being used or to end it")
async def sessions_of_others(ground: Ground) -> str:
    async with (
        shared(ground, sessions_per_caller=2).listening() as url,
        client(url, "alice") as alice,
        client(url) as bob,
    ):
        bobs = await opened(bob)
        for method in ("DELETE", "GET", "POST"):
            answer = await alice.request(method, "/mcp", json=INITIALIZE, headers={"Mcp-Session-Id": bobs})
            assert answer.status_code == 404
        assert await works(bob, bobs)
        for _ in range(2):
            await anyio.wait_all_tasks_blocked()  # the answer is there before its request is over for the server
            await opened(bob)
        await anyio.wait_all_tasks_blocked()
        assert not await works(bob, bobs)
    return "404 as for one that does not exist; its owner's share is as before"


# -- calls -------------------------------------------------------------------------------------------------------------


class Slow(httpx2.AsyncBaseTransport):
    """An API on which one operation is not answered until the end."""

    def __init__(self, behind: httpx2.AsyncBaseTransport) -> None:
        self.behind, self.go, self.waiting = behind, anyio.Event(), 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/roles") and request.method == "GET":
            self.waiting += 1
            await self.go.wait()
        return await self.behind.handle_async_request(request)


async def called(made: Stage, who: str, tool: str, **arguments: str) -> ToolAnswer:
    """The answer of a call; none of these asks a person."""
    given = await made.served["default"].pipeline.run(Call(tool, arguments, KNOWN[who].principal))
    assert isinstance(given, ToolAnswer)
    return given


@asynccontextmanager
async def busy_alice(ground: Ground, calls: int) -> AsyncIterator[tuple[Stage, Slow, list[Any]]]:
    """Alice has so many calls under way, of which as many as she may are at the API."""
    slow: list[Slow] = []

    def through(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        slow.append(Slow(transport))
        return slow[-1]

    made = stage(ground.catalogue, {"default": ["team"]}, Known(dict(KNOWN)), through=through, calls_per_caller=3)
    given: list[Any] = []

    async def call() -> None:
        given.append(await called(made, "alice", TOOL))

    async with anyio.create_task_group() as tasks:
        for _ in range(calls):
            tasks.start_soon(call)
        await until(lambda: slow[0].waiting == min(calls, 3))
        await anyio.wait_all_tasks_blocked()
        yield made, slow[0], given
        slow[0].go.set()


@attack(AREA, "Slow reads of one caller at all connections to the API")
async def slow_reads(ground: Ground) -> str:
    async with busy_alice(ground, 150) as (made, slow, given):
        assert (await called(made, "bob", "auth_get_tenants")).ok
        assert (slow.waiting, given) == (3, [])
        slow.go.set()
        await until(lambda: len(given) == 150)
        assert all(each.ok for each in given)
    return "they wait behind each other and are all answered; another's read goes at once"


@attack(AREA, "Reads of one caller that wait longer than is waited for")
async def late_reads(ground: Ground) -> str:
    ground.monkeypatch.setattr(sending, "READS_WAIT", 0.05)
    async with busy_alice(ground, 5) as (made, _, given):
        await until(lambda: len(given) == 2)
        assert {(each.ok, each.why, each.applied) for each in given} == {(False, "busy", "not_applied")}
        assert all("Try again in 2 seconds" in each.text for each in given)
        assert sum(each.get("refused") == "busy" for each in made.served["default"].pipeline.store.audited()) == 2
    return "busy, not_applied, with the seconds to wait; audited"


@attack(AREA, "A write of a caller who keeps all of their own calls busy")
async def late_write(ground: Ground) -> str:
    ground.monkeypatch.setattr(sending, "WRITES_WAIT", 0.05)
    async with busy_alice(ground, 3) as (made, _, _):
        given = await called(made, "alice", "auth_create_role", role_name="r", display_name="r")
        assert (given.ok, given.why, given.applied) == (False, "busy", "not_applied")
        assert made.apis["default"].writes == []
    return "not_applied: nothing was sent and no yes used up"


@attack(AREA, "Calls that their clients give up while they wait")
async def given_up(ground: Ground) -> str:
    async with busy_alice(ground, 3) as (made, slow, given):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(called, made, "alice", TOOL)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        slow.go.set()
        for _ in range(6):
            assert (await called(made, "alice", TOOL)).ok
        assert len(given) == 3
    return "their turns go to the calls behind them"


@attack(AREA, "Calls without end through one session, whose answers nobody waits for")
async def through_one_session(ground: Ground) -> str:
    slow: list[Slow] = []

    def through(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        slow.append(Slow(transport))
        return slow[-1]

    made = stage(ground.catalogue, {"default": ["team"]}, Known(dict(KNOWN)), through=through, calls_per_caller=1)
    async with (
        made.listening() as url,
        client(url, "alice") as alice,
        client(url) as bob,
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
        assert await works(bob, await opened(bob))
        slow[0].go.set()
    return "busy, not_applied, beyond ten times the share; another caller is served"


async def _data(lines: AsyncIterator[str], part: str) -> str:
    """The data of the next event with this in it."""
    with anyio.fail_after(PATIENCE):
        async for line in lines:
            if line.startswith("data: ") and part in line:
                return line.removeprefix("data: ")
    raise AssertionError(part)


# -- metrics -----------------------------------------------------------------------------------------------------------


@attack(AREA, "The metrics, asked for with a caller's token or by a caller in no group")
async def metrics_for_callers(ground: Ground) -> str:
    async with shared(ground).listening() as url:
        for token in ("alice", "outsider"):
            async with client(url, token) as asking:
                answer = await asking.get("/metrics")
            assert answer.status_code == 403
            assert "approver" in said(answer)
    return "403; the error says which token it takes"


@attack(AREA, "The metrics of a profile, asked for by an approver of another one")
async def metrics_of_others(ground: Ground) -> str:
    made = shared(ground)
    for one in made.served.values():
        await one.pipeline.run(Call("auth_get_tenants", {}, KNOWN["alice"].principal))
    async with made.listening() as url, client(url, "neighbour") as asking:
        page = (await asking.get("/metrics")).text
    assert 'profile="other"' in page
    assert 'profile="default"' not in page
    return "only their own profile is told"
