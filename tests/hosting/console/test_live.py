"""The live updates of open pages: what a stream tells, to whom, and when it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.hosting.console import live
from saasus_mcp.hosting.console.live import LiveStreams, read_live_state, stream_events
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store.job_records import JobGrant, JobPause, PauseSide
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.signin_sessions import Approver
from saasus_mcp.store.signin_sessions import ConsoleSession as SignedIn
from tests.support.approvals import NOW
from tests.support.console import ALICE, JOB, REQUESTED_AT, ConsoleSession

ENGLISH = Reader.of("en")
EVE = Approver("eve", frozenset({"testers"}))


@pytest.fixture
def service(stage: ConsoleSession, monkeypatch: pytest.MonkeyPatch) -> ConsoleService:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.01)
    return stage.console.service


def session_of(approver: Approver, csrf: str = "one") -> SignedIn:
    return SignedIn(approver, csrf, NOW, NOW + 60)


def events_of(part: str) -> list[tuple[str, Any]]:
    """Return the names and the contents of the events in a part of a stream."""
    lines = [line.partition(": ")[2] for line in part.splitlines() if line.startswith(("event", "data"))]
    return list(zip(lines[::2], lines[1::2], strict=True))


@asynccontextmanager
async def opened(
    service: ConsoleService, streams: LiveStreams, find: Callable[[], SignedIn | None], asked_at: int = 0
) -> AsyncIterator[AsyncGenerator[str]]:
    session = find()
    assert session is not None
    async with aclosing(stream_events(service, streams, session, find, ENGLISH, asked_at=asked_at)) as parts:
        assert (await anext(parts)).startswith("retry: ")
        with anyio.fail_after(10):
            yield parts


async def next_state(parts: AsyncIterator[str]) -> dict[str, Any]:
    [(name, content)] = events_of(await anext(parts))
    assert name == "state"
    return dict(json.loads(content))


async def test_a_new_approval_and_a_decided_one_are_announced(stage: ConsoleSession, service: ConsoleService) -> None:
    async with opened(service, LiveStreams(), lambda: session_of(ALICE)) as parts:
        assert (await next_state(parts))["waiting"] == 0
        stage.create_approval()
        arrived = await next_state(parts)
        assert (arrived["waiting"], arrived["pending"][0]["code"]) == (1, REQUESTED_AT.code)
        assert "株式会社青空" in arrived["pending"][0]["headline"]
        service.reject(ALICE, REQUESTED_AT.code, "")
        decided = await next_state(parts)
        assert (decided["waiting"], decided["approvals"] != arrived["approvals"]) == (0, True)


async def test_nothing_of_another_profile_is_reported(stage: ConsoleSession, service: ConsoleService) -> None:
    stage.create_approval()
    stage.start_job()
    seen, nothing = (read_live_state(service, who, ENGLISH) for who in (ALICE, EVE))
    assert (seen.waiting, nothing.waiting, nothing.pending) == (1, 0, ())
    stage.store.jobs.save_progress(JOB, 3, 9)
    assert read_live_state(service, EVE, ENGLISH) == nothing
    assert read_live_state(service, ALICE, ENGLISH).jobs != seen.jobs


async def test_a_job_of_another_profile_in_the_same_store_is_not_reported(
    stage: ConsoleSession, service: ConsoleService
) -> None:
    context = service.list_contexts()[0]
    staging = replace(context, name="staging", profile="staging", groups=frozenset({"testers"}))
    service = replace(service, list_contexts=lambda: [context, staging])
    before = read_live_state(service, EVE, ENGLISH)
    stage.start_job()
    assert read_live_state(service, EVE, ENGLISH) == before
    grant = JobGrant("job_x", "token:eve", "staging", "plan", "none", "", False, {})
    stage.store.commit("e" * 32, {}, NOW, commitment=Commitment(grant=grant))
    assert read_live_state(service, EVE, ENGLISH).jobs != before.jobs


async def test_a_pause_and_its_end_are_announced(stage: ConsoleSession, service: ConsoleService) -> None:
    stage.start_job()
    states = [read_live_state(service, ALICE, ENGLISH).jobs]
    sides: tuple[PauseSide, ...] = ("model", "person")
    for side in sides:
        stage.store.pause_job(JOB, JobPause(stage.now, "alice", side), {"action": "pause"})
        states.append(read_live_state(service, ALICE, ENGLISH).jobs)
    stage.store.resume_job(JOB, "person", {"action": "resume"}, stage.now)
    states.append(read_live_state(service, ALICE, ENGLISH).jobs)
    assert states[3] == states[0]
    assert len(set(states)) == 3


async def test_the_stream_ends_with_the_session(stage: ConsoleSession, service: ConsoleService) -> None:
    found: list[SignedIn | None] = [session_of(ALICE)]
    streams = LiveStreams()
    async with opened(service, streams, lambda: found[0]) as parts:
        await next_state(parts)
        found[0] = None
        stage.create_approval()
        assert events_of(await anext(parts)) == [("end", "session")]
        assert [part async for part in parts] == []
    assert len(streams) == 0


async def test_a_session_has_one_stream_and_an_approver_few(service: ConsoleService) -> None:
    streams = LiveStreams()
    async with opened(service, streams, lambda: session_of(ALICE)) as first:
        await next_state(first)
        async with opened(service, streams, lambda: session_of(ALICE)) as second:
            assert events_of(await anext(first)) == [("end", "replaced")]
            await next_state(second)
            assert len(streams) == 1
            others = [streams.open(session_of(ALICE, f"other-{number}")) for number in range(live.MAX_STREAMS_EACH)]
            assert None not in others
            assert len(streams) == live.MAX_STREAMS_EACH
            assert events_of(await anext(second)) == [("end", "replaced")]


@pytest.mark.parametrize(("left", "next_page"), [("1000", "2000"), ("", "1"), ("x" * 20, "5"), ("9" * 16, "5")])
async def test_a_page_that_was_left_does_not_end_the_stream_of_the_next_if_its_request_comes_later(
    stage: ConsoleSession, service: ConsoleService, left: str, next_page: str
) -> None:
    streams = LiveStreams()
    find = partial(session_of, ALICE)
    async with opened(service, streams, find, live.parse_time(next_page)) as later:
        await next_state(later)
        async with opened(service, streams, find, live.parse_time(left)) as earlier:
            assert [events_of(part)[0][0] async for part in earlier] == ["state", "end"]
        stage.create_approval()
        assert (await next_state(later))["waiting"] == 1
    assert len(streams) == 0


async def test_a_client_that_goes_at_once_leaves_no_stream(service: ConsoleService) -> None:
    streams = LiveStreams()
    parts = stream_events(service, streams, session_of(ALICE), lambda: session_of(ALICE), ENGLISH)
    await parts.aclose()
    assert len(streams) == 0


async def test_the_streams_of_all_approvers_are_bounded() -> None:
    streams = LiveStreams()
    opened_streams = [streams.open(session_of(Approver(f"p{number}"), str(number))) for number in range(20)]
    assert sum(stream is not None for stream in opened_streams) == live.MAX_STREAMS
    first = opened_streams[0]
    assert first is not None
    streams.close(first)
    assert streams.open(session_of(ALICE)) is not None


async def test_a_quiet_stream_is_kept_alive_and_ends_in_time(
    service: ConsoleService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(live, "MAX_SECONDS", 0.5)
    async with opened(service, LiveStreams(), lambda: session_of(ALICE)) as parts:
        await next_state(parts)
        rest = [part async for part in parts]
    assert rest
    assert set(rest) == {": \n\n"}


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}])
async def test_nobody_else_gets_a_stream(stage: ConsoleSession, headers: dict[str, str]) -> None:
    async with stage.signed_in() if headers else stage.browser() as client:
        answer = await client.get("/console/events", headers=headers)
    assert answer.status_code == 401
    assert answer.text == ""


async def test_a_server_full_of_streams_says_so(stage: ConsoleSession) -> None:
    for number in range(live.MAX_STREAMS):
        stage.console.streams.open(session_of(Approver(f"p{number}"), str(number)))
    async with stage.signed_in() as client:
        assert (await client.get("/console/events")).status_code == 503


async def test_a_page_names_the_state_that_it_shows(stage: ConsoleSession) -> None:
    stage.create_approval()
    async with stage.signed_in() as client:
        page: httpx2.Response = await client.get("/console")
    state = read_live_state(stage.console.service, ALICE, ENGLISH)
    assert f'data-live="approvals" data-version="{state.approvals}"' in page.text
    assert "<title>(1) " in page.text
