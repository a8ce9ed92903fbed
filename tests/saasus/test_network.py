"""Requests over real sockets on loopback: outcomes, and the named cause of each failure."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import anyio
import anyio.abc
import pytest
from anyio.streams.tls import TLSListener

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.client import ApiClient, ApiResponse, SendFailed
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.network_errors import NetworkCause, NetworkFault
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.signature import Credentials
from tests.support.arguments import complete_arguments
from tests.support.pipeline import CREDENTIALS
from tests.support.tls import certify

Serving = Callable[[anyio.abc.SocketStream], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
READ, WRITE = "auth.GetTenant", "auth.DeleteTenant"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _no_network_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def serving(serve: Serving, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections on loopback, and yield the port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra_attributes[anyio.abc.SocketAttribute.local_port]()
    async with listener, anyio.create_task_group() as group:

        async def guarded(stream: anyio.abc.SocketStream) -> None:
            try:
                async with stream:
                    await serve(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError):
                pass

        wrapped: Any = TLSListener(listener, tls, standard_compatible=False) if tls else listener
        group.start_soon(wrapped.serve, guarded)
        yield port
        group.cancel_scope.cancel()


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def sent(
    catalogue: Catalogue, key: str, base: str, seconds: float = 20.0, credentials: Credentials = CREDENTIALS
) -> ApiResponse | SendFailed:
    operation = catalogue.find(key)
    request = build_request(operation, check_arguments(operation, complete_arguments(operation)))
    async with ApiClient(credentials, base) as client:
        try:
            with anyio.fail_after(30):
                return await client.send(operation, request, "trace-1", deadline=Deadline.after(seconds))
        except SendFailed as failure:
            return failure


async def failed(catalogue: Catalogue, key: str, base: str, seconds: float = 20.0) -> SendFailed:
    given = await sent(catalogue, key, base, seconds)
    assert isinstance(given, SendFailed), given
    return given


async def answering(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await stream.send(OK)


async def hanging(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await anyio.sleep_forever()


async def trickling_headers(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X-Slow: 1\r\n")
        await anyio.sleep(0.05)


async def trickling_body(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await stream.send(b" ")
        await anyio.sleep(0.05)


async def dropping(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()


@pytest.mark.slow
@pytest.mark.parametrize("serve", [hanging, trickling_headers, trickling_body], ids=lambda serve: serve.__name__)
@pytest.mark.parametrize(("key", "applied"), [(READ, "not_applied"), (WRITE, "unknown")], ids=["read", "write"])
async def test_a_slow_api_is_given_up_on_at_the_deadline(
    catalogue: Catalogue, serve: Serving, key: str, applied: str
) -> None:
    limit = 0.5
    async with serving(serve) as port:
        began = anyio.current_time()
        given = await failed(catalogue, key, f"http://127.0.0.1:{port}", seconds=limit)
    assert anyio.current_time() - began < 6 * limit, "an attempt alone may take 30 seconds"
    assert (given.applied, given.fault) == (applied, None)


@pytest.mark.parametrize(("key", "applied"), [(READ, "not_applied"), (WRITE, "unknown")], ids=["read", "write"])
async def test_a_request_that_arrived_and_was_dropped_is_reported(catalogue: Catalogue, key: str, applied: str) -> None:
    async with serving(dropping) as port:
        given = await failed(catalogue, key, f"http://127.0.0.1:{port}")
    assert (given.applied, given.fault) == (applied, None)
    assert given.message.id == "api.connection_lost"


async def test_no_time_left_sends_nothing(catalogue: Catalogue) -> None:
    taken: list[None] = []

    async def counting(stream: anyio.abc.SocketStream) -> None:
        taken.append(None)
        await answering(stream)

    async with serving(counting) as port:
        given = await failed(catalogue, WRITE, f"http://127.0.0.1:{port}", seconds=0.0)
    assert (given.applied, taken) == ("not_applied", [])


@pytest.mark.parametrize("bad", ["key\n", "key\r\nX-Other: 1", " key\x00"], ids=repr)
async def test_a_request_that_cannot_be_written_was_not_applied(catalogue: Catalogue, bad: str) -> None:
    async with serving(answering) as port:
        given = await sent(catalogue, WRITE, f"http://127.0.0.1:{port}", credentials=Credentials("saas", bad, "secret"))
    assert isinstance(given, SendFailed)
    assert given.applied == "not_applied"
    assert given.fault is not None
    assert given.fault.cause == "request"
    assert bad not in str(given)


async def test_a_connection_that_is_refused_names_the_address(catalogue: Catalogue) -> None:
    port = closed_port()
    given = await failed(catalogue, WRITE, f"http://127.0.0.1:{port}")
    assert (given.applied, given.fault) == ("not_applied", NetworkFault("refused", f"127.0.0.1:{port}"))


async def test_an_unknown_host_is_named(catalogue: Catalogue) -> None:
    given = await failed(catalogue, WRITE, "https://no-such-host.invalid")
    assert (given.applied, given.fault) == ("not_applied", NetworkFault("unknown_host", "no-such-host.invalid"))


async def test_an_api_without_tls_is_distinguished_from_a_refused_certificate(catalogue: Catalogue) -> None:
    async def plain(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as port:
        given = await failed(catalogue, WRITE, f"https://127.0.0.1:{port}")
    assert given.applied == "not_applied"
    assert given.fault is not None
    assert given.fault.cause == "tls"


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    return certify(tmp_path, "localhost")


async def test_a_refused_certificate_is_named_and_a_private_authority_can_be_added(
    catalogue: Catalogue, certified: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certified
    async with serving(answering, context) as port:
        given = await failed(catalogue, WRITE, f"https://localhost:{port}")
        assert given.applied == "not_applied"
        assert given.fault is not None
        assert (given.fault.cause, given.fault.subject) == ("certificate", f"localhost:{port}")
        assert "SSL_CERT_FILE" in str(given.hint)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert isinstance(await sent(catalogue, WRITE, f"https://localhost:{port}"), ApiResponse)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "not PEM"])
async def test_authorities_that_cannot_be_read_are_named_by_their_variable(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    given = await failed(catalogue, WRITE, "https://localhost")
    assert given.applied == "not_applied"
    assert given.fault is not None
    assert (given.fault.cause, given.fault.subject) == ("ca_file", "SSL_CERT_FILE")


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:3128", "socks4://127.0.0.1:1080", "http://[::1"], ids=repr)
async def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    given = await failed(catalogue, WRITE, "https://api.invalid")
    assert given.applied == "not_applied"
    assert given.fault is not None
    assert (given.fault.cause, given.fault.subject) == ("proxy_setting", "HTTPS_PROXY")


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_a_dead_proxy_is_named_and_its_password_is_not(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    port = closed_port()
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:hush@127.0.0.1:{port}")
    given = await failed(catalogue, WRITE, "https://api.invalid")
    assert given.applied == "not_applied"
    assert given.fault is not None
    assert (given.fault.cause, given.fault.subject) == ("proxy_unreachable", f"127.0.0.1:{port}")
    assert "hush" not in str(given)


async def test_an_unknown_proxy_name_is_distinguished_from_an_unknown_api(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://no-such-proxy.invalid:3128")
    given = await failed(catalogue, WRITE, "https://api.invalid")
    assert given.fault == NetworkFault("proxy_unknown", "no-such-proxy.invalid")


@pytest.mark.parametrize(("scheme", "status"), [("https", 407), ("https", 403), ("https", 502), ("http", 407)])
async def test_a_proxy_that_refuses_is_named_with_its_status(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, scheme: str, status: int
) -> None:
    async def refusing(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 %d hush\r\nContent-Length: 0\r\n\r\n" % status)

    async with serving(refusing) as port:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        given = await failed(catalogue, WRITE, f"{scheme}://api.invalid")
    assert (given.applied, given.fault) == (
        "not_applied",
        NetworkFault("proxy_refused", f"127.0.0.1:{port}", f"HTTP {status}"),
    )
    assert "hush" not in str(given)


async def babbling(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await stream.send(b"\xff\xff\xff")


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # the library forgets a connection to a SOCKS proxy that failed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("serve", [hanging, dropping, babbling], ids=lambda serve: serve.__name__)
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_request_that_a_proxy_refused_was_not_applied(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, serve: Serving, scheme: str
) -> None:
    async with serving(serve) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{port}")
        given = await failed(catalogue, WRITE, "https://api.invalid", seconds=0.5)
    gc.collect()  # within this test, which ignores the warning
    assert given.applied == "not_applied"
    assert given.fault is not None
    assert given.fault.subject == f"127.0.0.1:{port}"


async def test_a_socks_proxy_works(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def socks(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"\x05\x00")
        asked.append(await stream.receive())
        await stream.send(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        await answering(stream)

    async with serving(socks) as port:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{port}")
        given = await sent(catalogue, WRITE, "http://api.invalid")
    assert isinstance(given, ApiResponse)
    assert b"api.invalid" in asked[0], "the proxy resolves the name"


def test_every_cause_has_a_message_in_both_languages() -> None:
    languages: tuple[Language, ...] = ("en", "ja")
    for language in languages:
        for cause in get_args(NetworkCause):
            fault = NetworkFault(cause, "SUBJECT", "DETAIL")
            text, hint = fault.message.text(language), fault.hint.text(language)
            assert text
            assert hint
            assert "{" not in text + hint
