"""A hosted server that several callers share, and clients that keep its sockets busy."""

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
from saasus_mcp.hosting.limits import concurrency
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from tests.support.attack_corpus import AttackContext
from tests.support.hosting_server import (
    INITIALIZE,
    MCP,
    HostingServer,
    StaticAuthenticator,
    build_caller,
    build_server,
    open_socket,
)

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
