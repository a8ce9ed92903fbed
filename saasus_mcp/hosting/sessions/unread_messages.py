"""What waits on the streams of the older SSE for clients that do not read them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from mcp.shared.message import SessionMessage

from saasus_mcp.hosting.sessions.exchange import WrappedStream

MAX_UNREAD = 256
"""Messages to one principal that may wait, on all streams together. Each holds a task and an answer until its stream is aborted."""


class UnreadMessages:
    """Counts the messages that wait, by principal."""

    def __init__(self) -> None:
        self._waiting = Counter[str]()

    def is_full(self, principal: str) -> bool:
        """Return whether so many wait that the principal must read before it sends more."""
        return self._waiting[principal] >= MAX_UNREAD

    def counted(self, principal: str, writing: Any) -> _CountedStream:
        """Return a stream to a client of the principal, on which what waits is counted."""
        return _CountedStream(writing, self._waiting, principal)


@dataclass(frozen=True, slots=True)
class _CountedStream(WrappedStream):
    waiting: Counter[str]
    principal: str

    async def send(self, item: SessionMessage, /) -> None:
        self.waiting[self.principal] += 1
        try:
            await self.inner.send(item)
        finally:
            self.waiting[self.principal] -= 1
            if not self.waiting[self.principal]:
                del self.waiting[self.principal]
