"""What a policy is asked and what it answers: a case, a decision, and what became of each rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from saasus_mcp.catalog.model import Operation
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.refusal import Reason

DecisionOutcome = Literal["allow", "confirm", "approve", "deny"]
LiveState = Literal["target", "impact"]
Ceiling = Literal["destructive_per_hour", "affected_users_per_hour", "writes_per_minute"]
NO_LIVE_STATE: frozenset[LiveState] = frozenset()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: on a laptop the local user; hosted, whom the bearer token names.

    Attributes:
        claims: what the token says of them, for the conditions of a policy. Part of equality, not of the hash, so that
            two people of one name and different claims are never taken for each other.
        narrowing: what the connection leaves of what its policy allows.
    """

    id: str
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    narrowing: Narrowing = field(default=NO_NARROWING, hash=False)

    @property
    def without_narrowing(self) -> Principal:
        """The same person without the narrowing of the connection."""
        return self if self.narrowing == NO_NARROWING else replace(self, narrowing=NO_NARROWING)

    def for_job(self, name: str) -> Principal:
        """The same person as a job of theirs acts for them."""
        narrowing = self.narrowing.for_job(name)
        return self if narrowing is self.narrowing else replace(self, narrowing=narrowing)


@dataclass(frozen=True, slots=True)
class Decision:
    """What may happen with one call, and by which rule.

    Attributes:
        typed: the yes is given by typing the target's name.
        why: the word for a denial in the audit: `denied` by the policy, or `narrowed` by the connection.
    """

    outcome: DecisionOutcome
    rule: str
    reason: str
    typed: bool = False
    refusal_reason: Reason = Reason.DENIED


_STRICTNESS: tuple[DecisionOutcome, ...] = ("allow", "confirm", "approve", "deny")


def stricter_decision(one: Decision, other: Decision) -> Decision:
    """The stricter of two decisions; where either wants the name typed, it is."""
    graver = max(one, other, key=lambda decision: _STRICTNESS.index(decision.outcome))
    return replace(graver, typed=one.typed or other.typed)


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """One call as a policy sees it.

    Attributes:
        profile: where the call goes; empty where that is not known, and then only what forbids there applies.
        target: what the target's read answered; None where it was not or could not be read.
        impact: what the call would hit, in numbers and words; None where it was not or could not be read.
    """

    operation: Operation
    args: Mapping[str, Any]
    principal: Principal
    profile: str = ""
    target: Any = None
    impact: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What became of one rule in one case, for people who want to know why.

    Attributes:
        passed_over: why the rule does not concern the call: another `tool`, `who` or `profile`; None where it does.
        outcome: what the rule says, or deny where its condition could not be evaluated.
        value: of its condition; True where it has none, None where it does not concern the call or could not be told.
        error: why its condition could not be evaluated; empty where it could.
        won: whether this is the rule of the decision.
    """

    rule: str
    outcome: DecisionOutcome
    when: str | None = None
    skipped_by: Literal["tool", "who", "profile"] | None = None
    value: bool | None = None
    error: str = ""
    won: bool = False


def is_conditional(considered: Iterable[RuleTrace]) -> bool:
    """Whether a decision hangs on a condition of some rule, and so on more than the tool and the caller."""
    return any(each.when is not None and each.skipped_by is None for each in considered)


class Policy(Protocol):
    """Decides on cases: everything that is known of a call, live state included.

    Attributes:
        name, announcement: for people and the audit, and what must be said loudly at start-up and in every audit record.
        two_person: whether the one who approves must be another than the one who asked.
        ceilings: the most that one principal may do; what is left out is as usual (permissions.budgets). None where the
            policy lifts them all.
    """

    @property
    def name(self) -> str: ...

    @property
    def announcement(self) -> str: ...

    @property
    def two_person(self) -> bool: ...

    @property
    def ceilings(self) -> Mapping[Ceiling, int] | None: ...

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """Which live state the decision on such a call rests on, to be read before `decide`."""
        ...

    def decide(self, case: PolicyInput) -> Decision:
        """The decision on this case."""
        ...

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Whether some arguments could lead to anything but deny: then the tool is listed."""
        ...

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """Every rule, in the order of the policy, and what became of it in this case."""
        ...
