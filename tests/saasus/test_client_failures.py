"""Requests without a response: the outcome for every way in which a connection can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.client import MAX_RESPONSE_BYTES, ApiClient, SendFailed
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.tool_answer import not_sent_answer
from tests.support.arguments import complete_arguments
from tests.support.pipeline import CREDENTIALS

TINY = 0.02
NEVER_LEFT = [
    httpx2.ConnectError("refused"),
    httpx2.ConnectTimeout("slow"),
    httpx2.PoolTimeout("full"),
    httpx2.ProxyError("407 Proxy Authentication Required"),
    httpx2.LocalProtocolError("Illegal header value"),
    httpx2.UnsupportedProtocol("ftp"),
    httpx2.InvalidURL("no host"),
    UnicodeEncodeError("ascii", "é", 0, 1, "a header"),
]
MAY_HAVE_ARRIVED = [
    httpx2.ReadError("reset"),
    httpx2.ReadTimeout("slow"),
    httpx2.WriteError("broken pipe"),
    httpx2.WriteTimeout("slow"),
    httpx2.CloseError("late"),
    httpx2.RemoteProtocolError("gibberish"),
    httpx2.DecodingError("not gzip"),
]


class Silent(httpx2.AsyncBaseTransport):
    """Accepts the request and never answers."""

    def __init__(self) -> None:
        self.taken = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.taken += 1
        await anyio.sleep_forever()
        raise AssertionError


class Dripping(httpx2.AsyncByteStream):
    """Starts an answer and never finishes it."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"id":'
        await anyio.sleep_forever()


class Clinging(Dripping):
    """Starts an answer, never finishes it, and does not let it be closed."""

    async def aclose(self) -> None:
        await anyio.sleep_forever()


class Endless(httpx2.AsyncByteStream):
    """Answers without end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk = b" " * (1024 * 1024)
        while True:
            yield chunk


class Answering(httpx2.AsyncBaseTransport):
    """Answers at once with a streamed body."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self.stream = stream
        self.taken = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.taken += 1
        return httpx2.Response(200, stream=self.stream)


async def failure(
    catalogue: Catalogue, key: str, transport: httpx2.AsyncBaseTransport, patience: float = 5.0
) -> SendFailed:
    operation = catalogue.find(key)
    request = build_request(operation, check_arguments(operation, complete_arguments(operation)))
    async with ApiClient(CREDENTIALS, timeout=patience, transport=transport) as client:
        with anyio.fail_after(20), pytest.raises(SendFailed) as caught:
            await client.send(operation, request, "trace-1")
    return caught.value


def raising(error: Exception) -> httpx2.MockTransport:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise error

    return httpx2.MockTransport(answer)


@pytest.mark.parametrize("error", NEVER_LEFT, ids=lambda error: type(error).__name__)
async def test_a_write_that_never_left_was_not_applied(catalogue: Catalogue, error: Exception) -> None:
    given = await failure(catalogue, "auth.DeleteTenant", raising(error))
    assert given.applied == "not_applied"
    assert given.message.id == "api.unreachable"
    assert given.hint is not None
    assert given.hint.id == "api.unreachable_hint"


@pytest.mark.parametrize("error", MAY_HAVE_ARRIVED, ids=lambda error: type(error).__name__)
async def test_a_write_that_may_have_arrived_is_unknown(catalogue: Catalogue, error: Exception) -> None:
    given = await failure(catalogue, "auth.DeleteTenant", raising(error))
    assert given.applied == "unknown"
    assert given.hint == message("api.check_state_hint")
    answer = not_sent_answer(given, "trace-1")
    assert (answer.ok, answer.applied, answer.structured) == (False, "unknown", None)
    assert "Outcome: unknown" in answer.text
    assert "Trace id: trace-1" in answer.text


@pytest.mark.parametrize("error", [*NEVER_LEFT, *MAY_HAVE_ARRIVED], ids=lambda error: type(error).__name__)
async def test_a_read_that_failed_changed_nothing(catalogue: Catalogue, error: Exception) -> None:
    assert (await failure(catalogue, "auth.GetTenant", raising(error))).applied == "not_applied"


async def test_a_peer_that_does_not_let_its_answer_be_closed_holds_a_call_no_longer(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.saasus.exchange.MAX_CLOSE_SECONDS", 0.05)
    given = await failure(catalogue, "auth.DeleteTenant", Answering(Clinging()), patience=0.05)
    assert given.applied == "unknown"


async def test_no_text_of_a_network_error_is_passed_on(catalogue: Catalogue) -> None:
    error = httpx2.ReadError("https://user:hush@proxy.example refused")
    given = await failure(catalogue, "auth.DeleteTenant", raising(error))
    assert "hush" not in str(given)
    assert given.__cause__ is None


@pytest.mark.parametrize(
    ("key", "applied", "taken"), [("auth.DeleteTenant", "unknown", 1), ("auth.GetTenant", "not_applied", 3)]
)
async def test_an_api_that_never_answers_is_given_up_on(
    catalogue: Catalogue, key: str, applied: str, taken: int
) -> None:
    silent = Silent()
    given = await failure(catalogue, key, silent, TINY)
    assert (given.applied, silent.taken) == (applied, taken)
    assert given.message == message("api.no_answer", seconds=TINY)


@pytest.mark.parametrize(
    ("key", "applied", "taken"), [("auth.DeleteTenant", "unknown", 1), ("auth.GetTenant", "not_applied", 3)]
)
async def test_an_answer_that_never_ends_is_given_up_on(
    catalogue: Catalogue, key: str, applied: str, taken: int
) -> None:
    dripping = Answering(Dripping())
    given = await failure(catalogue, key, dripping, TINY)
    assert (given.applied, dripping.taken) == (applied, taken)
    assert given.message.id == "api.unfinished_answer"


async def test_an_answer_larger_than_memory_is_cut_off(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_RESPONSE_BYTES == 64 * 1024 * 1024
    monkeypatch.setattr("saasus_mcp.saasus.client.MAX_RESPONSE_BYTES", 3 * 1024 * 1024)
    endless = Answering(Endless())
    given = await failure(catalogue, "auth.DeleteTenant", endless)
    assert (given.applied, endless.taken) == ("unknown", 1)


async def test_a_call_that_is_cancelled_stays_cancelled(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenant")
    request = build_request(operation, check_arguments(operation, complete_arguments(operation)))
    silent = Silent()
    async with ApiClient(CREDENTIALS, transport=silent) as client:
        with anyio.move_on_after(TINY) as scope:
            await client.send(operation, request, "trace-1")
    assert scope.cancelled_caught
    assert silent.taken == 1
