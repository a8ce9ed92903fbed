"""Step 4 of a call: what may happen. A policy is a pure function of one case: operation, arguments, who, where, state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from saasus_mcp.catalog.model import TYPED_LEVELS, Operation
from saasus_mcp.permissions.case import (
    NO_STATE,
    Case,
    CasePolicy,
    Ceiling,
    Considered,
    Decision,
    Outcome,
    Principal,
    State,
)
from saasus_mcp.permissions.narrowed import NarrowingCeiling

__all__ = [
    "PRESETS",
    "Case",
    "CasePolicy",
    "Considered",
    "Decision",
    "Mode",
    "Outcome",
    "Preset",
    "Principal",
    "ReadOnlyCeiling",
    "State",
    "UnsafeAllowEverything",
    "underlying",
]

Mode = Literal["read-only", "guarded", "strict"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A policy by level alone: the design's table. A level that the table does not hold is denied.

    Each is also written down as a policy file in `presets/`, to be read and copied; a test holds the two alike.
    """

    name: str
    by_level: Mapping[str, Outcome]
    announcement: str = ""
    two_person: bool = False
    ceilings: Mapping[Ceiling, int] = field(default_factory=dict)

    def needs(self, operation: Operation, principal: Principal, profile: str) -> frozenset[State]:
        """Nothing."""
        return NO_STATE

    def decide(self, case: Case) -> Decision:
        """The decision by the operation's level; nothing else plays a part in a preset."""
        level = case.operation.level
        outcome = self.by_level.get(level, "deny")
        return Decision(outcome, f"{self.name}/{level}", _REASONS[outcome].format(level=level), level in TYPED_LEVELS)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Whether the operation's level is not denied."""
        return self.by_level.get(operation.level, "deny") != "deny"

    def explain(self, case: Case) -> tuple[Considered, ...]:
        """The one line of the table."""
        return _only(self.decide(case))


_REASONS: Mapping[Outcome, str] = {
    "allow": "operations of level {level} are allowed",
    "confirm": "operations of level {level} require a person's confirmation",
    "approve": "operations of level {level} require a person's approval outside the client",
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

    It lifts decisions and budgets; redaction, guards, freeze and the audit stay.
    """

    name: str = "unsafe-allow-everything"
    announcement: str = "UNSAFE: the policy allows everything; nobody is asked before data is destroyed"
    two_person: bool = False
    ceilings: None = None

    def needs(self, operation: Operation, principal: Principal, profile: str) -> frozenset[State]:
        """Nothing."""
        return NO_STATE

    def decide(self, case: Case) -> Decision:
        """Allow."""
        return Decision("allow", self.name, "the policy file has unsafe-allow-everything")

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Always."""
        return True

    def explain(self, case: Case) -> tuple[Considered, ...]:
        """The one thing it says."""
        return _only(self.decide(case))


@dataclass(frozen=True, slots=True)
class ReadOnlyCeiling:
    """Another policy, under which nothing but reads may happen."""

    under: CasePolicy

    @property
    def name(self) -> str:
        return f"read-only over {self.under.name}"

    @property
    def announcement(self) -> str:
        return self.under.announcement

    @property
    def two_person(self) -> bool:
        return self.under.two_person

    @property
    def ceilings(self) -> Mapping[Ceiling, int] | None:
        return self.under.ceilings

    def needs(self, operation: Operation, principal: Principal, profile: str) -> frozenset[State]:
        """What the policy below needs, where the ceiling does not decide alone."""
        return self.under.needs(operation, principal, profile) if operation.reads else NO_STATE

    def decide(self, case: Case) -> Decision:
        """Deny whatever does not merely read; else what the policy below says."""
        return (self.under if case.operation.reads else PRESETS["read-only"]).decide(case)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Whether it reads and the policy below could allow it."""
        return operation.reads and self.under.could_allow(operation, principal, profile)

    def explain(self, case: Case) -> tuple[Considered, ...]:
        """What the policy below says of a read; of anything else, that it is none."""
        return (self.under if case.operation.reads else PRESETS["read-only"]).explain(case)


def underlying(policy: CasePolicy) -> CasePolicy:
    """Return the policy below every ceiling."""
    while isinstance(policy, NarrowingCeiling | ReadOnlyCeiling):
        policy = policy.under
    return policy


def _only(decision: Decision) -> tuple[Considered, ...]:
    return (Considered(decision.rule, decision.outcome, value=True, won=True),)
