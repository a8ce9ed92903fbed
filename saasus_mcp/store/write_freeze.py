"""What holds writes back at the moment they would go: the freeze and the hourly ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, String, Table, bindparam, delete, func, insert, literal_column, or_, select
from sqlalchemy.sql.elements import ColumnElement

from saasus_mcp.common.text import quote_name, quote_text
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import charges, freezes
from saasus_mcp.store.records import BudgetCharge, BudgetExceeded, BudgetKind, BudgetUsage, Freeze, WritesFrozen

FreezeLookup = Callable[[Connection], list[Freeze]]
"""Looks up the freeze of all stores at once: of their folder (store.frozen), or of the database that they share."""


def no_global_freeze(_: Connection) -> list[Freeze]:
    """For a store that is alone: nothing but its own freezes holds it."""
    return []


ALL_PROFILES: ColumnElement[str] = literal_column("''")
"""The profile of a freeze of everything, in the words of SQL: a prepared statement binds only what it names."""


class FreezeTable:
    """The freezes that one table keeps: of a store, or of all in a database."""

    def __init__(self, table: Table) -> None:
        self._table = table
        wanted, own = bindparam("profile", type_=String), table.c.profile
        concerning = or_(own == ALL_PROFILES, own == wanted, wanted == ALL_PROFILES)
        self._present = PreparedStatement(select(table).where(concerning).order_by(own))

    def list_active(self, connection: Connection, profile: str = "") -> list[Freeze]:
        """The freezes that hold the writes of a profile back, or with none given all of them; that of everything first."""
        rows = self._present.execute(connection, {"profile": profile})
        return [Freeze(row.at, row.by, row.reason, row.profile) for row in rows]

    def freeze(self, connection: Connection, freeze: Freeze) -> None:
        """Freeze a profile, or everything. Once it is there, no write of it goes that was not gone before."""
        self.unfreeze(connection, freeze.profile)
        values = {"profile": freeze.profile, "at": freeze.at, "by": freeze.by, "reason": freeze.reason}
        connection.execute(insert(self._table).values(**values))

    def unfreeze(self, connection: Connection, profile: str = "") -> None:
        """Lift the freeze of a profile, or with none given that of everything. Any other stays."""
        acquire_lock(connection, "freeze")
        connection.execute(delete(self._table).where(self._table.c.profile == profile))


STORE_FREEZES = FreezeTable(freezes)
"""Of one store."""


def refuse_if_frozen(connection: Connection, everywhere: FreezeLookup, profile: str) -> None:
    """Raise where the writes of a profile are frozen, everywhere or in this store. A freeze waits for writes on their way.

    Raises:
        Frozen: they are.
    """
    acquire_lock(connection, "freeze", shared=True)
    freeze = next(iter(everywhere(connection) or STORE_FREEZES.list_active(connection, profile)), None)
    if freeze is None:
        return
    why = f": {quote_text(freeze.reason)}" if freeze.reason else ""
    what = f"All writes of the profile {quote_text(freeze.profile)}" if freeze.profile else "All writes"
    flag = f" --profile {freeze.profile}" if freeze.profile else ""
    raise WritesFrozen(
        f"{what} are frozen by {quote_name(freeze.by)}{why}.",
        f"A person can lift the freeze on the console or with `saasus-mcp unfreeze{flag}`.",
    )


def reserve_budget(
    connection: Connection, wanted: tuple[BudgetCharge, ...], call: str, profile: str, at: float
) -> None:
    """Reserve what a call takes; all of it or, by the transaction, nothing. Ceilings count every profile together.

    Raises:
        OverBudget: a ceiling would be passed.
    """
    for principal in sorted({charge.principal for charge in wanted}):
        acquire_lock(connection, "budget", principal)
    for charge in wanted:
        used = _used(connection, charge, at)
        if used + charge.amount > charge.ceiling:
            raise BudgetExceeded(
                f"This would make {used + charge.amount} {_WORDS[charge.kind]} within {_span(charge.window)}; "
                f"{charge.ceiling} are allowed to {charge.principal}.",
                "Wait, or ask the operator to raise the limit.",
            )
        taken = {"principal": charge.principal, "profile": profile, "kind": charge.kind, "amount": charge.amount}
        _TAKE.execute(connection, {"call": call, "at": at, **taken})


def release_budget(connection: Connection, call: str) -> None:
    """Return what a call reserved: it changed nothing."""
    connection.execute(delete(charges).where(charges.c.call == call))


def budget_usage(
    connection: Connection, windows: Mapping[BudgetKind, int], at: float, profile: str | None = None
) -> list[BudgetUsage]:
    """What every principal has used of each budget, in one profile or in all. `windows`: seconds, by kind."""
    found = []
    for kind, window in windows.items():
        recent = [charges.c.kind == kind, charges.c.at > at - window]
        if profile is not None:
            recent.append(charges.c.profile == profile)
        total = func.sum(charges.c.amount).label("total")
        query = select(charges.c.principal, total).where(*recent).group_by(charges.c.principal)
        found += [BudgetUsage(row.principal, kind, int(row.total)) for row in connection.execute(query)]
    return found


def _used(connection: Connection, charge: BudgetCharge, at: float) -> int:
    recent = {"principal": charge.principal, "kind": charge.kind, "since": at - charge.window}
    return int(_USED.execute(connection, recent).scalar_one())


_TAKE = PreparedStatement.insert_into(charges, "call", "principal", "profile", "kind", "amount", "at")
_USED = PreparedStatement(
    select(func.coalesce(func.sum(charges.c.amount), literal_column("0"))).where(
        charges.c.principal == bindparam("principal"),
        charges.c.kind == bindparam("kind"),
        charges.c.at > bindparam("since"),
    )
)
_WORDS = {"destructive": "destructive calls", "users": "affected users", "writes": "writes"}


def _span(seconds: int) -> str:
    return "an hour" if seconds == 3600 else "a minute" if seconds == 60 else f"{seconds} s"  # noqa: PLR2004
