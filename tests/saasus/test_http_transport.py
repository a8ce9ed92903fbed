"""The transport to the API: each request is on the wire once, as it was built, and each response is read within limits."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.fetch import ResponseTooLarge
from saasus_mcp.saasus import http_transport
from saasus_mcp.saasus.client import MAX_RESPONSE_BYTES, ApiClient, ApiResponse, SendFailed
from saasus_mcp.saasus.exchange import HttpRequest
from saasus_mcp.saasus.http_transport import HttpTransport
from saasus_mcp.saasus.network_errors import ConnectionTrace
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.saasus.signature import place_of, sign_request
from tests.support.closing_api import MOMENTS, ClosingApi, Moment, Serving, serve_connections
from tests.support.pipeline import CREDENTIALS

READ, WRITES = (
    "auth.GetTenant",
    ("auth.CreateRole", "auth.UpdateTenant", "auth.UpdateSaasUserEmail", "auth.DeleteTenant"),
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LARGE = b'{"x":"' + b"x" * 300_000 + b'"}'
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@asynccontextmanager
async def serving(serve: Serving) -> AsyncIterator[httpx2.URL]:
    """Serve connections on loopback, and yield the origin."""
    async with serve_connections(serve) as origin:
        yield httpx2.URL(origin)


def answering(response: bytes, heads: list[bytes] | None = None, connections: list[int] | None = None) -> Serving:
    """Answer every request with these bytes, and record the heads of requests and the number of each connection."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        number = count
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if heads is not None:
                heads.append(head)
            if connections is not None:
                connections.append(number)
            writer.write(response)
            await writer.drain()

    return serve


async def fetch(
    transport: HttpTransport, origin: httpx2.URL, method: str = "GET", limit: int = MAX_RESPONSE_BYTES
) -> tuple[int, bytes]:
    request = HttpRequest(method, str(origin.join("/v1/x")), [("Host", origin.netloc.decode())])
    response = await transport.send(request, ConnectionTrace(), limit)
    return response.status, response.body


@asynccontextmanager
async def transport_to(origin: httpx2.URL) -> AsyncIterator[HttpTransport]:
    async with HttpTransport(origin, None) as transport:
        yield transport


async def send(client: ApiClient, catalogue: Catalogue, key: str, trace: str, body: bytes) -> ApiResponse | SendFailed:
    operation = catalogue.find(key)
    request = ApiRequest(key, operation.method, "/v1/auth/x", body if operation.body else None)
    try:
        return await client.send(operation, request, trace)
    except SendFailed as failure:
        return failure


async def check_at_most_once(
    catalogue: Catalogue, moments: tuple[Moment, ...], calls: int, at_once: int
) -> dict[str, int]:
    """Send writes to an API that closes connections, compare what it knows with what is reported, and count the outcomes."""
    api, outcomes = ClosingApi(moments), dict[str, int]()

    async def work(client: ApiClient, worker: int) -> None:
        for number in range(worker, calls, at_once):
            trace = f"t-{number}"
            given = await send(client, catalogue, WRITES[number % 4], trace, b"{}" if number % 3 else LARGE)
            arrived = api.arrived[trace]
            assert arrived <= 1, "a write went out twice"
            outcome = given.applied if isinstance(given, SendFailed) else "answered"
            if outcome == "answered":
                assert trace in api.answered
            if outcome == "not_applied":
                assert arrived == 0, "a write that arrived was reported as not sent"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1

    async with (
        api.serving() as origin,
        ApiClient(CREDENTIALS, origin, timeout=20) as client,
        anyio.create_task_group() as group,
    ):
        for worker in range(at_once):
            group.start_soon(work, client, worker)
    assert sum(outcomes.values()) == calls
    return outcomes


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_write_goes_out_once_whenever_the_api_closes_the_connection(
    catalogue: Catalogue, moment: Moment
) -> None:
    outcomes = await check_at_most_once(catalogue, (moment,), 40, 4)
    if moment == "never":
        assert outcomes == {"answered": 40}
    elif moment == "after_response":
        assert outcomes["answered"] > 20, "few requests meet a connection that is just being closed"
    else:
        assert "not_applied" not in outcomes, "the connection was open"
        assert outcomes["unknown"] >= (1 if moment == "in_body" else 40)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("asyncio", {"use_uvloop": True})], ids=["own", "uvloop"])
async def test_writes_go_out_once_in_a_mix_of_all_moments(catalogue: Catalogue) -> None:
    outcomes = await check_at_most_once(catalogue, (*MOMENTS, "never", "never", "after_response"), 600, 16)
    assert min(outcomes["answered"], outcomes["unknown"]) > 50


async def test_a_request_is_on_the_wire_as_it_was_signed(catalogue: Catalogue) -> None:
    heads: list[bytes] = []
    target = "/v1/auth/tenants/a%2Fb%20%E3%81%82~'%27%2B+?x=%26&x=1"
    requests = (
        ApiRequest(READ, "GET", target, None),
        ApiRequest("auth.CreateRole", "POST", target, None),
        ApiRequest("auth.CreateRole", "POST", target, "{'名':1}".encode()),
    )
    async with (
        serving(answering(OK, heads)) as origin,
        ApiClient(CREDENTIALS, str(origin), clock=lambda: AT) as client,
    ):
        for request in requests:
            await client.send(catalogue.find(request.operation), request, "trace-1")
    netloc = origin.netloc.decode()
    for request, head in zip(requests, heads, strict=True):
        method, body = request.method, request.body or b""
        url = httpx2.URL(f"http://{netloc}{target}")
        given_target, end = head.split(b" ")[1], head.index(b"Authorization")
        assert given_target == url.raw_path
        signature = sign_request(CREDENTIALS, "202601020304", method=method, place=place_of(url), body=body)
        assert head[end:] == f"Authorization: {signature}\r\n\r\n".encode()
        empty = "Content-Length: 0\r\n" if method == "POST" and not body else ""
        content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        assert head[:end].decode() == (
            f"{method} {given_target.decode()} HTTP/1.1\r\nHost: {netloc}\r\n{empty}Accept-Encoding: gzip, deflate\r\n"
            "Connection: keep-alive\r\nUser-Agent: saasus-mcp\r\nAccept: application/json\r\n"
            f"X-Saasus-Trace-Id: trace-1\r\n{content}"
        )


@pytest.mark.parametrize(
    ("response", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n" + OK, 200, b"{}"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nX: y\r\n\r\n",
            200,
            b"abc",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b"abc"))
            + gzip.compress(b"abc"),
            200,
            b"abc",
        ),
    ],
    ids=["length", "empty", "preliminary", "chunked", "gzip"],
)
async def test_every_form_of_a_response_is_read_and_its_connection_used_again(
    response: bytes, status: int, body: bytes
) -> None:
    connections: list[int] = []
    async with serving(answering(response, connections=connections)) as origin, transport_to(origin) as transport:
        for _ in range(3):
            assert await fetch(transport, origin) == (status, body)
    assert connections == [1, 1, 1]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_response_without_a_length_ends_with_its_connection(version: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in b"HTTP/%b 200 OK\r\nX: y\r\n\r\nabc" % version:
            writer.write(bytes([byte]))
            await writer.drain()

    async with serving(serve) as origin, transport_to(origin) as transport:
        for _ in range(2):
            assert await fetch(transport, origin) == (200, b"abc")


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1024 * 1024,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: " + b"x" * 1024 * 1024,
    ],
    ids=["not HTTP", "two lengths", "no number", "no chunk", "upgrade", "large header", "large trailer"],
)
async def test_an_invalid_response_is_refused(response: bytes) -> None:
    async with serving(answering(response)) as origin, transport_to(origin) as transport:
        with pytest.raises(httpx2.RemoteProtocolError):
            await fetch(transport, origin, "DELETE")


async def test_a_second_response_is_not_taken_for_that_of_the_next_request() -> None:
    connections: list[int] = []
    async with serving(answering(OK + OK, connections=connections)) as origin, transport_to(origin) as transport:
        for _ in range(3):
            assert await fetch(transport, origin) == (200, b"{}")
    assert connections == [1, 2, 3]


async def test_a_write_leaves_alone_a_connection_whose_end_has_not_been_read_yet() -> None:
    connections, closing = list[int](), asyncio.Event()
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await closing.wait()
        writer.close()
        closed.set()

    async with serving(serve) as origin, transport_to(origin) as transport:
        await fetch(transport, origin)
        closing.set()
        await closed.wait()  # its FIN is on the way; the client's side of the loop has not read it
        assert await fetch(transport, origin, "DELETE") == (200, b"{}")
    assert len(connections) == 2


async def test_a_connection_is_closed_after_some_seconds_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[int] = []
    monkeypatch.setattr(http_transport, "KEEP_SECONDS", -1.0)
    async with serving(answering(OK, connections=connections)) as origin, transport_to(origin) as transport:
        await fetch(transport, origin)
        await fetch(transport, origin)
    assert connections == [1, 2]


@pytest.mark.parametrize("cancelled", ["before the head", "in the body"])
async def test_a_cancelled_request_closes_its_connection(cancelled: str) -> None:
    ended, asked = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if cancelled == "in the body":
            writer.write(OK[:-1])
        asked.set()
        await reader.read()
        ended.set()

    async with serving(serve) as origin, transport_to(origin) as transport, anyio.create_task_group() as group:
        group.start_soon(fetch, transport, origin)
        await asked.wait()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(5):
            await ended.wait()
    assert ended.is_set()


@pytest.mark.parametrize("coding", [b"", b"Content-Encoding: gzip\r\n"], ids=["plain", "gzip"])
async def test_the_rest_of_a_body_that_is_too_large_is_not_read(coding: bytes) -> None:
    written, ended = 0, asyncio.Event()
    body = bytes(32 * 1024 * 1024)
    body = gzip.compress(body, 0) if coding else body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (coding, len(body)))
        with suppress(ConnectionError):
            while written < len(body):
                writer.write(body[written : written + 65536])
                await writer.drain()
                written += 65536
        ended.set()

    async with serving(serve) as origin, transport_to(origin) as transport:
        with pytest.raises(ResponseTooLarge):
            await fetch(transport, origin, limit=100_000)
        with anyio.fail_after(5):
            await ended.wait()
    assert written < len(body)


async def test_another_address_of_a_host_is_tried_when_one_refuses() -> None:
    async with serving(answering(OK)) as origin:  # on 127.0.0.1 alone; localhost may be ::1 first
        named = origin.copy_with(host="localhost")
        async with transport_to(named) as transport:
            assert await fetch(transport, named) == (200, b"{}")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("status", [b"301 Moved Permanently", b"302 Found", b"307 Temporary Redirect"])
async def test_a_redirect_is_an_answer_and_the_signed_request_goes_nowhere_else(method: str, status: bytes) -> None:
    heads: list[bytes] = []
    redirect = b"HTTP/1.1 " + status + b"\r\nLocation: /v1/y\r\nContent-Length: 2\r\n\r\n{}"
    async with serving(answering(redirect, heads)) as origin, transport_to(origin) as transport:
        assert await fetch(transport, origin, method) == (int(status[:3]), b"{}")
    assert len(heads) == 1


async def test_a_cookie_of_the_api_is_not_sent_back() -> None:
    heads: list[bytes] = []
    response = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: id=1; Path=/\r\n\r\n")
    async with serving(answering(response, heads)) as origin:
        named = origin.copy_with(host="localhost")  # cookies of a bare address are kept by no client
        async with transport_to(named) as transport:
            for _ in range(2):
                assert await fetch(transport, named) == (200, b"{}")
    assert len(heads) == 2
    assert not any(b"cookie" in head.lower() for head in heads)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_no_usual_header_is_added_to_a_request_without_it(method: str) -> None:
    heads: list[bytes] = []
    async with serving(answering(OK, heads)) as origin, transport_to(origin) as transport:
        await fetch(transport, origin, method)
    assert not any(name in heads[0].lower() for name in (b"accept", b"user-agent", b"content-type"))


async def test_a_request_for_another_host_is_refused() -> None:
    async with serving(answering(OK)) as origin, transport_to(origin) as transport:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await fetch(transport, httpx2.URL("http://evil.example"))
