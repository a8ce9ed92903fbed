"""Who watches the pipeline: is told what happens to calls, for counting, and changes nothing."""

from __future__ import annotations

from typing import Protocol

from saasus_mcp.catalog import Operation
from saasus_mcp.saasus.tool_answer import ToolAnswer


class CallObserver(Protocol):
    """Is told of every call, child reads included. Raises nothing."""

    def call_refused(self, operation: str, why: str) -> None:
        """A call that was not sent: its operation's key, empty where there is none, and why, in the audit's word."""
        ...

    def call_started(self, operation: Operation) -> None:
        """A call that is about to be sent."""
        ...

    def call_ended(self, operation: Operation, given: ToolAnswer, seconds: float) -> None:
        """A call that was begun and is over, so many seconds later."""
        ...


class NullObserver:
    """Nobody."""

    def call_refused(self, operation: str, why: str) -> None: ...

    def call_started(self, operation: Operation) -> None: ...

    def call_ended(self, operation: Operation, given: ToolAnswer, seconds: float) -> None: ...


NULL_OBSERVER = NullObserver()
