"""Parse the requests of unknown callers a few at a time, so that those of known callers go first."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import Protocol

from saasus_mcp.hosting.limits.recent_tokens import RecentTokens

HEADS_PER_TURN = 4
"""Requests of unknown callers that are parsed in one turn of the event loop. Each takes about half a millisecond, with its answer."""
_AUTHORIZATION = re.compile(rb"\r\n(?i:authorization):([^\r\n]*)\r\n")


class WaitingConnection(Protocol):
    """A connection that has received the head of a request."""

    def take_turn(self) -> None:
        """Parse the request."""
        ...


class HeadQueue:
    """The connections whose requests wait to be parsed, in turns of their addresses.

    A request with a recently valid token is not queued: however many connections ask without one, it is parsed when it arrives.
    This decides only when a request is parsed. Its token is checked later.

    Args:
        recent: the recently valid tokens.
        most: the most connections that wait. If another one comes, the next in turn is parsed at once.

    Attributes:
        waiting: how many connections wait.
    """

    def __init__(self, recent: RecentTokens, most: int) -> None:
        self._recent = recent
        self._most = most
        self._waiting: dict[str, deque[WaitingConnection]] = {}
        self.waiting = 0
        self._is_scheduled = False

    def is_known(self, received: bytes) -> bool:
        """Return whether the first bytes of a request contain a token that was valid recently."""
        found = _AUTHORIZATION.search(received)
        return found is not None and self._recent.principal_of(found[1].strip(b" \t")) != ""

    def enter(self, connection: WaitingConnection, address: str) -> None:
        """Let a connection wait for its turn."""
        self._waiting.setdefault(address, deque()).append(connection)
        self.waiting += 1
        if self.waiting > self._most:
            self._give_turn()
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._give_turns)

    def _give_turns(self) -> None:
        for _ in range(min(HEADS_PER_TURN, self.waiting)):
            self._give_turn()
        self._is_scheduled = self.waiting > 0
        if self._is_scheduled:
            asyncio.get_running_loop().call_soon(self._give_turns)

    def _give_turn(self) -> None:
        address = next(iter(self._waiting))
        queue = self._waiting.pop(address)
        # In a callback of its own: one that fails ends no other.
        asyncio.get_running_loop().call_soon(queue.popleft().take_turn)
        if queue:
            self._waiting[address] = queue  # the last in turn
        self.waiting -= 1
