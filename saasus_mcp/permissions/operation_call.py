"""A call of an operation, over whose arguments the expressions of the catalogue are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog.expressions import evaluate_over
from saasus_mcp.catalog.model import Operation
from saasus_mcp.saasus.secret_paths import redact_arguments


@dataclass(frozen=True, slots=True)
class OperationCall:
    """An operation with the arguments of one call."""

    operation: Operation
    arguments: Mapping[str, Any]

    def evaluate(self, text: str, **variables: Any) -> Any:
        """Return the value of an expression over `args` and other variables, or None if it has no value."""
        return evaluate_over(text, {"args": dict(self.arguments), **variables})

    def evaluate_each(self, texts: Mapping[str, str], **variables: Any) -> dict[str, Any]:
        """Return the values of named expressions, such as the arguments of a recipe."""
        return {name: self.evaluate(text, **variables) for name, text in texts.items()}

    def redacted_arguments(self) -> dict[str, Any]:
        """Return the arguments for people, the store and the audit log: secrets hidden, secret handles unchanged."""
        return redact_arguments(self.operation, self.arguments)
