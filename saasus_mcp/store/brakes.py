"""What holds writes back at the moment they would go: the freeze and the hourly ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, literal_column, select

from saasus_mcp.saasus.words import named, quoted
from saasus_mcp.store.locks import hold
from saasus_mcp.store.prepared import Prepared
from saasus_mcp.store.records import Charge, Charged, Freeze, Frozen, Kind, OverBudget
from saasus_mcp.store.tables import charges, freezes

Everywhere = Callable[[Connection], Freeze | None]
"""Looks up the freeze of all stores at once: of their folder (store.frozen), or of the database that they share."""


def nowhere(_: Connection) -> None:
    """For a store that is alone: nothing but its own freeze holds it."""


class Brake:
    """The freeze that one table keeps: of a store, or of all in a database."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._present = Prepared(select(table))

    def present(self, connection: Connection) -> Freeze | None:
        """The freeze, if any."""
        row = self._present.run(connection, {}).first()
        return Freeze(row.at, row.by, row.reason) if row is not None else None

    def put(self, connection: Connection, freeze: Freeze | None) -> None:
        """Freeze, or with None lift the freeze. Once it is there, no write goes that was not gone before."""
        hold(connection, "freeze")
        connection.execute(delete(self._table))
        if freeze is not None:
            connection.execute(insert(self._table).values(at=freeze.at, by=freeze.by, reason=freeze.reason))


OWN = Brake(freezes)
"""Of one store."""


def hold_if_frozen(connection: Connection, everywhere: Everywhere) -> None:
    """Raise where writes are frozen, everywhere or in this store. Who freezes waits for those who were told no.

    Raises:
        Frozen: they are.
    """
    hold(connection, "freeze", shared=True)
    freeze = everywhere(connection) or OWN.present(connection)
    if freeze is not None:
        why = f": {quoted(freeze.reason)}" if freeze.reason else ""
        raise Frozen(
            f"All writes are frozen by {named(freeze.by)}{why}.", "A person lifts it with `saasus-mcp unfreeze`."
        )


def take(connection: Connection, wanted: tuple[Charge, ...], call: str, at: float) -> None:
    """Reserve what a call takes; all of it or, by the transaction, nothing.

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
                "Wait, or have the operator raise the ceiling.",
            )
        taken = {"principal": charge.principal, "kind": charge.kind, "amount": charge.amount}
        _TAKE.run(connection, {"call": call, "at": at, **taken})


def give_back(connection: Connection, call: str) -> None:
    """Return what a call reserved: it changed nothing."""
    connection.execute(delete(charges).where(charges.c.call == call))


def charged(connection: Connection, windows: Mapping[Kind, int], at: float) -> list[Charged]:
    """What every principal has used of each budget. `windows`: seconds, by kind."""
    found = []
    for kind, window in windows.items():
        recent = (charges.c.kind == kind, charges.c.at > at - window)
        total = func.sum(charges.c.amount).label("total")
        query = select(charges.c.principal, total).where(*recent).group_by(charges.c.principal)
        found += [Charged(row.principal, kind, int(row.total)) for row in connection.execute(query)]
    return found


def _used(connection: Connection, charge: Charge, at: float) -> int:
    recent = {"principal": charge.principal, "kind": charge.kind, "since": at - charge.window}
    return int(_USED.run(connection, recent).scalar_one())


_TAKE = Prepared.adding(charges, "call", "principal", "kind", "amount", "at")
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
