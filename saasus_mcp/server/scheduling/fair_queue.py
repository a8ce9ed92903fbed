"""Slots for concurrent calls. Each principal has a share, so that a busy principal delays only its own calls."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.saasus.route import CONNECTIONS

REQUESTS_PER_SLOT = 10
"""The most requests in progress of one principal, as a multiple of its slots."""
READ_WAIT_SECONDS, WRITE_WAIT_SECONDS = 30.0, 5.0
"""Seconds for which a call waits for a slot. A write waits less, because it was decided on by the state of its target."""
RETRY_SECONDS = 2


class TooManyCalls(SaasusMcpError):
    """The principal has too many calls in progress. Nothing was sent."""


@dataclass(eq=False, slots=True)
class Slot:
    """The right to run one call. It ends when it is released, or at the end of its `with` block."""

    queue: FairQueue
    principal: str
    is_granted: anyio.Event = field(default_factory=anyio.Event)
    is_released: bool = False

    def release(self) -> None:
        """Give the slot to the next call in the queue. A second release does nothing."""
        if not self.is_released:
            self.is_released = True
            self.queue.return_slot(self.principal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class FairQueue:
    """Grants slots. A free slot goes to the waiting principals in turn, and there to the oldest call.

    Args:
        total: the number of slots.
        per_principal: the most slots that one principal can hold.
    """

    def __init__(self, total: int = CONNECTIONS, per_principal: int = CONNECTIONS) -> None:
        self._free = total
        self._per_principal = per_principal
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[Slot]] = {}
        self._requests: Counter[str] = Counter()

    @contextmanager
    def count_request(self, principal: str) -> Iterator[None]:
        """Count a client's request while it is in progress, even if it only waits for a person.

        Raises:
            TooManyCalls: the principal has too many requests in progress.
        """
        most = REQUESTS_PER_SLOT * self._per_principal
        if self._requests[principal] >= most:
            raise _too_many(message("server.too_many_requests", count=most))
        self._requests[principal] += 1
        try:
            yield
        finally:
            _decrement(self._requests, principal)

    async def acquire(self, principal: str, max_wait: float = math.inf) -> Slot:
        """Return a slot as soon as one is free.

        Args:
            max_wait: seconds to wait.

        Raises:
            TooManyCalls: no slot was free in time.
        """
        slot = Slot(self, principal)
        self._waiting.setdefault(principal, deque()).append(slot)
        self._grant()
        if slot.is_granted.is_set():
            return slot
        try:
            with anyio.move_on_after(max_wait):
                await slot.is_granted.wait()
        except BaseException:  # the client has gone
            self._give_up(slot)
            raise
        if not slot.is_granted.is_set():
            self._give_up(slot)
            running = self._held[principal]
            raise _too_many(message("server.too_many_calls", running=running, seconds=max_wait))
        return slot

    def return_slot(self, principal: str) -> None:
        """Take back the slot of a principal."""
        self._free += 1
        _decrement(self._held, principal)
        self._grant()

    def _grant(self) -> None:
        """Grant free slots to the waiting calls of principals that hold less than their share."""
        while self._free:
            principal = next((each for each in self._waiting if self._held[each] < self._per_principal), None)
            if principal is None:
                return
            queue = self._waiting.pop(principal)
            slot = queue.popleft()
            if queue:
                self._waiting[principal] = queue  # the last in turn
            self._free -= 1
            self._held[principal] += 1
            slot.is_granted.set()

    def _give_up(self, slot: Slot) -> None:
        if slot.is_granted.is_set():
            slot.release()
            return
        queue = self._waiting[slot.principal]
        queue.remove(slot)
        if not queue:
            del self._waiting[slot.principal]


def _decrement(counts: Counter[str], principal: str) -> None:
    counts[principal] -= 1
    if not counts[principal]:
        del counts[principal]


def _too_many(text: Message) -> TooManyCalls:
    return TooManyCalls(text, message("server.too_many_calls_hint", seconds=RETRY_SECONDS))
