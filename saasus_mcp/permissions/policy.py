"""Step 4 of a call: what may happen. A policy is a pure function of operation, arguments and principal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from saasus_mcp.catalog.model import Level, Operation

Outcome = Literal["allow", "confirm", "approve", "deny"]
Mode = Literal["read-only", "guarded", "strict"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: on a laptop the local user; hosted, whom the bearer token names."""

    id: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What may happen with one call, and by which rule. `typed`: the yes is given by typing the target's name."""

    outcome: Outcome
    rule: str
    reason: str
    typed: bool = False


class Policy(Protocol):
    """Decides on calls.

    Attributes:
        name: for people and the audit.
        announcement: what must be said loudly at start-up and in every audit record; empty where nothing must.
    """

    @property
    def name(self) -> str: ...

    @property
    def announcement(self) -> str: ...

    def decide(self, operation: Operation, arguments: Mapping[str, Any], principal: Principal) -> Decision:
        """The decision on this very call."""
        ...

    def could_allow(self, operation: Operation, principal: Principal) -> bool:
        """Whether some arguments could lead to anything but deny: then the tool is listed."""
        ...


@dataclass(frozen=True, slots=True)
class Preset:
    """A policy by level alone: the design's table. A level that the table does not hold is denied."""

    name: str
    by_level: Mapping[str, Outcome]
    announcement: str = ""

    def decide(self, operation: Operation, arguments: Mapping[str, Any], principal: Principal) -> Decision:
        """The decision by the operation's level; `arguments` and `principal` play no part in a preset."""
        level = operation.level
        outcome = self.by_level.get(level, "deny")
        return Decision(outcome, f"{self.name}/{level}", _REASONS[outcome].format(level=level), level in _TYPED)

    def could_allow(self, operation: Operation, principal: Principal) -> bool:
        """Whether the operation's level is not denied."""
        return self.by_level.get(operation.level, "deny") != "deny"


_TYPED: frozenset[Level] = frozenset({"destructive", "critical"})
_REASONS: Mapping[Outcome, str] = {
    "allow": "operations of level {level} are allowed",
    "confirm": "operations of level {level} need a person's confirmation",
    "approve": "operations of level {level} need a person's approval outside the client",
    "deny": "operations of level {level} are not allowed",
}
_READS: Mapping[str, Outcome] = {"read": "allow", "read_sensitive": "allow"}
_GRAVE: Mapping[str, Outcome] = {"write_sensitive": "confirm", "destructive": "confirm", "critical": "approve"}

PRESETS: Mapping[Mode, Preset] = {
    "read-only": Preset("read-only", _READS),
    "guarded": Preset("guarded", {**_READS, "write": "allow", **_GRAVE}),
    "strict": Preset("strict", {**_READS, "write": "confirm", **_GRAVE}),
}


@dataclass(frozen=True, slots=True)
class UnsafeAllowEverything:
    """Allows every call of every level at once. Exists only by being spelled out in a policy file.

    It lifts decisions; redaction, guards and the audit stay.
    """

    name: str = "unsafe-allow-everything"
    announcement: str = "UNSAFE: the policy allows everything; no person is asked before anything is destroyed"

    def decide(self, operation: Operation, arguments: Mapping[str, Any], principal: Principal) -> Decision:
        """Allow."""
        return Decision("allow", self.name, "the policy file says unsafe-allow-everything")

    def could_allow(self, operation: Operation, principal: Principal) -> bool:
        """Always."""
        return True


@dataclass(frozen=True, slots=True)
class ReadOnlyCeiling:
    """Another policy, under which nothing but reads may happen."""

    under: Policy

    @property
    def name(self) -> str:
        return f"read-only over {self.under.name}"

    @property
    def announcement(self) -> str:
        return self.under.announcement

    def decide(self, operation: Operation, arguments: Mapping[str, Any], principal: Principal) -> Decision:
        """Deny whatever does not merely read; else what the policy below says."""
        if not operation.reads:
            return PRESETS["read-only"].decide(operation, arguments, principal)
        return self.under.decide(operation, arguments, principal)

    def could_allow(self, operation: Operation, principal: Principal) -> bool:
        """Whether it reads and the policy below could allow it."""
        return operation.reads and self.under.could_allow(operation, principal)
