"""A notice is sent once, in bounded time, without redirects; an error never shows an address or a secret."""

from __future__ import annotations

import logging
import re
import time

import anyio
import httpx2
import pytest

from saasus_mcp.notices.channels import Channel, ChannelKind
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.sending import NoticeSender, SendFailure
from tests.support.notices import channel, http_receiver, mail_receiver, sender_for_tests
from tests.support.processes import TIMEOUT

NOTICE = Notice("job:1", "job_done", "production", 1_790_000_000.0, "Job finished", ("Applied: 3",))
POSTED: tuple[ChannelKind, ...] = ("slack", "teams", "line_works", "chatwork", "webhook")


@pytest.mark.parametrize("kind", POSTED)
async def test_each_kind_is_posted_to_its_address(kind: ChannelKind) -> None:
    with http_receiver() as receiver:
        assert await sender_for_tests(time.time).send(channel(kind, url=receiver.url), NOTICE) is None
    [(path, _, body)] = receiver.requests
    assert path == ("/T/B/key/rooms/123/messages" if kind == "chatwork" else "/T/B/key")
    assert b"finished" in body


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (202, {}, None),
        (429, {"Retry-After": "7"}, SendFailure("status", "429", retry_after=7.0)),
        (429, {"Retry-After": "1e300"}, SendFailure("status", "429", retry_after=3600.0)),
        (429, {"Retry-After": "nan"}, SendFailure("status", "429")),
        (500, {}, SendFailure("status", "500")),
        (404, {}, SendFailure("status", "404", repeatable=False)),
        (410, {}, SendFailure("status", "410", repeatable=False)),
        (302, {"Location": "http://127.0.0.1:1/"}, SendFailure("redirect", repeatable=False)),
    ],
)
async def test_the_answer_decides_on_another_attempt(
    status: int, headers: dict[str, str], expected: SendFailure | None
) -> None:
    with http_receiver() as receiver:
        receiver.answers.append((status, headers, b"why"))
        assert await sender_for_tests(time.time).send(channel(url=receiver.url), NOTICE) == expected
        assert len(receiver.requests) == 1, "no redirect is followed and nothing is repeated here"


async def test_an_endless_answer_is_not_read() -> None:
    with http_receiver() as receiver:
        receiver.answers.append((500, {}, b"x" * 1_000_000))
        assert await sender_for_tests(time.time).send(channel(url=receiver.url), NOTICE) == SendFailure("answer")


async def send_beside_a_slow_one(to: Channel) -> SendFailure | None:
    """Return the outcome of a sender that gives up early. It must not wait as long as one that gives up late."""
    late: list[SendFailure | None] = []

    async def send_late() -> None:
        late.append(await sender_for_tests(time.time, TIMEOUT).send(to, NOTICE))

    async with anyio.create_task_group() as beside:
        beside.start_soon(send_late)
        outcome = await sender_for_tests(time.time, 0.3).send(to, NOTICE)
        assert late == []
        beside.cancel_scope.cancel()
    return outcome


async def test_a_silent_receiver_is_given_up() -> None:
    with http_receiver() as receiver:
        receiver.holds = True
        assert await send_beside_a_slow_one(channel(url=receiver.url)) == SendFailure("timeout")


async def test_no_address_is_in_an_error_or_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    failure = await sender_for_tests(time.time, 2).send(channel(url="http://127.0.0.1:1/T/B/key"), NOTICE)
    assert failure == SendFailure("connection")
    assert "key" not in f"{failure} {failure.message} {caplog.text} {channel()!r}"


async def test_a_mail_is_accepted() -> None:
    with mail_receiver() as server:
        assert await sender_for_tests(time.time).send(channel("email", port=server.port), NOTICE) is None
    [text] = server.messages
    assert "Subject: Job finished" in text
    assert "Auto-Submitted: auto-generated" in text


@pytest.mark.parametrize(("answer", "repeatable"), [("550 no such user", False), ("451 try later", True)])
async def test_the_answer_of_the_mail_server_decides_as_well(answer: str, repeatable: bool) -> None:
    with mail_receiver() as server:
        server.refusals.append(answer)
        failure = await sender_for_tests(time.time).send(channel("email", port=server.port), NOTICE)
    assert failure == SendFailure("mail", answer[:3], repeatable=repeatable)


async def test_a_silent_mail_server_is_given_up_and_holds_no_thread() -> None:
    with mail_receiver() as server:
        server.silent = True
        assert await send_beside_a_slow_one(channel("email", port=server.port)) == SendFailure("timeout")


@pytest.mark.parametrize(
    "failure", [SendFailure("status", "404", repeatable=False), SendFailure("timeout"), SendFailure("mail", "550")]
)
def test_a_stored_failure_is_shown_as_it_was(failure: SendFailure) -> None:
    assert SendFailure.from_code(failure.code).message == failure.message


async def test_a_cookie_of_a_receiver_is_sent_to_nobody() -> None:
    with http_receiver() as receiver:
        receiver.answers.append((200, {"Set-Cookie": "session=stolen; Path=/"}, b"ok"))
        sender = sender_for_tests(time.time)
        for name in ("first", "second"):
            assert await sender.send(channel(name=name, url=receiver.url), NOTICE) is None
        assert await sender.connect(channel(url=receiver.url)) is None
    assert len(receiver.requests) == 2
    assert ["cookie" in headers for _, headers, _ in receiver.requests] == [False, False]


@pytest.mark.parametrize("kind", POSTED)
async def test_a_connection_is_checked_without_the_secret_address_or_its_token(kind: ChannelKind) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(404)

    sender = NoticeSender(time.time, httpx2.MockTransport(answer))
    assert await sender.connect(channel(kind, url="https://hooks.example.com/T/B/key?token=hidden")) is None
    [request] = seen
    assert (request.method, str(request.url)) == ("HEAD", "https://hooks.example.com/")
    assert not {"key", "hidden", "chatwork-token"} & set(re.findall(r"[\w-]+", repr(list(request.headers.items()))))
    assert await request.aread() == b""
    await sender.aclose()
