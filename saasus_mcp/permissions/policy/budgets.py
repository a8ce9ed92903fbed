"""Budgets per principal, and the cost of a call by its row of effects."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.catalog.model import Operation
from saasus_mcp.permissions.policy.model import Ceiling, Principal
from saasus_mcp.store.records import BudgetCost, BudgetKind

HOUR, MINUTE = 3600, 60
WINDOWS: Mapping[BudgetKind, int] = {"destructive": HOUR, "users": HOUR, "writes": MINUTE}
"""Seconds over which each kind is counted."""
DEFAULT_CEILINGS: Mapping[Ceiling, int] = {
    "destructive_per_hour": 200,
    "affected_users_per_hour": 1000,
    "writes_per_minute": 600,
}
"""Defaults of a policy: far more than a person decides on, far less than a runaway loop does."""


def budget_costs(
    ceilings: Mapping[Ceiling, int] | None,
    operation: Operation,
    principal: Principal,
    affected_users: int | None,
    *,
    asked: bool = True,
    granted: bool = False,
) -> tuple[BudgetCost, ...]:
    """Return the costs of a call. Reads cost nothing.

    Args:
        ceilings: of the policy, over the defaults; None without any ceiling.
        affected_users: None if unknown. That counts as one user if a person agreed, knowing that, and as the
            whole budget otherwise.
        asked: whether a person agreed.
        granted: whether the call is a step of an approved plan, which cannot be a runaway loop.
    """
    if operation.reads or ceilings is None:
        return ()
    limits = {**DEFAULT_CEILINGS, **ceilings}
    wanted: list[tuple[Ceiling, BudgetKind, int]] = [] if granted else [("writes_per_minute", "writes", 1)]
    if operation.level in TYPED_LEVELS:
        wanted.append(("destructive_per_hour", "destructive", 1))
        wanted.append(("affected_users_per_hour", "users", _users(operation, affected_users, limits, asked=asked)))
    return tuple(
        BudgetCost(principal.id, kind, amount, limits[name], WINDOWS[kind]) for name, kind, amount in wanted if amount
    )


def _users(operation: Operation, counted: int | None, limits: Mapping[Ceiling, int], *, asked: bool) -> int:
    if counted is not None:
        return counted
    uncounted = isinstance(operation.effects.affects_users, str)
    if uncounted and not asked:
        return max(1, limits["affected_users_per_hour"])
    return 1 if uncounted or "user" in operation.effects.blast else 0
