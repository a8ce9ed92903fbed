"""The ceiling of a narrowing: what a caller's connection leaves out is denied before its policy is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from saasus_mcp.catalog.model import Operation
from saasus_mcp.permissions.policy.model import (
    NO_LIVE_STATE,
    Ceiling,
    Decision,
    LiveState,
    Policy,
    PolicyInput,
    Principal,
    RuleTrace,
)
from saasus_mcp.permissions.refusal import CallRefused, Reason

NARROWED_RULE = "narrowed"
"""The rule of such a decision, and the word for it in the audit and in the metrics."""
NARROWED_HINT = (
    "Do not try again. The person who set up this connection decides what it offers: by its headers X-MCP-*, by its URL, "
    "or by the server's --tools and --exclude-tools."
)


@dataclass(frozen=True, slots=True)
class NarrowedPolicy:
    """Another policy, under which a caller can do only what the narrowing of its connection leaves."""

    inner: Policy

    @property
    def name(self) -> str:
        return self.inner.name

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
        """Return what the policy below needs, where the ceiling does not decide alone."""
        if principal.narrowing.exclusion_reason(operation):
            return NO_LIVE_STATE
        return self.inner.required_state(operation, principal.without_narrowing, profile)

    def decide(self, case: PolicyInput) -> Decision:
        """Deny what the narrowing leaves out; else decide as the policy below."""
        why = case.principal.narrowing.exclusion_reason(case.operation)
        return (
            Decision("deny", NARROWED_RULE, why, refusal_reason=Reason.NARROWED)
            if why
            else self.inner.decide(_unnarrowed(case))
        )

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Return whether the narrowing leaves it and the policy below could allow it."""
        left = not principal.narrowing.exclusion_reason(operation)
        return left and self.inner.could_allow(operation, principal.without_narrowing, profile)

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """Return the ceiling alone where it decides; else the rules of the policy below."""
        if case.principal.narrowing.exclusion_reason(case.operation):
            return (RuleTrace(NARROWED_RULE, "deny", value=True, won=True),)
        return self.inner.explain(_unnarrowed(case))


def require_not_narrowed(operation: Operation, principal: Principal) -> None:
    """Refuse an operation that the caller's connection leaves out.

    Raises:
        Refused: it does.
    """
    why = principal.narrowing.exclusion_reason(operation)
    if why:
        raise CallRefused(Reason.NARROWED, f"{operation.tool} is not allowed: {why}.", NARROWED_HINT)


def _unnarrowed(case: PolicyInput) -> PolicyInput:
    """Policies keep what they know of a principal: one that narrows itself in many ways must not fill their memory."""
    plain = case.principal.without_narrowing
    return case if plain is case.principal else replace(case, principal=plain)
