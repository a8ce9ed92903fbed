"""However many connections ask without a token, a request with a known token is parsed and answered before most of them."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.lowlevel import checkpoint

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.limits import head_queue
from saasus_mcp.hosting.limits.head_queue import HEADS_PER_TURN, HeadQueue
from saasus_mcp.hosting.limits.recent_tokens import RecentTokens
from tests.support.hosting_server import INITIALIZE, MCP, build_server, open_socket
from tests.support.processes import TIMEOUT

BODY = json.dumps(INITIALIZE).encode()
HEADERS = {**MCP, "Host": "localhost", "Authorization": "Bearer alice-token", "Content-Length": str(len(BODY))}
KNOWN = (
    b"POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items()).encode() + b"\r\n"
)
UNKNOWN = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
LOOPS = {"asyncio": ("asyncio", {}), "uvloop": ("asyncio", {"use_uvloop": True})}


class Sockets:
    """Connections that are opened and written to while the server does nothing, as it is in this thread."""

    def __init__(self, url: str, until: ExitStack) -> None:
        self._address = "127.0.0.1", urlsplit(url).port
        self._until = until

    def send(self, content: bytes) -> socket.socket:
        connection = self._until.enter_context(socket.create_connection(self._address, TIMEOUT))
        connection.sendall(content)
        connection.setblocking(False)
        return connection


async def _receive(connection: socket.socket) -> bytes:
    await anyio.wait_readable(connection)
    return connection.recv(65536)


async def _answers(connection: socket.socket, count: int) -> int:
    """Return how many answers have arrived, once there are at least so many."""
    received = b""
    while received.count(b"HTTP/1.1 ") < count and (part := await _receive(connection)):
        received += part
    with suppress(BlockingIOError):
        received += connection.recv(65536)
    return received.count(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    ("connections", "heads"), [(400, 1), (40, 10)], ids=["many connections", "many heads on each connection"]
)
@pytest.mark.parametrize("path", [b"/healthz", b"/readyz", b"/console/sign-in"])
@pytest.mark.parametrize("anyio_backend", LOOPS.values(), ids=LOOPS)
async def test_a_known_caller_does_not_wait_for_those_who_are_not_known(
    catalogue: Catalogue, connections: int, heads: int, path: bytes
) -> None:
    with anyio.fail_after(TIMEOUT):
        async with build_server(catalogue).serve() as url:
            with ExitStack() as until:
                sockets = Sockets(url, until)
                assert (await _receive(sockets.send(KNOWN + BODY))).startswith(b"HTTP/1.1 200 ")
                unknown = [sockets.send(UNKNOWN % path * heads) for _ in range(connections)]
                assert (await _receive(sockets.send(KNOWN + BODY))).startswith(b"HTTP/1.1 200 ")
                before = [await _answers(each, 0) for each in unknown]
                assert sum(before) < connections * heads / 2


async def test_a_known_caller_whose_head_arrives_in_parts_does_not_wait(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with anyio.fail_after(TIMEOUT):
        async with build_server(catalogue).serve() as url:
            async with await open_socket(url) as first:
                await first.send(KNOWN + BODY)
                assert (await first.receive()).startswith(b"HTTP/1.1 200 ")
            monkeypatch.setattr(head_queue, "HEADS_PER_TURN", 0)
            async with await open_socket(url) as stream:
                for part in (KNOWN[:60], KNOWN[60:], BODY):
                    await stream.send(part)
                    for _ in range(20):  # the server reads it
                        await checkpoint()
                assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("most", [1000, 1], ids=["room for all", "room for one"])
async def test_every_request_that_waits_is_answered(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    made = build_server(catalogue)
    monkeypatch.setattr(made.hosted.heads, "_most", most)
    with anyio.fail_after(TIMEOUT), ExitStack() as until:
        async with made.serve() as url:
            sockets = Sockets(url, until)
            unknown = [sockets.send(UNKNOWN % b"/healthz" * 3) for _ in range(20)]
            assert [await _answers(each, 3) for each in unknown] == [3] * 20


async def test_a_stop_answers_the_requests_that_wait(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_queue, "HEADS_PER_TURN", 0)
    made = build_server(catalogue)
    with anyio.fail_after(TIMEOUT), ExitStack() as until:
        async with made.serve() as url:
            unknown = [Sockets(url, until).send(UNKNOWN % b"/healthz") for _ in range(20)]
            while made.hosted.heads is not None and made.hosted.heads.waiting < 20:
                await checkpoint()
        assert [await _answers(each, 1) for each in unknown] == [1] * 20


async def test_a_body_larger_than_what_is_parsed_at_once_waits_with_its_head(catalogue: Catalogue) -> None:
    content = BODY.replace(b'"test"', b'"' + b"t" * 200_000 + b'"')
    head = KNOWN.replace(b"Content-Length: %d" % len(BODY), b"Content-Length: %d" % len(content))
    with anyio.fail_after(TIMEOUT):
        async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
            await stream.send(head + content)
            assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")


class Connection:
    """Notes its turn."""

    def __init__(self, name: str, turns: list[str]) -> None:
        self._name, self._turns = name, turns

    def take_turn(self) -> None:
        self._turns.append(self._name)


async def test_addresses_take_turns() -> None:
    turns: list[str] = []
    heads = HeadQueue(RecentTokens(), 1000)
    for name in ("flood",) * 100 + ("balancer", "flood", "balancer"):
        heads.enter(Connection(name, turns), name)
    while len(turns) < HEADS_PER_TURN:
        await checkpoint()
    assert turns == ["flood", "balancer"] * (HEADS_PER_TURN // 2)
