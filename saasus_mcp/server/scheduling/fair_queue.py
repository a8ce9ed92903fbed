"""Slots for what several principals do at once: each has a share, and waits behind its own calls, not behind another's."""

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
from saasus_mcp.saasus.client import CONNECTIONS

REQUESTS_PER_SLOT = 10
"""Requests that a principal may have under way, as a multiple of the calls that may be at the API."""
READ_WAIT_SECONDS, WRITE_WAIT_SECONDS = 30.0, 5.0
"""Seconds for which a call waits for a slot. A write was decided on just before, by what its target was then."""
RETRY_SECONDS = 2


class TooManyCalls(SaasusMcpError):
    """A principal has too much under way. Nothing was sent."""


@dataclass(eq=False, slots=True)
class Slot:
    """The right to do one thing at a time. It ends when it is released, or with the block that it is entered for."""

    queue: FairQueue
    principal: str
    is_granted: anyio.Event = field(default_factory=anyio.Event)
    is_released: bool = False

    def release(self) -> None:
        """Give it to the next in turn. Again, it does nothing."""
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
    """Hands out slots. A free one goes to the principals that wait in turn, to each of them its oldest call.

    Args:
        total: slots.
        each: of one principal.
    """

    def __init__(self, total: int = CONNECTIONS, per_principal: int = CONNECTIONS) -> None:
        self._free = total
        self._each = per_principal
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[Slot]] = {}
        self._requests: Counter[str] = Counter()

    @contextmanager
    def count_request(self, principal: str) -> Iterator[None]:
        """Count a request of a client while it is under way, whether it calls the API or waits for a person.

        Raises:
            Busy: the principal has too many.
        """
        most = REQUESTS_PER_SLOT * self._each
        if self._requests[principal] >= most:
            raise _busy(f"You have {most} requests in progress, the maximum per caller.")
        self._requests[principal] += 1
        try:
            yield
        finally:
            _less(self._requests, principal)

    async def acquire(self, principal: str, patience: float = math.inf) -> Slot:
        """A slot, as soon as there is one.

        Args:
            patience: seconds to wait.

        Raises:
            Busy: there was none in time.
        """
        slot = Slot(self, principal)
        self._waiting.setdefault(principal, deque()).append(slot)
        self._grant()
        if slot.is_granted.is_set():
            return slot
        try:
            with anyio.move_on_after(patience):
                await slot.is_granted.wait()
        except BaseException:  # the client has gone
            self._give_up(slot)
            raise
        if not slot.is_granted.is_set():
            self._give_up(slot)
            at_once = self._held[principal]
            raise _busy(f"{at_once} of your calls are already running, and this one waited {patience:g} seconds.")
        return slot

    def return_slot(self, principal: str) -> None:
        """Take a slot back."""
        self._free += 1
        _less(self._held, principal)
        self._grant()

    def _grant(self) -> None:
        """Give free slots to those that wait and hold less than their share, one principal after the other."""
        while self._free:
            principal = next((each for each in self._waiting if self._held[each] < self._each), None)
            if principal is None:
                return
            queue = self._waiting.pop(principal)
            slot = queue.popleft()
            if queue:
                self._waiting[principal] = queue  # the last in turn from now on
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


def _less(counts: Counter[str], principal: str) -> None:
    counts[principal] -= 1
    if not counts[principal]:
        del counts[principal]


def _busy(message: str) -> TooManyCalls:
    return TooManyCalls(
        f"You have too many calls in progress. {message}",
        f"Try again in {RETRY_SECONDS} seconds with fewer parallel calls.",
    )
