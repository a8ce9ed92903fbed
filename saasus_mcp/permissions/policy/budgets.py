"""Ceilings per principal: what a call takes from them, by its row of effects."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog.model import TYPED_LEVELS, Operation
from saasus_mcp.permissions.policy.model import Ceiling, Principal
from saasus_mcp.store import BudgetCharge
from saasus_mcp.store.records import BudgetKind

HOUR, MINUTE = 3600, 60
WINDOWS: Mapping[BudgetKind, int] = {"destructive": HOUR, "users": HOUR, "writes": MINUTE}
"""Seconds over which each kind is counted."""
DEFAULT_CEILINGS: Mapping[Ceiling, int] = {
    "destructive_per_hour": 200,
    "affected_users_per_hour": 1000,
    "writes_per_minute": 600,
}
"""Where a policy says nothing else: far above what a person decides on, far below what a loop does."""


def budget_charges(
    ceilings: Mapping[Ceiling, int] | None,
    operation: Operation,
    principal: Principal,
    affected_users: int | None,
    *,
    asked: bool = True,
    granted: bool = False,
) -> tuple[BudgetCharge, ...]:
    """What a call takes. Reads take nothing.

    Args:
        ceilings: of the policy, over the usual ones; None where it lifts them all.
        affected_users: None where they could not be counted. A person who said yes was told so, and it counts as one;
            where nobody was asked it takes all there is.
        asked: whether a person said yes.
        granted: whether it is a step of a plan that was agreed to: that is no loop run wild, however fast it goes.
    """
    if operation.reads or ceilings is None:
        return ()
    limits = {**DEFAULT_CEILINGS, **ceilings}
    wanted: list[tuple[Ceiling, BudgetKind, int]] = [] if granted else [("writes_per_minute", "writes", 1)]
    if operation.level in TYPED_LEVELS:
        wanted.append(("destructive_per_hour", "destructive", 1))
        wanted.append(("affected_users_per_hour", "users", _users(operation, affected_users, limits, asked=asked)))
    return tuple(
        BudgetCharge(principal.id, kind, amount, limits[name], WINDOWS[kind]) for name, kind, amount in wanted if amount
    )


def _users(operation: Operation, counted: int | None, limits: Mapping[Ceiling, int], *, asked: bool) -> int:
    if counted is not None:
        return counted
    uncounted = isinstance(operation.effects.affects_users, str)
    if uncounted and not asked:
        return max(1, limits["affected_users_per_hour"])
    return 1 if uncounted or "user" in operation.effects.blast else 0
