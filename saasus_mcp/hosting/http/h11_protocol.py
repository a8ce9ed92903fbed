"""The HTTP/1.1 protocol of one client connection, with time limits for sending a request and reading the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from saasus_mcp.hosting.http.h11_connection import MAX_HEAD_BYTES, LimitedConnection
from saasus_mcp.hosting.limits.answer_pacing import CONNECTION_KEY
from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY, ConnectionTracker
from saasus_mcp.hosting.limits.head_queue import HeadQueue

HEAD_SECONDS = 10.0
"""Time for the head of a request to arrive, on a new connection too."""
PIPELINED_BYTES = 2 * MAX_HEAD_BYTES
"""What is kept of further requests while one is answered. The connection ends after the answer if more was sent."""
READ_SECONDS = 30.0
"""Time for a client to read an answer once the buffers are full."""


class TimeoutH11Protocol(H11Protocol):
    """Uvicorn's h11 protocol with timeouts for slow clients.

    It uses h11, not httptools: httptools has no header limit, mishandles bodies after `Upgrade`, and does not strip header
    values. A slow connection is aborted, because closing it would wait until the client has read everything.

    Args:
        tracker: counts this connection.
        heads: decides when a request is parsed; None: as soon as it arrives.
    """

    conn: LimitedConnection

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        tracker: ConnectionTracker,
        heads: HeadQueue | None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = LimitedConnection(self._may_parse)
        self._tracker = tracker
        self._heads = heads
        self._waits = self._has_turn = False
        self._unread = bytearray()
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._on_lost: Callable[[], None] | None = None
        self._on_unanswered: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn declares it so too
        super().connection_made(transport)
        self._tracker.add(self)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        for start in range(0, len(data), MAX_HEAD_BYTES):
            piece = data[start : start + MAX_HEAD_BYTES]
            if self.transport.is_closing():
                break
            if self._waits:
                self._unread += data[start:]
                if len(self._unread) > PIPELINED_BYTES:
                    self.flow.pause_reading()
                break
            if self.conn.is_paused and len(self.conn.trailing_data[0]) + len(piece) > PIPELINED_BYTES:
                self.cycle.keep_alive = False  # what is dropped here gets no answer
                self.flow.pause_reading()
                break
            super().data_received(piece)
        self._note_parsed(before)

    def take_turn(self) -> None:
        """Parse the request that has waited for its turn (a WaitingConnection)."""
        if self._waits and not self.transport.is_closing():
            before, rest = self.cycle, bytes(self._unread)
            self._waits, self._has_turn = False, True
            self._unread.clear()
            self.flow.resume_reading()
            self.handle_events()
            self._note_parsed(before)
            self.data_received(rest)

    def shutdown(self) -> None:
        self.take_turn()  # otherwise it would be closed as an idle one
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            if not getattr(self.cycle, "response_complete", True):  # the app cannot answer this request any more
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            super().send_400_response(msg)
        else:  # the answer began before the request ended
            self.abort()

    def on_response_complete(self) -> None:
        before, self._on_unanswered = self.cycle, None
        before.body.clear()  # the app reads it no longer
        self._tracker.mark_idle(self, authenticated=AUTHENTICATED_KEY in before.scope.get("state", {}))
        super().on_response_complete()  # this starts the next request if it has arrived already
        self._note_new_request(before)
        if self.transport.is_closing():
            self._start_read_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tracker.remove(self)
        self._cancel_head_timer()
        self._cancel_read_timer()
        super().connection_lost(exc)
        for notify in (self._on_lost, self._on_unanswered):
            if notify is not None:
                notify()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_read_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_read_timer()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._start_read_timer()

    def abort(self) -> None:
        """Close the connection at once, even if the client has not read everything."""
        self.transport.abort()

    @contextmanager
    def hold(self, on_lost: Callable[[], None]) -> Iterator[None]:
        """Count the connection as idle, and keep nothing of the request's body, while its answer waits (a HeldConnection)."""
        self._on_lost = on_lost
        self.cycle.body.clear()
        self._tracker.mark_idle(self, authenticated=False)
        if self.cycle.disconnected:
            on_lost()
        try:
            yield
        finally:
            self._on_lost = None

    def _may_parse(self, received: bytes) -> bool:
        """Return whether the next request, of which this was received, is parsed now. Otherwise the connection waits for its turn."""
        if self._has_turn or self._heads is None:
            self._has_turn = False
            return True
        if not self._waits:
            if self._heads.is_known(received):
                return True
            self._waits = True
            self._heads.enter(self, self.client[0] if self.client else "")
        return False

    def _note_parsed(self, before: Any) -> None:
        """Start the time limit of the next head, or mark the connection busy if a request was parsed since `before` was the last one."""
        if self._on_lost is not None:
            self.cycle.body.clear()
        if self.cycle is before and getattr(before, "response_complete", True):  # the first request has no predecessor
            self._start_head_timer()
        else:
            self._note_new_request(before)

    def watch(self, on_lost: Callable[[], None]) -> None:
        """Call `on_lost` if the client leaves before the request is answered (a HeldConnection)."""
        self._on_unanswered = on_lost
        if self.cycle.disconnected:
            on_lost()

    def _start_read_timer(self) -> None:
        """Abort the connection unless its client reads the answer in time."""
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(READ_SECONDS, self.abort)

    def _note_new_request(self, before: Any) -> None:
        """Mark the connection busy if a new request has arrived."""
        if self.cycle is not before:
            self._tracker.mark_busy(self)
            self._cancel_head_timer()
            self.cycle.scope["state"][CONNECTION_KEY] = self
            if self.cycle.response_complete:  # answered while it was being read
                self._tracker.mark_idle(self, authenticated=False)

    def _start_head_timer(self) -> None:
        """Abort the connection unless the head of its next request arrives in time."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.abort)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
