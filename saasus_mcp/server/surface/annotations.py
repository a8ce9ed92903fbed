"""The annotations of a tool, from the reviewed effects of its operation and never from the HTTP method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Self

from saasus_mcp.catalog import Operation


@dataclass(frozen=True, slots=True)
class ToolHints:
    """The hints of one tool.

    Attributes:
        destructive: whether the tool may overwrite or delete, and not only add.
        open_world: whether the tool may reach something outside SaaSus, such as a mailbox, Stripe or AWS.
    """

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool

    @classmethod
    @cache
    def of_operation(cls, operation: Operation) -> Self:
        effects = operation.effects
        return cls(
            read_only=operation.reads,
            destructive=not (operation.reads or effects.adds_only),
            idempotent=effects.idempotent,
            open_world=effects.email != "no" or bool(effects.outside),
        )

    @classmethod
    def of_operations(cls, operations: Iterable[Operation]) -> Self:
        """Return the hints of a tool that runs any of these operations: each hint is the gravest of theirs."""
        hints = [cls.of_operation(operation) for operation in operations]
        return cls(
            read_only=all(each.read_only for each in hints),
            destructive=any(each.destructive for each in hints),
            idempotent=all(each.idempotent for each in hints),
            open_world=any(each.open_world for each in hints),
        )


LOOKUP_HINTS = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=False)
"""The hints of a tool that only reads data of this server."""
