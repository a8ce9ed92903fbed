"""The API client: idempotent reads are retried, each attempt with its own signature. Anything else is sent once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.client import FIRST_WAIT, MAX_WAIT, MIN_ATTEMPT_SECONDS, ApiClient, ApiResponse, SendFailed
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.signature import place_of, sign_request
from tests.support.arguments import complete_arguments
from tests.support.pipeline import CREDENTIALS

Handler = Callable[[httpx2.Request], httpx2.Response]
sleep = anyio.sleep
START = datetime(2026, 1, 31, 23, 59, 30, tzinfo=UTC)


class Ticking:
    """A clock that advances by a minute at every call."""

    def __init__(self) -> None:
        self.at = START - timedelta(minutes=1)

    def __call__(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


class Upstream:
    """Answers a list of responses, repeats the last one, and records the requests."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return httpx2.Response(given.status_code, headers=given.headers, content=given.content)


def status(code: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(code, headers={name.replace("_", "-"): value for name, value in headers.items()}, json={})


async def send(
    upstream: Upstream, operation: Operation, clock: Callable[[], datetime] | None = None, **given: Any
) -> ApiResponse:
    clock = clock or Ticking()
    request = build_request(operation, check_arguments(operation, complete_arguments(operation)))
    async with ApiClient(CREDENTIALS, transport=httpx2.MockTransport(upstream), clock=clock, sleep=sleep) as client:
        return await client.send(operation, request, "trace-1", **given)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the waits between attempts instead of waiting."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("saasus_mcp.saasus.client.FIRST_WAIT", FIRST_WAIT)
    monkeypatch.setattr("tests.saasus.test_client.sleep", note)
    return waited


@pytest.fixture
def reading(catalogue: Catalogue) -> Operation:
    return catalogue.find("auth.GetTenant")


BROKEN = [
    httpx2.ConnectError("no route"),
    httpx2.ConnectTimeout("slow"),
    httpx2.ReadError("reset"),
    httpx2.ReadTimeout("slow"),
    httpx2.RemoteProtocolError("half an answer"),
    status(429),
    status(500),
    status(502),
    status(503),
    status(504),
]


@pytest.mark.parametrize("first", BROKEN, ids=repr)
async def test_a_read_goes_again_after(reading: Operation, first: httpx2.Response | Exception) -> None:
    upstream = Upstream(first, status(200))
    assert (await send(upstream, reading)).status == 200
    assert len(upstream.sent) == 2


async def test_whether_a_read_may_go_again_is_asked_after_the_wait(reading: Operation, waits: list[float]) -> None:
    waited_before: list[int] = []

    async def ask() -> None:
        waited_before.append(len(waits))

    await send(Upstream(status(503), status(503), status(200)), reading, may_retry=ask)
    assert waited_before == [1, 2], "what changes during a wait counts"


@pytest.mark.parametrize(("seconds", "attempts"), [(MAX_WAIT + MIN_ATTEMPT_SECONDS / 2, 1), (10 * MAX_WAIT, 2)])
async def test_a_read_does_not_wait_for_an_attempt_that_its_deadline_leaves_no_time_for(
    reading: Operation, waits: list[float], seconds: float, attempts: int
) -> None:
    upstream = Upstream(status(429, retry_after=f"{MAX_WAIT:g}"), status(200))
    answer = await send(upstream, reading, deadline=Deadline.after(seconds))
    assert (answer.status, len(upstream.sent)) == (200 if attempts > 1 else 429, attempts)
    assert waits == [MAX_WAIT] * (attempts - 1)


@pytest.mark.parametrize("always", BROKEN, ids=repr)
async def test_a_read_is_given_up_after_three_attempts_of(
    reading: Operation, always: httpx2.Response | Exception
) -> None:
    upstream = Upstream(always)
    if isinstance(always, Exception):
        with pytest.raises(SendFailed) as caught:
            await send(upstream, reading)
        assert caught.value.applied == "not_applied"
    else:
        assert (await send(upstream, reading)).status == always.status_code
    assert len(upstream.sent) == 3


@pytest.mark.parametrize("code", [200, 204, 301, 302, 307, 308, 400, 401, 403, 404, 409, 422, 501])
async def test_a_read_does_not_go_again_after_an_answer_that_would_not_change(reading: Operation, code: int) -> None:
    upstream = Upstream(status(code, location="https://elsewhere.example/"))
    assert (await send(upstream, reading)).status == code
    assert len(upstream.sent) == 1


async def test_every_operation_that_does_more_than_read_goes_once_whatever_comes_back(catalogue: Catalogue) -> None:
    once = [operation for operation in catalogue if not operation.retriable]
    assert len(once) >= 195 - 77
    for operation in once:
        for outcome in (status(429, retry_after="0"), status(503), httpx2.ConnectError(""), httpx2.ReadError("")):
            upstream = Upstream(outcome)
            try:
                await send(upstream, operation)
            except SendFailed as failure:
                assert isinstance(outcome, Exception), operation.key
                lost = isinstance(outcome, httpx2.ReadError) and not operation.reads
                assert failure.applied == ("unknown" if lost else "not_applied"), operation.key
            assert len(upstream.sent) == 1, (operation.key, outcome)


def test_only_reads_are_ever_sent_again(catalogue: Catalogue) -> None:
    for operation in catalogue:
        if operation.retriable:
            assert operation.level in ("read", "read_sensitive"), operation.key
            assert operation.effects.idempotent, operation.key


async def test_each_attempt_is_signed_with_its_own_time(reading: Operation) -> None:
    upstream = Upstream(status(503), status(503), status(200))
    await send(upstream, reading, Ticking())
    stamps = ["202601312359", "202602010000", "202602010001"]
    for request, stamp in zip(upstream.sent, stamps, strict=True):
        wanted = sign_request(CREDENTIALS, stamp, method="GET", place=place_of(request.url), body=b"")
        assert request.headers["Authorization"] == wanted


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0", 0.0), ("20", 20.0)])
async def test_retry_after_in_seconds_is_waited_for(
    reading: Operation, waits: list[float], header: str, seconds: float
) -> None:
    upstream = Upstream(status(429, retry_after=header), status(200))
    assert (await send(upstream, reading)).status == 200
    assert waits == [seconds]


async def test_retry_after_as_a_date_is_waited_for(reading: Operation, waits: list[float]) -> None:
    in_ten = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    upstream = Upstream(status(503, retry_after=in_ten), status(429, retry_after=past), status(200))
    assert (await send(upstream, reading)).status == 200
    assert 8 <= waits[0] <= 10
    assert waits[1] == 0


@pytest.mark.parametrize("header", ["21", "3600", "9" * 400, "Fri, 01 Jan 2100 00:00:00 GMT"])
async def test_a_retry_after_beyond_patience_is_answered_at_once(
    reading: Operation, waits: list[float], header: str
) -> None:
    upstream = Upstream(status(429, retry_after=header))
    assert (await send(upstream, reading)).status == 429
    assert (len(upstream.sent), waits) == (1, [])


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "1.5", "\u0663", "Fri, 01 Jan", "Mon, 01 Jan 99999999999 00:00:00 GMT"]
)
async def test_a_retry_after_that_says_nothing_is_backed_off_as_usual(
    reading: Operation, waits: list[float], header: str
) -> None:
    answer = httpx2.Response(429, headers=[(b"Retry-After", header.encode("utf-8"))])
    upstream = Upstream(answer, status(200))
    assert (await send(upstream, reading)).status == 200
    assert len(waits) == 1
    assert 0 < waits[0] <= 5


async def test_waits_grow_and_stay_bounded(reading: Operation, waits: list[float]) -> None:
    upstream = Upstream(status(500))
    await send(upstream, reading)
    assert len(waits) == 2
    assert waits[0] < waits[1] <= 5
    assert waits[0] > 0


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Mon, 01 Jan 99999999999 00:00:00 GMT", "Fri, 01 Jan 2027 00:00:00 +99999999"]
)
async def test_an_invalid_date_header_does_no_harm(catalogue: Catalogue, date: str) -> None:
    upstream = Upstream(status(200, date=date))
    assert (await send(upstream, catalogue.find("auth.CreateRole"))).sent_at is None


async def test_the_servers_clock_is_kept_for_judging_ours(reading: Operation) -> None:
    upstream = Upstream(status(200, date="Fri, 01 Jan 2027 00:00:00 GMT"))
    assert (await send(upstream, reading)).sent_at == datetime(2027, 1, 1, tzinfo=UTC)


async def test_no_redirect_is_followed_and_no_key_leaves_for_another_host(catalogue: Catalogue) -> None:
    for key in ("auth.GetTenant", "auth.CreateRole"):
        for code in (301, 302, 303, 307, 308):
            upstream = Upstream(status(code, location="https://evil.example/v1/auth/tenants"))
            given = await send(upstream, catalogue.find(key))
            assert given.status == code
            assert [request.url.host for request in upstream.sent] == ["api.saasus.io"]


async def test_headers_say_who_calls_and_nothing_about_where_from(reading: Operation) -> None:
    upstream = Upstream(status(200))
    await send(upstream, reading)
    [request] = upstream.sent
    assert request.headers["X-Saasus-Trace-Id"] == "trace-1"
    assert request.headers["User-Agent"] == "saasus-mcp"
    assert request.headers["Accept"] == "application/json"
    assert not {"referer", "x-saasus-referer", "cookie"} & set(request.headers)


async def test_cookies_that_the_api_sets_are_not_sent_back(reading: Operation) -> None:
    upstream = Upstream(status(503, set_cookie="session=other-tenant"), status(200))
    await send(upstream, reading)
    assert "Cookie" not in upstream.sent[1].headers


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, "trace-1"),
        ("abc-123", "abc-123"),
        ("x" * 5000, "trace-1"),
    ],
    ids=["none", "own", "long"],
)
async def test_the_apis_trace_id_is_kept_where_it_gives_one(reading: Operation, sent: str | None, kept: str) -> None:
    upstream = Upstream(status(200, **({"X-Saasus-Trace-Id": sent} if sent else {})))
    assert (await send(upstream, reading)).trace_id == kept


async def test_a_base_url_keeps_its_port_and_loses_its_slash(reading: Operation) -> None:
    upstream = Upstream(status(200))
    request = build_request(reading, check_arguments(reading, complete_arguments(reading)))
    transport = httpx2.MockTransport(upstream)
    async with ApiClient(CREDENTIALS, "http://127.0.0.1:9000/", transport=transport, clock=lambda: START) as client:
        await client.send(reading, request, "t")
    assert str(upstream.sent[0].url).startswith("http://127.0.0.1:9000/v1/auth/tenants/")
    wanted = sign_request(CREDENTIALS, "202601312359", method="GET", place=place_of(upstream.sent[0].url), body=b"")
    assert upstream.sent[0].headers["Authorization"] == wanted
