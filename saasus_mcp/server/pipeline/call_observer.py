"""An observer of calls, for metrics."""

from __future__ import annotations

from typing import Protocol

from saasus_mcp.catalog import Operation
from saasus_mcp.saasus.tool_answer import ToolAnswer


class CallObserver(Protocol):
    """Sees every call, internal reads included. It changes nothing and raises nothing."""

    def call_refused(self, operation: str, why: str) -> None:
        """Observe a call that was not sent.

        Args:
            operation: the key of the operation. Empty if there is no such operation.
            why: the reason, as the audit log records it.
        """
        ...

    def call_started(self, operation: Operation) -> None:
        """Observe a call that is about to be sent."""
        ...

    def call_ended(self, operation: Operation, answer: ToolAnswer, seconds: float) -> None:
        """Observe the answer of a started call."""
        ...


class NullObserver:
    """Ignores every call."""

    def call_refused(self, operation: str, why: str) -> None: ...

    def call_started(self, operation: Operation) -> None: ...

    def call_ended(self, operation: Operation, answer: ToolAnswer, seconds: float) -> None: ...


NULL_OBSERVER = NullObserver()
