"""An observer of calls, for metrics."""

from __future__ import annotations

from saasus_mcp.catalog import Operation
from saasus_mcp.saasus.tool_answer import ToolAnswer


class CallObserver:
    """Sees every call, internal reads included, and ignores it. A subclass changes nothing and raises nothing."""

    def call_refused(self, operation: str, why: str) -> None:
        """Observe a call that was not sent.

        Args:
            operation: the key of the operation. Empty if there is no such operation.
            why: the reason, as the audit log records it.
        """

    def call_started(self, operation: Operation) -> None:
        """Observe a call that is about to be sent."""

    def call_ended(self, operation: Operation, answer: ToolAnswer, seconds: float) -> None:
        """Observe the answer of a started call."""
