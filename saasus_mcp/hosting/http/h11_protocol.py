"""One connection of a client: it must say what it wants and read what it is answered in time, or its place goes to others."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY, ConnectionTracker

HEAD_SECONDS = 10.0
"""For which the head of a request may take to arrive, and a new connection may be silent."""
READ_SECONDS = 30.0
"""For which a client may leave an answer unread once no more of it fits into the buffers on the way."""


class TimeoutH11Protocol(H11Protocol):
    """Uvicorn's, with an end to waiting for a client. How large a head may be, h11 sees to.

    Never httptools, which has no such bound, takes a body after `Upgrade` for something else, and leaves blanks in values.
    Connections that are late are aborted: closing would wait until the client has read everything.

    Args:
        sockets: counts this one.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        sockets: ConnectionTracker,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._sockets = sockets
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        super().connection_made(transport)
        self._sockets.add(self)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is before and getattr(before, "response_complete", True):  # there is none before the first
            self._await_head()
        else:
            self._note_request(before)

    def on_response_complete(self) -> None:
        before = self.cycle
        self._sockets.mark_idle(self, authenticated=AUTHENTICATED_KEY in before.scope.get("state", {}))
        super().on_response_complete()  # which may begin the next request, if it has arrived already
        self._note_request(before)
        if self.transport.is_closing():
            self._expect_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sockets.remove(self)
        self._stop_late()
        self._stop_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_unread()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._expect_reading()

    def abort(self) -> None:
        """Close the connection at once, whatever its client has not read yet."""
        self.transport.abort()

    def _expect_reading(self) -> None:
        """Close the connection unless its client reads soon what it was answered."""
        if self._unread is None:
            self._unread = self.loop.call_later(READ_SECONDS, self.abort)

    def _note_request(self, before: Any) -> None:
        """Note that a request has arrived, where one has."""
        if self.cycle is not before:
            self._sockets.mark_busy(self)
            self._stop_late()
            if self.cycle.response_complete:  # answered while it was read
                self._sockets.mark_idle(self, authenticated=False)

    def _await_head(self) -> None:
        """Close the connection unless the head of its next request arrives in time."""
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.abort)

    def _stop_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
