"""What a tool's annotations say, in the protocol's own meanings, from the table of effects and never from the HTTP verb."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from saasus_mcp.catalog import Operation


@dataclass(frozen=True, slots=True)
class ToolHints:
    """The hints of one tool.

    Attributes:
        destroys: whether it may overwrite or delete, rather than only add.
        outside: whether it may reach something beyond SaaSus: a mailbox, Stripe, AWS.
    """

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool

    @classmethod
    def of_operation(cls, operation: Operation) -> Self:
        """The hints of an operation's tool."""
        effects = operation.effects
        return cls(
            read_only=operation.reads,
            destructive=not (operation.reads or effects.adds_only),
            idempotent=effects.idempotent,
            open_world=effects.email != "no" or bool(effects.outside),
        )

    @classmethod
    def of_operations(cls, operations: Iterable[Operation]) -> Self:
        """The hints of a tool that runs any one of these operations: the gravest that holds for some."""
        each = [cls.of_operation(operation) for operation in operations]
        return cls(
            read_only=all(hints.read_only for hints in each),
            destructive=any(hints.destructive for hints in each),
            idempotent=all(hints.idempotent for hints in each),
            open_world=any(hints.open_world for hints in each),
        )


LOOKUP_HINTS = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=False)
"""Of a tool that only looks things up inside this server."""
