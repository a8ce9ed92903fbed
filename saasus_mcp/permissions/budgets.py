"""Ceilings per principal: what a call takes from them, by its row of effects."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog.model import TYPED_LEVELS, Operation
from saasus_mcp.permissions.case import Ceiling, Principal
from saasus_mcp.store import Charge
from saasus_mcp.store.records import Kind

HOUR, MINUTE = 3600, 60
WINDOWS: Mapping[Kind, int] = {"destructive": HOUR, "users": HOUR, "writes": MINUTE}
"""Seconds over which each kind is counted."""
CEILINGS: Mapping[Ceiling, int] = {
    "destructive_per_hour": 200,
    "affected_users_per_hour": 1000,
    "writes_per_minute": 600,
}
"""Where a policy says nothing else: far above what a person decides on, far below what a loop does."""


def charges(
    ceilings: Mapping[Ceiling, int] | None,
    operation: Operation,
    principal: Principal,
    affected_users: int | None,
    *,
    granted: bool = False,
) -> tuple[Charge, ...]:
    """What a call takes. Reads take nothing; a count of users that could not be read counts as one.

    Args:
        ceilings: of the policy, over the usual ones; None where it lifts them all.
        granted: whether it is a step of a plan that was agreed to: that is no loop run wild, however fast it goes.
    """
    if operation.reads or ceilings is None:
        return ()
    limits = {**CEILINGS, **ceilings}
    wanted: list[tuple[Ceiling, Kind, int]] = [] if granted else [("writes_per_minute", "writes", 1)]
    if operation.level in TYPED_LEVELS:
        users = max(1, affected_users or 0) if "user" in operation.effects.blast or affected_users else 0
        wanted.append(("destructive_per_hour", "destructive", 1))
        wanted.append(("affected_users_per_hour", "users", users))
    return tuple(
        Charge(principal.id, kind, amount, limits[name], WINDOWS[kind]) for name, kind, amount in wanted if amount
    )
