"""What one request, one connection and one body may take: size, time and number."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.http import h11_connection, h11_protocol, mcp_transports
from saasus_mcp.hosting.limits import concurrency
from tests.support.hosting_server import (
    INITIALIZE,
    StaticAuthenticator,
    build_caller,
    build_server,
    error_message,
    open_socket,
    provider_table,
)
from tests.support.processes import TIMEOUT


@pytest.mark.parametrize("path", ["/mcp", "/messages/default/"])
async def test_a_body_too_large_is_refused(catalogue: Catalogue, path: str) -> None:
    async def in_pieces() -> Any:
        for _ in range(3):
            yield b"x" * 1000

    async with build_server(catalogue, body_limit=2000).client() as client:
        assert (await client.post(path, content=b"x" * 2001)).status_code == 413
        assert (await client.post(path, content=in_pieces())).status_code == 413
        assert (await client.post(path, content=b"x" * 2000)).status_code == 400


@pytest.mark.parametrize("path", ["/mcp", "/messages/default/"])
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"[" + b"[]," * 30_000 + b"1]", 413, "lists and objects"),
        (b"[" + b"1," * 90_000 + b"1]", 413, "60,000 values"),
        (b"[" * 100 + b"]" * 100, 413, "levels deep"),
        ('{"a": 1}'.encode("utf-16"), 400, "NUL byte. Send JSON in UTF-8"),
        (b'{"a": "\0"}', 400, "NUL byte"),
        (b"[" * 100 + b"\0", 400, "NUL byte"),
    ],
    ids=["lists", "values", "depth", "encoding", "nul", "nul and depth"],
)
async def test_a_body_of_too_much_is_refused_before_it_is_parsed(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, path: str, body: bytes, status: int, said: str
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was parsed")

    async def in_pieces() -> Any:
        yield body[:10]
        yield body[10:]

    async with build_server(catalogue).client() as client:
        assert (
            await client.post(path, content=body)
        ).status_code == status  # reads the texts of refusals, which are JSON
        monkeypatch.setattr("pydantic_core.from_json", never)
        monkeypatch.setattr("json.loads", never)
        for content in (body, in_pieces()):
            answer = await client.post(path, content=content)
            assert (answer.status_code, said in answer.text) == (status, True)


async def test_a_body_that_does_not_come_is_not_waited_for(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "BODY_SECONDS", 0.01)

    async def never() -> Any:
        yield b"{"
        await anyio.sleep_forever()

    async with build_server(catalogue).client() as client:
        answer = await client.post("/mcp", content=never())
    assert answer.status_code == 408
    assert "in time" in error_message(answer)


async def test_a_body_that_trickles_in_is_not_waited_for_either(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "BODY_SECONDS", 0.2)

    async def trickles() -> Any:
        while True:
            yield b" "
            await anyio.sleep(0.01)

    async with build_server(catalogue).client() as client:
        answer = await client.post("/mcp", content=trickles())
    assert answer.status_code == 408


async def test_only_a_few_large_bodies_of_one_caller_are_held_at_once(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "MAX_LARGE_EACH", 1)
    large, begun, goes_on = b" " * (concurrency.FREE_BODY_BYTES + 1), anyio.Event(), anyio.Event()
    known = StaticAuthenticator({name: build_caller(name) for name in ("alice", "bob")})
    statuses = list[int]()

    async def in_parts() -> Any:
        yield large
        begun.set()
        await goes_on.wait()
        yield b" "

    async with build_server(catalogue, known=known, jwt=provider_table()).client(token=None) as client:

        async def post(name: str, content: Any) -> int:
            sent = await client.post("/mcp", content=content, headers={"Authorization": f"Bearer {name}"})
            return sent.status_code

        async def hold() -> None:
            statuses.append(await post("alice", in_parts()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            await begun.wait()
            monkeypatch.setattr(concurrency, "BODY_SECONDS", 0.05)
            assert (await post("alice", large), await post("alice", b" "), await post("bob", large)) == (429, 400, 400)
            goes_on.set()
        assert [*statuses, await post("alice", large)] == [400, 400]


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_nothing_to_log(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, handle = anyio.Event(), mcp_transports.ProfileTransports.handle_request

    async def handled(*given: Any) -> None:
        arrived.set()
        await handle(*given)

    monkeypatch.setattr(mcp_transports.ProfileTransports, "handle_request", handled)
    head = (
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\nContent-Length: 100\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\r\n{"
    )
    made = build_server(catalogue)
    async with made.serve() as url:
        async with await open_socket(url) as stream:
            await stream.send(head.encode())
            await arrived.wait()
        with anyio.fail_after(30):
            await made.metrics.requests.wait_until_zero()
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


OTHER_METHODS = {
    "/mcp": ("GET, POST, DELETE", ("PUT", "PATCH", "HEAD")),
    "/sse": ("GET", ("POST", "HEAD", "DELETE")),
    "/sse/default": ("GET", ("POST", "HEAD", "PUT")),
    "/messages/default/": ("POST", ("GET", "HEAD", "PUT")),
}


@pytest.mark.parametrize("path", OTHER_METHODS)
async def test_a_path_takes_its_own_methods_only(catalogue: Catalogue, path: str) -> None:
    allowed, methods = OTHER_METHODS[path]
    async with build_server(catalogue).client() as client:
        for method in methods:
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), method


HEADS = {
    "nothing": [],
    "half a head": [b"GET /mcp HTTP/1.1\r\nHost: x\r\n"],
    "half of a second head": [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /mcp HTTP/1.1\r\n"],
}


@pytest.mark.parametrize("pieces", HEADS.values(), ids=HEADS)
async def test_a_connection_that_does_not_say_what_it_wants_is_closed(
    catalogue: Catalogue, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h11_protocol, "HEAD_SECONDS", 0.2)
    async with build_server(catalogue).serve() as url:
        with anyio.fail_after(20):  # before uvicorn would close what is idle
            async with await open_socket(url) as stream:
                for number, piece in enumerate(pieces):
                    if number:
                        assert b"200 OK" in await stream.receive()
                    await stream.send(piece)
                assert [_ async for _ in stream] == []


@pytest.mark.slow
async def test_a_request_may_take_longer_than_its_head(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h11_protocol, "HEAD_SECONDS", 0.1)

    async def takes_its_time(_: Request) -> JSONResponse:
        await anyio.sleep(0.3)
        return JSONResponse("done")

    made = build_server(catalogue, extra=[Route("/slow", takes_its_time)])
    async with made.serve() as url, httpx2.AsyncClient(base_url=url) as client:
        for _ in range(2):
            assert (await client.get("/slow")).json() == "done"


LARGE_HEADS = {
    "bytes": b"X: " + b"x" * h11_connection.MAX_HEAD_BYTES + b"\r\n\r\n",
    "bytes without an end": b"X: " + b"x" * h11_connection.MAX_HEAD_BYTES,
    "lines": b"a:1\r\n" * h11_connection.MAX_HEAD_LINES + b"\r\n",
    "lines without an end": b"a:1\n" * h11_connection.MAX_HEAD_LINES,
}


@pytest.mark.parametrize("earlier", [0, 1])
@pytest.mark.parametrize("rest", LARGE_HEADS.values(), ids=LARGE_HEADS)
async def test_a_head_too_large_is_refused_before_it_is_parsed(catalogue: Catalogue, rest: bytes, earlier: int) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send((head + b"\r\n") * earlier + head + rest)
        answers = b"".join([part async for part in stream])
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200"] * earlier + [b"400"]


@pytest.mark.parametrize("rest", LARGE_HEADS.values(), ids=LARGE_HEADS)
async def test_a_head_too_large_after_a_body_that_came_late_is_refused(catalogue: Catalogue, rest: bytes) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send(head + b"Content-Length: 1\r\n\r\n")
        assert b"HTTP/1.1 200 " in await stream.receive()
        await stream.send(b"x" + head + rest)
        answers = b"".join([part async for part in stream])
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"400"]


CHUNKED = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
COSTLY_BODIES = {
    "lines": b"0\r\n" + b"a:1\r\n" * (h11_connection.MAX_HEAD_LINES + 1) + b"\r\n",
    "lines without an end": b"1\r\nx\r\n0\r\n" + b"a:1\n" * (h11_connection.MAX_HEAD_LINES + 1),
    "bytes of a line": b"0\r\nX: " + b"x" * h11_connection.MAX_HEAD_BYTES + b"\r\n\r\n",
    "chunks": b"1\r\nx\r\n" * 2 * h11_connection.FREE_CHUNKS,
}


@pytest.mark.parametrize("body", COSTLY_BODIES.values(), ids=COSTLY_BODIES)
async def test_a_body_whose_framing_is_costly_is_refused(
    catalogue: Catalogue, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send(CHUNKED + body)
        answers = b"".join([part async for part in stream])
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"400"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_body_whose_framing_is_costly_ends_the_connection_after_its_answer(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    health = CHUNKED.replace(b"POST /mcp", b"GET /healthz")
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send(health)
        assert b"HTTP/1.1 200 " in await stream.receive()
        await stream.send(COSTLY_BODIES["chunks"] + b"0\r\n\r\n" + health)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_body_in_chunks_may_have_fields_after_it(catalogue: Catalogue) -> None:
    health = CHUNKED.replace(b"POST /mcp", b"GET /healthz")
    few = b"1\r\nx\r\n" * h11_connection.FREE_CHUNKS
    many = b"40\r\n" + b"x" * h11_connection.BYTES_FOR_A_CHUNK + b"\r\n"
    body = few + many * 2 * h11_connection.FREE_CHUNKS + b"0\r\na: 1\r\n\r\n"
    large_head = b"X: " + b"x" * (h11_connection.MAX_HEAD_BYTES - 100) + b"\r\nConnection: close\r\n\r\n"
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send(health + body + health + b"0\r\n\r\n" + health[:-2] + large_head + b"0\r\n\r\n")
        answers = b"".join([part async for part in stream])
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200"] * 3


@pytest.mark.parametrize("parts", [1, 10])
async def test_a_head_below_the_limits_is_read_however_it_arrives(catalogue: Catalogue, parts: int) -> None:
    fields = b"a:1\r\n" * (h11_connection.MAX_HEAD_LINES - 5) + b"X: " + b"x" * (h11_connection.MAX_HEAD_BYTES - 1000)
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n\r\n"
    size = len(head) // parts + 1
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        for start in range(0, len(head), size):
            await stream.send(head[start : start + size])
        assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_of_requests_sent_before_an_answer_a_few_are_kept_and_the_connection_ends_before_many(
    catalogue: Catalogue,
) -> None:
    leave = anyio.Event()

    async def stays(_: Request) -> JSONResponse:
        await leave.wait()
        return JSONResponse("left")

    made = build_server(catalogue, extra=[Route("/stays", stays)])
    first = HEALTH.replace(b"healthz", b"stays")
    answers: dict[int, bytes] = {}

    async def ask(url: str, count: int) -> None:
        async with await open_socket(url) as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, first + HEALTH * (count - 1) + HEALTH[:-2] + b"Connection: close\r\n\r\n")
            answers[count] = b""
            with suppress(anyio.BrokenResourceError):  # the rest of what was sent is not read
                async for part in stream:
                    answers[count] += part
            tasks.cancel_scope.cancel()

    with anyio.fail_after(TIMEOUT):
        async with made.serve() as url, httpx2.AsyncClient(base_url=url) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, url, 20)
            tasks.start_soon(ask, url, 10_000)
            while made.metrics.requests.count < 2:
                await checkpoint()
            assert (await client.get("/healthz")).status_code == 200  # the server has read what came before
            for each in made.hosted.connections._open:
                assert isinstance(each, h11_protocol.TimeoutH11Protocol)
                assert len(each.conn.trailing_data[0]) <= h11_protocol.PIPELINED_BYTES
            leave.set()
    found = {count: answer.count(b"HTTP/1.1 200 ") for count, answer in answers.items()}
    assert found[20] == 21
    assert found[10_000] <= 1


async def test_the_body_of_an_answered_request_is_not_kept(catalogue: Catalogue) -> None:
    made = build_server(catalogue)
    async with made.serve() as url, await open_socket(url) as stream:
        await stream.send(HEALTH[:-2] + b"Content-Length: 1000\r\n\r\n" + b"x" * 10)
        assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
        (kept,) = made.hosted.connections._open
        assert isinstance(kept, h11_protocol.TimeoutH11Protocol)
        assert kept.cycle.body == b""


async def test_requests_beyond_the_limit_say_when_to_retry(catalogue: Catalogue) -> None:
    arrived, leave = anyio.Event(), anyio.Event()

    async def stays(request: Request) -> JSONResponse:
        concurrency.assign_principal(request.scope, "somebody")
        arrived.set()
        await leave.wait()
        return JSONResponse("left")

    made = build_server(catalogue, connections=1, extra=[Route("/stays", stays)])
    async with made.client() as client, anyio.create_task_group() as others:
        others.start_soon(partial(client.get, "/stays", headers={"Authorization": "Bearer of somebody else"}))
        await arrived.wait()
        answer = await client.post("/mcp", json=INITIALIZE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert (await client.get("/healthz")).status_code == 200
        leave.set()


async def test_a_place_is_free_again_when_a_request_is_over(catalogue: Catalogue) -> None:
    async with build_server(catalogue, connections=1).client() as client:
        for _ in range(3):
            assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200


async def test_blanks_around_a_headers_value_are_no_part_of_it(catalogue: Catalogue) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}
    headers = {"MCP-Protocol-Version": "2026-07-28 ", "Mcp-Method": " server/discover\t"}
    async with build_server(catalogue).client(**headers) as client:
        answer = await client.post("/mcp", json=body)
    assert answer.status_code == 200
    assert answer.json()["result"]["supportedVersions"]


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}
