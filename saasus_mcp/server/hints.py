"""What a tool's annotations say, in the protocol's own meanings, from the table of effects and never from the HTTP verb."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from saasus_mcp.catalog import Operation


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints of one tool.

    Attributes:
        destroys: whether it may overwrite or delete, rather than only add.
        outside: whether it may reach something beyond SaaSus: a mailbox, Stripe, AWS.
    """

    reads: bool
    destroys: bool
    idempotent: bool
    outside: bool

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """The hints of an operation's tool."""
        effects = operation.effects
        return cls(
            reads=operation.reads,
            destroys=not (operation.reads or effects.adds_only),
            idempotent=effects.idempotent,
            outside=effects.email != "no" or bool(effects.outside),
        )

    @classmethod
    def of_any(cls, operations: Iterable[Operation]) -> Self:
        """The hints of a tool that runs any one of these operations: the gravest that holds for some."""
        each = [cls.of(operation) for operation in operations]
        return cls(
            reads=all(hints.reads for hints in each),
            destroys=any(hints.destroys for hints in each),
            idempotent=all(hints.idempotent for hints in each),
            outside=any(hints.outside for hints in each),
        )


LOOKS_UP = Hints(reads=True, destroys=False, idempotent=True, outside=False)
"""Of a tool that only looks things up inside this server."""
