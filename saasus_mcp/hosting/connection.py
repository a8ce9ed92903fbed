"""One connection of a client: it must say what it wants in time, or its place goes to others."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""For which the head of a request may take to arrive, and a new connection may be silent."""


class Connection(H11Protocol):
    """Uvicorn's, with an end to waiting for a request's head. How large a head may be, h11 sees to.

    Never httptools, which has no such bound, takes a body after `Upgrade` for something else, and leaves blanks in values.
    """

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._await_head(arrived=True)
        elif getattr(before, "response_complete", True):  # there is none before the first
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_head(arrived=True)
        super().connection_lost(exc)

    def _await_head(self, *, arrived: bool = False) -> None:
        """Close the connection unless the head of its next request arrives in time."""
        if self._late is None and not arrived:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)
        elif self._late is not None and arrived:
            self._late.cancel()
            self._late = None
