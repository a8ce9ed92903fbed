"""Step 4 of a call: what may happen. A policy is a pure function of one case: operation, arguments, who, where, state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from saasus_mcp.catalog.model import TYPED_LEVELS, Operation
from saasus_mcp.permissions.policy.model import (
    NO_LIVE_STATE,
    Ceiling,
    Decision,
    DecisionOutcome,
    LiveState,
    Policy,
    PolicyInput,
    Principal,
    RuleTrace,
)
from saasus_mcp.permissions.policy.wrappers import NarrowedPolicy

__all__ = [
    "PRESETS",
    "Decision",
    "DecisionOutcome",
    "LiveState",
    "Mode",
    "Policy",
    "PolicyInput",
    "PresetPolicy",
    "Principal",
    "ReadOnlyPolicy",
    "RuleTrace",
    "UnsafeAllowAllPolicy",
    "unwrap_policy",
]

Mode = Literal["read-only", "guarded", "strict"]


@dataclass(frozen=True, slots=True)
class PresetPolicy:
    """A policy by level alone: the design's table. A level that the table does not hold is denied.

    Each is also written down as a policy file in `presets/`, to be read and copied; a test holds the two alike.
    """

    name: str
    by_level: Mapping[str, DecisionOutcome]
    announcement: str = ""
    two_person: bool = False
    ceilings: Mapping[Ceiling, int] = field(default_factory=dict)

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """Nothing."""
        return NO_LIVE_STATE

    def decide(self, case: PolicyInput) -> Decision:
        """The decision by the operation's level; nothing else plays a part in a preset."""
        level = case.operation.level
        outcome = self.by_level.get(level, "deny")
        return Decision(outcome, f"{self.name}/{level}", _REASONS[outcome].format(level=level), level in TYPED_LEVELS)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Whether the operation's level is not denied."""
        return self.by_level.get(operation.level, "deny") != "deny"

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """The one line of the table."""
        return _only(self.decide(case))


_REASONS: Mapping[DecisionOutcome, str] = {
    "allow": "operations of level {level} are allowed",
    "confirm": "operations of level {level} require a person's confirmation",
    "approve": "operations of level {level} require a person's approval outside the client",
    "deny": "operations of level {level} are not allowed",
}
_READS: Mapping[str, DecisionOutcome] = {"read": "allow", "read_sensitive": "allow"}
_GRAVE: Mapping[str, DecisionOutcome] = {"write_sensitive": "confirm", "destructive": "confirm", "critical": "approve"}

PRESETS: Mapping[Mode, PresetPolicy] = {
    "read-only": PresetPolicy("read-only", _READS),
    "guarded": PresetPolicy("guarded", {**_READS, "write": "allow", **_GRAVE}),
    "strict": PresetPolicy("strict", {**_READS, "write": "confirm", **_GRAVE}),
}


@dataclass(frozen=True, slots=True)
class UnsafeAllowAllPolicy:
    """Allows every call of every level at once. Exists only by being spelled out in a policy file.

    It lifts decisions and budgets; redaction, guards, freeze and the audit stay.
    """

    name: str = "unsafe-allow-everything"
    announcement: str = "UNSAFE: the policy allows everything; nobody is asked before data is destroyed"
    two_person: bool = False
    ceilings: None = None

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """Nothing."""
        return NO_LIVE_STATE

    def decide(self, case: PolicyInput) -> Decision:
        """Allow."""
        return Decision("allow", self.name, "the policy file has unsafe-allow-everything")

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Always."""
        return True

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """The one thing it says."""
        return _only(self.decide(case))


@dataclass(frozen=True, slots=True)
class ReadOnlyPolicy:
    """Another policy, under which nothing but reads may happen."""

    inner: Policy

    @property
    def name(self) -> str:
        return f"read-only over {self.inner.name}"

    @property
    def announcement(self) -> str:
        return self.inner.announcement

    @property
    def two_person(self) -> bool:
        return self.inner.two_person

    @property
    def ceilings(self) -> Mapping[Ceiling, int] | None:
        return self.inner.ceilings

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """What the policy below needs, where the ceiling does not decide alone."""
        return self.inner.required_state(operation, principal, profile) if operation.reads else NO_LIVE_STATE

    def decide(self, case: PolicyInput) -> Decision:
        """Deny whatever does not merely read; else what the policy below says."""
        return (self.inner if case.operation.reads else PRESETS["read-only"]).decide(case)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Whether it reads and the policy below could allow it."""
        return operation.reads and self.inner.could_allow(operation, principal, profile)

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """What the policy below says of a read; of anything else, that it is none."""
        return (self.inner if case.operation.reads else PRESETS["read-only"]).explain(case)


def unwrap_policy(policy: Policy) -> Policy:
    """Return the policy below every ceiling."""
    while isinstance(policy, NarrowedPolicy | ReadOnlyPolicy):
        policy = policy.inner
    return policy


def _only(decision: Decision) -> tuple[RuleTrace, ...]:
    return (RuleTrace(decision.rule, decision.outcome, value=True, won=True),)
