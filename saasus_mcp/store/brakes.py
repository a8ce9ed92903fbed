"""What holds writes back at the moment they would go: the freeze and the hourly ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, String, Table, bindparam, delete, func, insert, literal_column, or_, select
from sqlalchemy.sql.elements import ColumnElement

from saasus_mcp.saasus.words import named, quoted
from saasus_mcp.store.locks import hold
from saasus_mcp.store.prepared import Prepared
from saasus_mcp.store.records import Charge, Charged, Freeze, Frozen, Kind, OverBudget
from saasus_mcp.store.tables import charges, freezes

Everywhere = Callable[[Connection], list[Freeze]]
"""Looks up the freeze of all stores at once: of their folder (store.frozen), or of the database that they share."""


def nowhere(_: Connection) -> list[Freeze]:
    """For a store that is alone: nothing but its own freezes holds it."""
    return []


EVERY: ColumnElement[str] = literal_column("''")
"""The profile of a freeze of everything, in the words of SQL: a prepared statement binds only what it names."""


class Brake:
    """The freezes that one table keeps: of a store, or of all in a database."""

    def __init__(self, table: Table) -> None:
        self._table = table
        wanted, own = bindparam("profile", type_=String), table.c.profile
        concerning = or_(own == EVERY, own == wanted, wanted == EVERY)
        self._present = Prepared(select(table).where(concerning).order_by(own))

    def present(self, connection: Connection, profile: str = "") -> list[Freeze]:
        """The freezes that hold the writes of a profile back, or with none given all of them; that of everything first."""
        rows = self._present.run(connection, {"profile": profile})
        return [Freeze(row.at, row.by, row.reason, row.profile) for row in rows]

    def put(self, connection: Connection, freeze: Freeze) -> None:
        """Freeze a profile, or everything. Once it is there, no write of it goes that was not gone before."""
        self.lift(connection, freeze.profile)
        values = {"profile": freeze.profile, "at": freeze.at, "by": freeze.by, "reason": freeze.reason}
        connection.execute(insert(self._table).values(**values))

    def lift(self, connection: Connection, profile: str = "") -> None:
        """Lift the freeze of a profile, or with none given that of everything. Any other stays."""
        hold(connection, "freeze")
        connection.execute(delete(self._table).where(self._table.c.profile == profile))


OWN = Brake(freezes)
"""Of one store."""


def refuse_if_frozen(connection: Connection, everywhere: Everywhere, profile: str) -> None:
    """Raise where the writes of a profile are frozen, everywhere or in this store. A freeze waits for writes on their way.

    Raises:
        Frozen: they are.
    """
    hold(connection, "freeze", shared=True)
    freeze = next(iter(everywhere(connection) or OWN.present(connection, profile)), None)
    if freeze is None:
        return
    why = f": {quoted(freeze.reason)}" if freeze.reason else ""
    what = f"All writes of the profile {quoted(freeze.profile)}" if freeze.profile else "All writes"
    flag = f" --profile {freeze.profile}" if freeze.profile else ""
    raise Frozen(
        f"{what} are frozen by {named(freeze.by)}{why}.",
        f"A person can lift the freeze on the console or with `saasus-mcp unfreeze{flag}`.",
    )


def take(connection: Connection, wanted: tuple[Charge, ...], call: str, profile: str, at: float) -> None:
    """Reserve what a call takes; all of it or, by the transaction, nothing. Ceilings count every profile together.

    Raises:
        OverBudget: a ceiling would be passed.
    """
    for principal in sorted({charge.principal for charge in wanted}):
        hold(connection, "budget", principal)
    for charge in wanted:
        used = _used(connection, charge, at)
        if used + charge.amount > charge.ceiling:
            raise OverBudget(
                f"This would make {used + charge.amount} {_WORDS[charge.kind]} within {_span(charge.window)}; "
                f"{charge.ceiling} are allowed to {charge.principal}.",
                "Wait, or ask the operator to raise the limit.",
            )
        taken = {"principal": charge.principal, "profile": profile, "kind": charge.kind, "amount": charge.amount}
        _TAKE.run(connection, {"call": call, "at": at, **taken})


def give_back(connection: Connection, call: str) -> None:
    """Return what a call reserved: it changed nothing."""
    connection.execute(delete(charges).where(charges.c.call == call))


def charged(
    connection: Connection, windows: Mapping[Kind, int], at: float, profile: str | None = None
) -> list[Charged]:
    """What every principal has used of each budget, in one profile or in all. `windows`: seconds, by kind."""
    found = []
    for kind, window in windows.items():
        recent = [charges.c.kind == kind, charges.c.at > at - window]
        if profile is not None:
            recent.append(charges.c.profile == profile)
        total = func.sum(charges.c.amount).label("total")
        query = select(charges.c.principal, total).where(*recent).group_by(charges.c.principal)
        found += [Charged(row.principal, kind, int(row.total)) for row in connection.execute(query)]
    return found


def _used(connection: Connection, charge: Charge, at: float) -> int:
    recent = {"principal": charge.principal, "kind": charge.kind, "since": at - charge.window}
    return int(_USED.run(connection, recent).scalar_one())


_TAKE = Prepared.adding(charges, "call", "principal", "profile", "kind", "amount", "at")
_USED = Prepared(
    select(func.coalesce(func.sum(charges.c.amount), literal_column("0"))).where(
        charges.c.principal == bindparam("principal"),
        charges.c.kind == bindparam("kind"),
        charges.c.at > bindparam("since"),
    )
)
_WORDS = {"destructive": "destructive calls", "users": "affected users", "writes": "writes"}


def _span(seconds: int) -> str:
    return "an hour" if seconds == 3600 else "a minute" if seconds == 60 else f"{seconds} s"  # noqa: PLR2004
