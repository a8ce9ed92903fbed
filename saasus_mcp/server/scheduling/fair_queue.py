"""Slots for concurrent calls. Each principal has a share, so that a busy principal delays only its own calls."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Self

import anyio

from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.route import CONNECTIONS

REQUESTS_PER_SLOT = 10
"""The most requests in progress of one principal, as a multiple of its slots."""
READ_WAIT_SECONDS, WRITE_WAIT_SECONDS = 30.0, 5.0
"""Seconds for which a call waits for a slot. A write waits less, because it was decided on by the state of its target."""
RETRY_SECONDS = 2
JOB_SLOTS = 6
"""The most slots that the jobs of a principal hold together, so that they do not crowd out other users of the API."""
_JOBS = "jobs of "


class TooManyCalls(CallRefused):
    """The principal has too many calls in progress. Nothing was sent."""


def job_queue(principal: str) -> str:
    """Return the name under which calls of a principal's jobs wait: they must not fail because the principal is busy."""
    return _JOBS + principal


@dataclass(eq=False, slots=True)
class Slot:
    """The right to run one call. It ends when it is released, or at the end of its `with` block."""

    queue: FairQueue
    principal: str
    is_released: bool = False

    def release(self) -> None:
        """Give the slot to the next call in the queue. A second release does nothing."""
        if not self.is_released:
            self.is_released = True
            self.queue.return_slot(self.principal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(eq=False, slots=True)
class CountedRequest:
    """A client's request, counted while its `with` block runs."""

    requests: dict[str, int]
    principal: str

    def __enter__(self) -> None:
        self.requests[self.principal] = self.requests.get(self.principal, 0) + 1

    def __exit__(self, *_: object) -> None:
        _decrement(self.requests, self.principal)


@dataclass(eq=False, slots=True)
class _WaitingSlot:
    """A slot for which a call waits."""

    slot: Slot
    is_granted: anyio.Event = field(default_factory=anyio.Event)


class FairQueue:
    """Grants slots. A free slot goes to the waiting principals in turn, and there to the oldest call.

    Args:
        per_principal: the most slots that one principal can hold, beside `JOB_SLOTS` of its jobs.
    """

    def __init__(self, total: int = CONNECTIONS, per_principal: int = CONNECTIONS) -> None:
        self._total = self._free = total
        self._per_principal = per_principal
        self._held: dict[str, int] = {}
        self._waiting: dict[str, deque[_WaitingSlot]] = {}
        self._requests: dict[str, int] = {}

    @property
    def is_shared(self) -> bool:
        """Whether several calls hold a slot now."""
        return self._total - self._free > 1

    def count_request(self, principal: str) -> CountedRequest:
        """Count a client's request while it is in progress, even if it only waits for a person.

        Raises:
            TooManyCalls: the principal has too many requests in progress.
        """
        most = REQUESTS_PER_SLOT * self._per_principal
        if self._requests.get(principal, 0) >= most:
            raise _too_many(message("server.too_many_requests", count=most))
        return CountedRequest(self._requests, principal)

    def take_free(self, principal: str) -> Slot | None:
        """Return a slot if one is free now: then every principal that waits already holds its share."""
        if not self._free or principal in self._waiting or self._held.get(principal, 0) >= self._share(principal):
            return None
        self._take(principal)
        return Slot(self, principal)

    async def acquire(self, principal: str, max_wait: float = math.inf) -> Slot:
        """Return a slot as soon as one is free.

        Args:
            max_wait: seconds to wait.

        Raises:
            TooManyCalls: no slot was free in time.
        """
        free = self.take_free(principal)
        if free is not None:
            return free
        waiting = _WaitingSlot(Slot(self, principal))
        self._waiting.setdefault(principal, deque()).append(waiting)
        try:
            with anyio.move_on_after(max_wait):
                await waiting.is_granted.wait()
        except BaseException:  # the client has gone
            self._give_up(waiting)
            raise
        if not waiting.is_granted.is_set():
            self._give_up(waiting)
            running = self._held.get(principal, 0)
            raise _too_many(message("server.too_many_calls", running=running, seconds=max_wait))
        return waiting.slot

    def return_slot(self, principal: str) -> None:
        """Take back the slot of a principal."""
        self._free += 1
        _decrement(self._held, principal)
        if self._waiting:
            self._grant()

    def _grant(self) -> None:
        """Grant free slots to the waiting calls of principals that hold less than their share."""
        while self._free and self._waiting:
            principal = next((each for each in self._waiting if self._held.get(each, 0) < self._share(each)), None)
            if principal is None:
                return
            queue = self._waiting.pop(principal)
            waiting = queue.popleft()
            if queue:
                self._waiting[principal] = queue  # the last in turn
            self._take(principal)
            waiting.is_granted.set()

    def _share(self, principal: str) -> int:
        return min(JOB_SLOTS, self._per_principal) if principal.startswith(_JOBS) else self._per_principal

    def _take(self, principal: str) -> None:
        self._free -= 1
        self._held[principal] = self._held.get(principal, 0) + 1

    def _give_up(self, waiting: _WaitingSlot) -> None:
        slot = waiting.slot
        if waiting.is_granted.is_set():
            slot.release()
            return
        queue = self._waiting[slot.principal]
        queue.remove(waiting)
        if not queue:
            del self._waiting[slot.principal]


def _decrement(counts: dict[str, int], principal: str) -> None:
    counts[principal] -= 1
    if not counts[principal]:
        del counts[principal]


def _too_many(text: Message) -> TooManyCalls:
    return TooManyCalls(Reason.BUSY, text, message("server.too_many_calls_hint", seconds=RETRY_SECONDS))
