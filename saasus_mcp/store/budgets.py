"""Budgets: what each principal has used of a ceiling within a time. A call reserves its share before it is sent."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, func, literal_column, select

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import charges
from saasus_mcp.store.errors import BudgetExceeded
from saasus_mcp.store.records import DAY, HOUR, BudgetCharge, BudgetKind, BudgetUsage

_INSERT = PreparedStatement.insert_into(charges, "call", "principal", "profile", "kind", "amount", "at")
_USED = PreparedStatement(
    select(func.coalesce(func.sum(charges.c.amount), literal_column("0"))).where(
        charges.c.principal == bindparam("principal"),
        charges.c.kind == bindparam("kind"),
        charges.c.at > bindparam("since"),
    )
)


def reserve_budget(
    connection: Connection, wanted: tuple[BudgetCharge, ...], *, call: str, profile: str, at: float
) -> None:
    """Reserve the charges of a call. Ceilings count the charges of all profiles together.

    Raises:
        BudgetExceeded: a charge would exceed its ceiling. The transaction must then be rolled back.
    """
    for principal in sorted({charge.principal for charge in wanted}):
        acquire_lock(connection, "budget", principal)
    for charge in wanted:
        since = at - charge.window
        used = _USED.execute(connection, {"principal": charge.principal, "kind": charge.kind, "since": since})
        total = int(used.scalar_one()) + charge.amount
        if total > charge.ceiling:
            text = one_of(
                "store.budget_exceeded",
                charge.kind,
                total=total,
                period=_period(charge.window),
                ceiling=charge.ceiling,
                principal=charge.principal,
            )
            raise BudgetExceeded(text, message("store.budget_exceeded_hint"))
        row = {"principal": charge.principal, "profile": profile, "kind": charge.kind, "amount": charge.amount}
        _INSERT.run(connection, {"call": call, "at": at, **row})


def release_budget(connection: Connection, call: str) -> None:
    """Return the charges of a call that changed nothing."""
    connection.execute(delete(charges).where(charges.c.call == call))


def budget_usage(
    connection: Connection, windows: Mapping[BudgetKind, int], at: float, profile: str | None = None
) -> list[BudgetUsage]:
    """Return the usage of every principal, in one profile or in all. `windows` are seconds by kind."""
    usage = []
    for kind, window in windows.items():
        recent = [charges.c.kind == kind, charges.c.at > at - window]
        if profile is not None:
            recent.append(charges.c.profile == profile)
        total = func.sum(charges.c.amount).label("total")
        query = select(charges.c.principal, total).where(*recent).group_by(charges.c.principal)
        usage += [BudgetUsage(row.principal, kind, int(row.total)) for row in connection.execute(query)]
    return usage


def _period(seconds: int) -> Message:
    named = {60: "minute", HOUR: "hour", DAY: "day"}
    if seconds in named:
        return one_of("store.period", named[seconds])
    return message("store.seconds", seconds=seconds)
