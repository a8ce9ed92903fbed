"""The ceiling of a narrowing: what a caller's connection leaves out is denied before its policy is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from saasus_mcp.catalog.model import Operation
from saasus_mcp.permissions.case import (
    NO_STATE,
    Case,
    CasePolicy,
    Ceiling,
    Considered,
    Decision,
    Principal,
    State,
)
from saasus_mcp.permissions.refusal import Refused

RULE = NARROWED = "narrowed"
"""The rule of such a decision, and the word for it in the audit and in the metrics."""
NARROWED_MEND = (
    "Do not try again. The person who set up this connection decides what it offers: by its headers X-MCP-*, by its URL, "
    "or by the server's --tools and --exclude-tools."
)


@dataclass(frozen=True, slots=True)
class NarrowingCeiling:
    """Another policy, under which a caller can do only what the narrowing of its connection leaves."""

    under: CasePolicy

    @property
    def name(self) -> str:
        return self.under.name

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
        """Return what the policy below needs, where the ceiling does not decide alone."""
        if principal.narrowing.why_not(operation):
            return NO_STATE
        return self.under.needs(operation, principal.unnarrowed, profile)

    def decide(self, case: Case) -> Decision:
        """Deny what the narrowing leaves out; else decide as the policy below."""
        why = case.principal.narrowing.why_not(case.operation)
        return Decision("deny", RULE, why, why=NARROWED) if why else self.under.decide(_unnarrowed(case))

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """Return whether the narrowing leaves it and the policy below could allow it."""
        left = not principal.narrowing.why_not(operation)
        return left and self.under.could_allow(operation, principal.unnarrowed, profile)

    def explain(self, case: Case) -> tuple[Considered, ...]:
        """Return the ceiling alone where it decides; else the rules of the policy below."""
        if case.principal.narrowing.why_not(case.operation):
            return (Considered(RULE, "deny", value=True, won=True),)
        return self.under.explain(_unnarrowed(case))


def require(operation: Operation, principal: Principal) -> None:
    """Refuse an operation that the caller's connection leaves out.

    Raises:
        Refused: it does.
    """
    why = principal.narrowing.why_not(operation)
    if why:
        raise Refused(NARROWED, f"{operation.tool} is not allowed: {why}.", NARROWED_MEND)


def _unnarrowed(case: Case) -> Case:
    """Policies keep what they know of a principal: one that narrows itself in many ways must not fill their memory."""
    plain = case.principal.unnarrowed
    return case if plain is case.principal else replace(case, principal=plain)
