"""The live updates of open pages: one stream of server-sent events for each session, bounded in number and in time.

A stream carries only counts, digests and the headlines of new approvals. A page that sees another digest than its own requests
itself again, with all checks of a page.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.to_thread import run_sync

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.text import visible_text
from saasus_mcp.hosting.console.service import ConsoleService, freezes_version
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession

POLL_SECONDS, HEARTBEAT_SECONDS, MAX_SECONDS = 1.0, 15.0, 15 * 60.0
"""How often the stores are read, the pause after which a comment keeps the connection alive, and the length of a stream: the
browser then opens the next one."""
RETRY_MILLISECONDS = 3_000
MAX_STREAMS, MAX_STREAMS_EACH = 16, 3
"""Streams at once: in total, half of the console's places; and of one approver, who may use several browsers."""
MAX_HEADLINES, LISTED_JOBS = 5, 100
MAX_HEADLINE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class LiveView:
    """What the pages of an approver depend on.

    Attributes:
        pending: the code and the headline of the newest pending approvals.
        approvals, jobs, freezes: digests, which differ whenever the pages would.
    """

    waiting: int
    pending: tuple[tuple[str, str], ...]
    approvals: str
    jobs: str
    freezes: str

    def to_event(self) -> dict[str, Any]:
        pending = [{"code": code, "headline": headline} for code, headline in self.pending]
        digests = {"approvals": self.approvals, "jobs": self.jobs, "freezes": self.freezes}
        return {"waiting": self.waiting, "pending": pending, **digests}


def parse_time(text: str) -> int:
    """Return the milliseconds of a browser's clock, or 0 for any other text."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else 0


def read_live_state(service: ConsoleService, approver: Approver, reader: Reader) -> LiveView:
    now = service.clock()
    listed = [each.record for each in service.list_approvals(approver, since=now)]
    waiting = [each for each in listed if each.status == "pending"]
    pending = []
    for approval in waiting[:MAX_HEADLINES]:
        question = stored_question.load_question(approval)
        headline = format_sentence(question.headline, reader) if question else approval.operation
        pending.append((approval.code, visible_text(headline)[:MAX_HEADLINE_LENGTH]))
    jobs = [each.store().jobs.list_states(each.profile, LISTED_JOBS) for each in service.contexts_of(approver)]
    approvals = _digest([(each.code, each.status) for each in listed])
    freezes = freezes_version(service.list_freezes(approver))
    return LiveView(len(waiting), tuple(pending), approvals, _digest(jobs), freezes)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:16]


@dataclass(eq=False, slots=True)
class _Stream:
    """An open stream, its owner, the time at which its page asked for it, and the event that ends it."""

    approver: str
    session: str
    asked_at: int
    replaced: anyio.Event = field(default_factory=anyio.Event)


class LiveStreams:
    """The open streams. A new stream ends the older one of its session, and the oldest one of an approver with too many.

    Requests may arrive in another order than a browser sent them: a page that was left at once must not end the stream of the next.
    """

    def __init__(self) -> None:
        self._open: list[_Stream] = []

    def has_place(self, session: ConsoleSession) -> bool:
        """Return True if a stream of this session could be opened now."""
        return len(self._open) - len(self._replaced_by(session)) < MAX_STREAMS

    def open(self, session: ConsoleSession, asked_at: int = 0) -> _Stream | None:
        """Return a new stream, or None if too many are open. It ends at once if its session has one that was asked for later.

        Args:
            asked_at: the browser's time, in milliseconds. Only the streams of one session, and so of one browser, are compared.
        """
        stream = _Stream(session.approver.id, session.csrf, asked_at)
        if any(each.session == stream.session and each.asked_at > asked_at for each in self._open):
            stream.replaced.set()
            return stream
        for each in self._replaced_by(session):
            each.replaced.set()
            self._open.remove(each)
        if len(self._open) >= MAX_STREAMS:
            return None
        self._open.append(stream)
        return stream

    def _replaced_by(self, session: ConsoleSession) -> list[_Stream]:
        own = [each for each in self._open if each.approver == session.approver.id]
        same = [each for each in own if each.session == session.csrf]
        return same or own[: max(0, len(own) - MAX_STREAMS_EACH + 1)]

    def close(self, stream: _Stream) -> None:
        if stream in self._open:
            self._open.remove(stream)

    def __len__(self) -> int:
        return len(self._open)


async def stream_events(
    service: ConsoleService,
    streams: LiveStreams,
    session: ConsoleSession,
    find_session: Callable[[], ConsoleSession | None],
    reader: Reader,
    *,
    asked_at: int = 0,
) -> AsyncGenerator[str]:
    """Yield an event for each change, and a comment after a while without one.

    The session is checked at each reading. The event `end` tells the page not to come back: the session has ended, or another page
    of it has a stream.
    """
    stream = streams.open(session, asked_at)  # here, and so closed below even if the client goes before the first event
    if stream is None:
        return

    def read_state() -> LiveView | None:
        present = find_session()
        return None if present is None else read_live_state(service, present.approver, reader)

    last: LiveView | None = None
    quiet, end = 0.0, anyio.current_time() + MAX_SECONDS
    try:
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        while anyio.current_time() < end:
            state = await run_sync(read_state)
            if state is None:
                yield "event: end\ndata: session\n\n"
                return
            if state != last:
                last, quiet = state, 0.0
                yield f"event: state\ndata: {json.dumps(state.to_event(), ensure_ascii=False)}\n\n"
            elif quiet >= HEARTBEAT_SECONDS:
                quiet = 0.0
                yield ": \n\n"
            with anyio.move_on_after(POLL_SECONDS):
                await stream.replaced.wait()
            quiet += POLL_SECONDS
            if stream.replaced.is_set():
                yield "event: end\ndata: replaced\n\n"
                return
    except SaasusMcpError:  # a store cannot be read: the browser asks again, and gets the page that says so
        return
    finally:
        streams.close(stream)
