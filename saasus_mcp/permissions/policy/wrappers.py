"""A policy under the narrowing of the caller's connection: excluded tools are denied before the policy decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import (
    NO_LIVE_STATE,
    BulkLimits,
    Ceiling,
    Decision,
    LiveState,
    Policy,
    PolicyInput,
    Principal,
    RuleTrace,
)
from saasus_mcp.permissions.refusal import CallRefused, Reason

if TYPE_CHECKING:
    from saasus_mcp.catalog.model import Operation

NARROWED_RULE = "narrowed"
"""The rule of such a decision, and the word for it in the audit and in the metrics."""
NARROWED_HINT = message("policy.narrowed_hint")


class PolicyWrapper:
    """Takes from the policy `inner` what does not depend on a call."""

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

    @property
    def bulk(self) -> BulkLimits:
        return self.inner.bulk

    @property
    def generation(self) -> int:
        return self.inner.generation


@dataclass(frozen=True)
class NarrowedPolicy(PolicyWrapper):
    """Another policy, limited by the narrowing of the caller's connection."""

    inner: Policy

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """Return what the inner policy needs, unless the narrowing already denies."""
        if not principal.is_narrowed:
            return self.inner.required_state(operation, principal, profile)
        if principal.narrowing.exclusion_reason(operation):
            return NO_LIVE_STATE
        return self.inner.required_state(operation, principal.without_narrowing, profile)

    def decide(self, case: PolicyInput) -> Decision:
        """Deny excluded operations; otherwise return the inner policy's decision."""
        if not case.principal.is_narrowed:
            return self.inner.decide(case)
        why = case.principal.narrowing.exclusion_reason(case.operation)
        return (
            Decision("deny", NARROWED_RULE, why, refusal_reason=Reason.NARROWED)
            if why
            else self.inner.decide(_unnarrowed(case))
        )

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Return whether narrowing and inner policy could both allow the operation."""
        left = not principal.narrowing.exclusion_reason(operation)
        return left and self.inner.could_allow(operation, principal.without_narrowing, profile)

    def explain(self, case: PolicyInput) -> tuple[RuleTrace, ...]:
        """Return the narrowing alone if it denies; otherwise the rules of the inner policy."""
        if case.principal.narrowing.exclusion_reason(case.operation):
            return (RuleTrace(NARROWED_RULE, "deny", value=True, won=True),)
        return self.inner.explain(_unnarrowed(case))


def require_not_narrowed(operation: Operation, principal: Principal) -> None:
    """Refuse an operation that the caller's connection excludes.

    Raises:
        CallRefused: the operation is excluded.
    """
    why = principal.narrowing.exclusion_reason(operation)
    if why:
        raise CallRefused(
            Reason.NARROWED, message("policy.not_allowed", tool=operation.tool, reason=why), NARROWED_HINT
        )


def require_not_denied(name: str, decision: Decision) -> None:
    """Refuse a call that the policy, or the connection, denies.

    Raises:
        CallRefused: it is denied.
    """
    if decision.outcome == "deny":
        narrowed = decision.refusal_reason == Reason.NARROWED
        hint = NARROWED_HINT if narrowed else message("server.not_allowed_hint")
        raise CallRefused(
            decision.refusal_reason, message("policy.not_allowed", tool=name, reason=decision.reason), hint
        )


def _unnarrowed(case: PolicyInput) -> PolicyInput:
    """Return the input without the narrowing. Policies cache by principal, and many narrowings of one must not fill their memory."""
    plain = case.principal.without_narrowing
    return case if plain is case.principal else replace(case, principal=plain)
