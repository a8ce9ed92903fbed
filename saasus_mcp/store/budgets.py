"""Budgets: what each principal has used of a ceiling within a time. A call reserves its share before it is sent."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, func, literal_column, select

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import costs
from saasus_mcp.store.errors import BudgetExceeded
from saasus_mcp.store.records import DAY, HOUR, BudgetCost, BudgetKind, BudgetUsage

_INSERT = PreparedStatement.insert_into(costs, "call", "principal", "profile", "kind", "amount", "at")
_USED = PreparedStatement(
    select(func.coalesce(func.sum(costs.c.amount), literal_column("0"))).where(
        costs.c.principal == bindparam("principal"),
        costs.c.kind == bindparam("kind"),
        costs.c.at > bindparam("since"),
    )
)


def reserve_budget(
    connection: Connection, wanted: tuple[BudgetCost, ...], *, call: str, profile: str, at: float
) -> None:
    """Reserve the costs of a call. Ceilings count the costs of all profiles together.

    Raises:
        BudgetExceeded: a cost would exceed its ceiling. The transaction must then be rolled back.
    """
    for principal in sorted({cost.principal for cost in wanted}):
        acquire_lock(connection, "budget", principal)
    for cost in wanted:
        since = at - cost.window
        used = _USED.execute(connection, {"principal": cost.principal, "kind": cost.kind, "since": since})
        total = int(used.scalar_one()) + cost.amount
        if total > cost.ceiling:
            text = one_of(
                "store.budget_exceeded",
                cost.kind,
                total=total,
                period=_period(cost.window),
                ceiling=cost.ceiling,
                principal=cost.principal,
            )
            raise BudgetExceeded(text, message("store.budget_exceeded_hint"))
        row = {"principal": cost.principal, "profile": profile, "kind": cost.kind, "amount": cost.amount}
        _INSERT.run(connection, {"call": call, "at": at, **row})


def release_budget(connection: Connection, call: str) -> None:
    """Return the costs of a call that changed nothing."""
    connection.execute(delete(costs).where(costs.c.call == call))


def budget_usage(
    connection: Connection, windows: Mapping[BudgetKind, int], at: float, profile: str | None = None
) -> list[BudgetUsage]:
    """Return the usage of every principal, in one profile or in all. `windows` are seconds by kind."""
    usage = []
    for kind, window in windows.items():
        recent = [costs.c.kind == kind, costs.c.at > at - window]
        if profile is not None:
            recent.append(costs.c.profile == profile)
        total = func.sum(costs.c.amount).label("total")
        query = select(costs.c.principal, total).where(*recent).group_by(costs.c.principal)
        usage += [BudgetUsage(row.principal, kind, int(row.total)) for row in connection.execute(query)]
    return usage


def _period(seconds: int) -> Message:
    named = {60: "minute", HOUR: "hour", DAY: "day"}
    if seconds in named:
        return one_of("store.period", named[seconds])
    return message("store.seconds", seconds=seconds)
