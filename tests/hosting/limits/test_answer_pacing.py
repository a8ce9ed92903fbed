"""A caller who is not known, or above its share, waits for the answers if it asks again and again, and nobody else waits."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
import httpx2
import pytest
from anyio.abc import SocketStream
from anyio.lowlevel import checkpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import AuthUnavailable, Caller
from saasus_mcp.hosting.http.h11_protocol import TimeoutH11Protocol
from saasus_mcp.hosting.limits import answer_pacing
from saasus_mcp.hosting.limits.concurrency import LIFETIME_KEY, assign_principal
from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY, SHARE_KEY
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from tests.support.hosting_server import (
    INITIALIZE,
    MCP,
    HostingServer,
    StaticAuthenticator,
    build_caller,
    build_server,
    open_socket,
)
from tests.support.processes import TIMEOUT

AT_ONCE = 2
WRONG = (
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)
ALICE = {**MCP, "Authorization": "Bearer alice-token"}


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no refusal be answered after the first ones."""
    monkeypatch.setattr(answer_pacing, "ANSWERS", AT_ONCE)
    monkeypatch.setattr(answer_pacing, "ANSWER_SECONDS", 10 * TIMEOUT)


async def _refused(url: str, stack: AsyncExitStack, count: int) -> list[SocketStream]:
    """Send requests with wrong tokens. The first ones are answered, and the others arrive before a later request is answered."""
    streams = [await stack.enter_async_context(await open_socket(url)) for _ in range(count)]
    for number, stream in enumerate(streams):
        await stream.send(WRONG)
        if number < AT_ONCE:
            assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")
    return streams


async def _wait_until_held(made: HostingServer, count: int) -> None:
    """Wait until so many refusals wait: none of them holds a place among the requests."""
    while made.hosted.pacer.waiting != count:
        await checkpoint()
    assert made.metrics.requests.count == 0


@pytest.mark.usefixtures("few_at_once")
async def test_refusals_beyond_the_first_wait_and_valid_tokens_and_health_checks_of_the_same_address_pass(
    catalogue: Catalogue,
) -> None:
    made = build_server(catalogue)
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack, httpx2.AsyncClient(base_url=url) as client:
            await _refused(url, stack, AT_ONCE + 3)
            await _wait_until_held(made, 3)
            for _ in range(AT_ONCE + 1):
                assert (await client.post("/mcp", json=INITIALIZE, headers=ALICE)).status_code == 200
                assert (await client.get("/healthz")).status_code == 200
                assert (await client.post("/mcp", content=b"{", headers=ALICE)).status_code == 400
            assert made.hosted.pacer.waiting == 3


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize("status", [200, 303, 404])
async def test_whatever_an_unknown_caller_is_answered_waits(catalogue: Catalogue, status: int) -> None:
    async def page(_: Request) -> Response:
        return Response("x", status)

    async def failing(_: Request) -> Response:
        return Response("x", 500)

    made = build_server(catalogue, extra=[Route("/page", page), Route("/failing", failing)])
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack, httpx2.AsyncClient(base_url=url) as client:
            for _ in range(AT_ONCE):
                assert (await client.get("/page")).status_code == status
            stream = await stack.enter_async_context(await open_socket(url))
            await stream.send(WRONG.replace(b"POST /mcp", b"GET /page"))
            await _wait_until_held(made, 1)
            assert (await client.get("/failing")).status_code == 500


@pytest.mark.usefixtures("few_at_once")
async def test_a_stop_answers_the_refusals_that_wait(catalogue: Catalogue) -> None:
    made = build_server(catalogue)
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack:
            streams = await _refused(url, stack, AT_ONCE + 1)
            await _wait_until_held(made, 1)
            await made.hosted.limiter.drain(0)
            assert (await streams[-1].receive()).startswith(b"HTTP/1.1 401 ")


@dataclass
class _PartlyUnavailable(StaticAuthenticator):
    """Cannot check one token."""

    async def authenticate(self, token: str) -> Caller | None:
        if token == "unchecked":
            raise AuthUnavailable(message("hosting.server_busy"))
        return await super().authenticate(token)


@pytest.mark.usefixtures("few_at_once")
async def test_a_valid_token_that_may_not_be_used_here_and_one_that_cannot_be_checked_are_answered_at_once(
    catalogue: Catalogue,
) -> None:
    callers = {
        "of an approver": build_caller("bob", role="approver"),
        "without a scope": build_caller("carol", missing_scopes=("mcp:tools",)),
    }
    known = {name.replace(" ", "-"): caller for name, caller in callers.items()}
    made = build_server(catalogue, known=_PartlyUnavailable(known))
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack, httpx2.AsyncClient(base_url=url) as client:
            await _refused(url, stack, AT_ONCE + 1)
            await _wait_until_held(made, 1)
            for token, status in {**dict.fromkeys(known, 403), "unchecked": 503}.items():
                answer = await client.post("/mcp", json=INITIALIZE, headers={"Authorization": f"Bearer {token}"})
                assert (answer.status_code, made.hosted.pacer.waiting) == (status, 1), token


def test_a_request_above_the_share_of_its_caller_is_no_longer_one_that_never_waits() -> None:
    class Full:
        def assign(self, _: str) -> None:
            raise CapacityExceeded

    scope: Scope = {"state": {AUTHENTICATED_KEY: True}, LIFETIME_KEY: Full()}
    with pytest.raises(CapacityExceeded):
        assign_principal(scope, "alice")
    assert AUTHENTICATED_KEY not in scope["state"]


@pytest.mark.usefixtures("few_at_once")
async def test_a_refusal_that_waits_keeps_nothing_of_its_body(catalogue: Catalogue) -> None:
    made = build_server(catalogue)
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack, httpx2.AsyncClient(base_url=url) as client:
            await _refused(url, stack, AT_ONCE)
            stream = await stack.enter_async_context(await open_socket(url))
            await stream.send(WRONG.replace(b"Length: 0", b"Length: 1000") + b"x" * 10)
            await _wait_until_held(made, 1)
            (held,) = (each for each in made.hosted.connections._idle if getattr(each, "_on_lost", None))
            assert isinstance(held, TimeoutH11Protocol)
            assert held.cycle.body == b""
            await stream.send(b"x" * 10)
            assert (await client.get("/healthz")).status_code == 200  # the server has read what came before
            assert held.cycle.body == b""


@pytest.mark.usefixtures("few_at_once")
async def test_a_refusal_does_not_wait_longer_than_the_limit(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_pacing, "MAX_WAIT_SECONDS", 0.0)
    made = build_server(catalogue)
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack:
            streams = await _refused(url, stack, AT_ONCE + 3)
            for stream in streams[AT_ONCE:]:
                assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")
            assert made.hosted.pacer.waiting == 0


@pytest.mark.usefixtures("few_at_once")
async def test_a_refusal_whose_client_has_gone_is_forgotten(catalogue: Catalogue) -> None:
    made = build_server(catalogue)
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack:
            streams = await _refused(url, stack, AT_ONCE + 2)
            await _wait_until_held(made, 2)
            for stream in streams:
                await stream.aclose()
            await _wait_until_held(made, 0)


@pytest.mark.usefixtures("few_at_once")
async def test_a_connection_whose_refusal_waits_gives_way_to_a_new_one(catalogue: Catalogue) -> None:
    made = build_server(catalogue)
    made.hosted.connections._max_connections = AT_ONCE + 2  # far fewer than any setting gives
    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, AsyncExitStack() as stack:
            streams = await _refused(url, stack, AT_ONCE + 2)
            await _wait_until_held(made, 2)
            for stream in streams[:AT_ONCE]:
                assert [_ async for _ in stream] == []  # answered and closed
            for _ in range(3):
                await stack.enter_async_context(await open_socket(url))
            assert [_ async for _ in streams[AT_ONCE]] == []
            assert made.hosted.pacer.waiting == 1


async def test_refusals_are_answered_in_turns_of_their_principals_and_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_pacing, "ANSWERS", 1)
    monkeypatch.setattr(answer_pacing, "ANSWER_SECONDS", 0.0)
    pacer = answer_pacing.AnswerPacer()
    earlier = pacer._queue.take_free("the refusal before them")
    assert earlier is not None
    unknown = {"client": ("10.0.0.1", 1)}
    answered: list[str] = []

    async def refuse(scope: Scope, name: str) -> None:
        await pacer.wait(scope)
        answered.append(name)

    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as tasks:
            for name in (*["alice"] * 6, "bob"):
                tasks.start_soon(refuse, {**unknown, "state": {SHARE_KEY: name}}, name)
            tasks.start_soon(refuse, {**unknown, "state": {}}, "an address")
            while pacer.waiting < 8:
                await checkpoint()
            earlier.release()
    assert answered == ["alice", "bob", "an address", *["alice"] * 5]
