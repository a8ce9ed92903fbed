"""Step 4 of a call: the input and the output of a policy, a pure function, and the trace of each rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from saasus_mcp.common.messages import Message
from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.refusal import Reason

if TYPE_CHECKING:
    from saasus_mcp.catalog.model import Operation

DecisionOutcome = Literal["allow", "confirm", "approve", "deny"]
LiveState = Literal["target", "impact"]
ListConsent = Literal["once", "each", "never"]
"""How a person agrees to calls in a list: to all of them at once, to each alone, or not at all."""
Ceiling = Literal["destructive_per_hour", "affected_users_per_hour", "writes_per_minute"]
NO_LIVE_STATE: frozenset[LiveState] = frozenset()


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: on a laptop the local user; hosted, the subject of the bearer token.

    Attributes:
        claims: claims of the token, for conditions. Part of equality, not of the hash, so that two callers with one name and
            different claims are never confused.
        narrowing: the limits of the connection.
        person: how people see the caller. No decision depends on it.
        credential: which of the caller's tokens was accepted, by its digest. Only its revocation is asked for by it. Empty if it
            is no token of this server.
    """

    id: str
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    narrowing: Narrowing = field(default=NO_NARROWING, hash=False)
    person: Person = field(default=NOBODY, compare=False)
    credential: str = field(default="", compare=False, repr=False)

    @property
    def is_narrowed(self) -> bool:
        """Whether the connection has limits of its own."""
        return self.narrowing is not NO_NARROWING and self.narrowing != NO_NARROWING

    @property
    def without_narrowing(self) -> Principal:
        """Return the principal without the limits of the connection."""
        return replace(self, narrowing=NO_NARROWING) if self.is_narrowed else self

    def for_job(self, name: str) -> Principal:
        """Return the principal as a job acts for them."""
        narrowing = self.narrowing.for_job(name)
        return self if narrowing is self.narrowing else replace(self, narrowing=narrowing)


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """What one consent to a list of calls may cover.

    Attributes:
        max_calls: calls in one list.
        levels: the levels of calls that a list may have.
        critical: `once`: one approval covers the critical calls of one operation; `each`: every critical call needs an approval
            of its own; `never`: a list has no critical calls.
        critical_limit: critical calls that one approval covers.
    """

    max_calls: int = 500
    levels: tuple[str, ...] = ("write", "write_sensitive", "destructive", "critical")
    critical: ListConsent = "once"
    critical_limit: int = 50

    def allows(self, level: str) -> bool:
        """Return whether a list may have a call of this level."""
        return level in self.levels and not (level == "critical" and self.critical == "never")

    def most_calls(self, level: str) -> int:
        """Return how many calls of this level, all of one operation, a list may have at most."""
        if not self.allows(level):
            return 0
        if level == "critical" and self.critical == "once":
            return min(self.critical_limit, self.max_calls)
        return self.max_calls

    def consent(self, level: str, count: int = 1) -> ListConsent:
        """Return how a person agrees to a list with so many calls of this level, all of one operation."""
        if count > self.most_calls(level):
            return "never"
        return "each" if level == "critical" and self.critical == "each" else "once"


DEFAULT_BULK = BulkLimits()


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a call, and its rule.

    Attributes:
        typed: whether the person must type the target's name.
        refusal_reason: the reason of a denial: `denied` by the policy, or `narrowed` by the connection.
    """

    outcome: DecisionOutcome
    rule: str
    reason: Message | str
    typed: bool = False
    refusal_reason: Reason = Reason.DENIED


STRICTNESS: Mapping[DecisionOutcome, int] = {"allow": 0, "confirm": 1, "approve": 2, "deny": 3}


def stricter_decision(one: Decision, other: Decision) -> Decision:
    """Return the stricter of two decisions. A typed name is required if either requires it."""
    stricter = max(one, other, key=lambda decision: STRICTNESS[decision.outcome])
    return replace(stricter, typed=one.typed or other.typed)


def is_stricter(decision: Decision, than: Decision) -> bool:
    """Return whether a decision demands more than another one did."""
    if decision.outcome == than.outcome == "confirm":
        return decision.typed and not than.typed
    return STRICTNESS[decision.outcome] > STRICTNESS[than.outcome]


@dataclass(frozen=True, slots=True)
class PolicyInput(OperationCall):
    """One call, as input of a policy.

    Attributes:
        profile: the destination; empty if unknown, and then only denying rules for profiles apply.
        target: the answer of the target's read; None if unread or unreadable.
        impact: the impact in numbers and words; None if unread or unreadable.
    """

    principal: Principal
    profile: str = ""
    target: Any = None
    impact: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """The effect of one rule on one call, for explanations.

    Attributes:
        skipped_by: why the rule does not apply: another `tool`, `who` or `profile`; None if it applies.
        outcome: of the rule, or deny if its condition could not be evaluated.
        value: of its condition; True without one, None if the rule does not apply or the value is unknown.
        error: why the condition could not be evaluated; None otherwise.
        won: whether the rule made the decision.
    """

    rule: str
    outcome: DecisionOutcome
    when: str | None = None
    skipped_by: Literal["tool", "who", "profile"] | None = None
    value: bool | None = None
    error: Message | None = None
    won: bool = False


def is_conditional(traces: Iterable[RuleTrace]) -> bool:
    """Return whether a decision depends on a condition, and so on more than tool and caller."""
    return any(each.when is not None and each.skipped_by is None for each in traces)


class Policy:
    """Decides on calls with all that is known of them, live state included.

    Attributes:
        name, announcement: for people and the audit log; a text that is shown at start-up and in every audit record.
        two_person: whether the approver must be another person than the requester.
        ceilings: budgets of one principal, over the defaults (permissions.policy.budgets). None without any ceiling.
        bulk: what one consent to a list of calls may cover.
        generation: differs once another policy is in force.
    """

    name: str
    announcement: str = ""
    two_person: bool = False
    ceilings: Mapping[Ceiling, int] | None = MappingProxyType({})
    bulk: BulkLimits = DEFAULT_BULK
    generation: int = 0

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """Return the live state that must be read before `decide`: none, unless a policy has conditions."""
        return NO_LIVE_STATE

    def decide(self, call: PolicyInput) -> Decision:
        """Return the decision on this call."""
        raise NotImplementedError

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Return whether some arguments could lead to anything but deny. If so, the tool is listed."""
        return True

    def explain(self, call: PolicyInput) -> tuple[RuleTrace, ...]:
        """Return the trace of every rule, in order: of the decision alone, if the policy has no rules."""
        decision = self.decide(call)
        return (RuleTrace(decision.rule, decision.outcome, value=True, won=True),)
