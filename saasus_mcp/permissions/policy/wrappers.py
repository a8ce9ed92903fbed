"""A policy under the narrowing of the caller's connection: excluded tools are denied before the policy decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import (
    NO_LIVE_STATE,
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


class _OfInner:
    """An attribute of a wrapper that is that of the policy below it."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, wrapper: PolicyWrapper, _: type) -> Any:
        return getattr(wrapper.inner, self._name)


class PolicyWrapper(Policy):
    """A policy that is `inner`, unless a wrapper says otherwise."""

    inner: Policy
    name: Any = _OfInner()
    announcement: Any = _OfInner()
    two_person: Any = _OfInner()
    ceilings: Any = _OfInner()
    bulk: Any = _OfInner()
    generation: Any = _OfInner()

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        return self.inner.required_state(operation, principal, profile)

    def decide(self, call: PolicyInput) -> Decision:
        return self.inner.decide(call)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        return self.inner.could_allow(operation, principal, profile)

    def explain(self, call: PolicyInput) -> tuple[RuleTrace, ...]:
        return self.inner.explain(call)


@dataclass(frozen=True)
class NarrowedPolicy(PolicyWrapper):
    """Another policy, limited by the narrowing of the caller's connection."""

    inner: Policy

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        if not principal.is_narrowed:
            return self.inner.required_state(operation, principal, profile)
        if principal.narrowing.exclusion_reason(operation):
            return NO_LIVE_STATE
        return self.inner.required_state(operation, principal.without_narrowing, profile)

    def decide(self, call: PolicyInput) -> Decision:
        if not call.principal.is_narrowed:
            return self.inner.decide(call)
        why = call.principal.narrowing.exclusion_reason(call.operation)
        return (
            Decision("deny", NARROWED_RULE, why, refusal_reason=Reason.NARROWED)
            if why
            else self.inner.decide(_unnarrowed(call))
        )

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        left = not principal.narrowing.exclusion_reason(operation)
        return left and self.inner.could_allow(operation, principal.without_narrowing, profile)

    def explain(self, call: PolicyInput) -> tuple[RuleTrace, ...]:
        """Return the narrowing alone if it denies; otherwise the rules of the inner policy."""
        if call.principal.narrowing.exclusion_reason(call.operation):
            return (RuleTrace(NARROWED_RULE, "deny", value=True, won=True),)
        return self.inner.explain(_unnarrowed(call))


def require_not_narrowed(operation: Operation, principal: Principal) -> None:
    """Raise CallRefused if the caller's connection excludes the operation."""
    why = principal.narrowing.exclusion_reason(operation)
    if why:
        raise CallRefused(
            Reason.NARROWED, message("policy.not_allowed", tool=operation.tool, reason=why), NARROWED_HINT
        )


def require_not_denied(name: str, decision: Decision) -> None:
    """Raise CallRefused if the policy, or the connection, denies a call."""
    if decision.outcome == "deny":
        narrowed = decision.refusal_reason == Reason.NARROWED
        hint = NARROWED_HINT if narrowed else message("server.not_allowed_hint")
        raise CallRefused(
            decision.refusal_reason, message("policy.not_allowed", tool=name, reason=decision.reason), hint
        )


def _unnarrowed(call: PolicyInput) -> PolicyInput:
    """Return the input without the narrowing. Policies cache by principal, and many narrowings of one must not fill their memory."""
    plain = call.principal.without_narrowing
    return call if plain is call.principal else replace(call, principal=plain)
