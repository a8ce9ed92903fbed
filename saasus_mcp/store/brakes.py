"""What holds writes back at the moment they would go: the freeze and the hourly ceilings."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from saasus_mcp.store.records import Charge, Freeze, Frozen, OverBudget
from saasus_mcp.store.tables import charges, freezes


def hold_if_frozen(connection: Connection) -> None:
    """Raise where writes are frozen.

    Raises:
        Frozen: they are.
    """
    freeze = present_freeze(connection)
    if freeze is not None:
        why = f" ({freeze.reason})" if freeze.reason else ""
        raise Frozen(f"All writes are frozen by {freeze.by}{why}.", "A person lifts it with `saasus-mcp unfreeze`.")


def present_freeze(connection: Connection) -> Freeze | None:
    """The freeze in force, if any."""
    row = connection.execute(select(freezes).order_by(freezes.c.at.desc())).first()
    return Freeze(row.at, row.by, row.reason) if row is not None else None


def set_freeze(connection: Connection, freeze: Freeze | None) -> None:
    """Freeze, or with None lift what is frozen."""
    connection.execute(delete(freezes))
    if freeze is not None:
        connection.execute(insert(freezes).values(at=freeze.at, by=freeze.by, reason=freeze.reason))


def take(connection: Connection, wanted: tuple[Charge, ...], call: str, at: float) -> None:
    """Reserve what a call takes; all of it or, by the transaction, nothing.

    Raises:
        OverBudget: a ceiling would be passed.
    """
    for charge in wanted:
        used = _used(connection, charge, at)
        if used + charge.amount > charge.ceiling:
            raise OverBudget(
                f"This would make {used + charge.amount} {_WORDS[charge.kind]} within {_span(charge.window)}; "
                f"{charge.ceiling} are allowed to {charge.principal}.",
                "Wait, or have the operator raise the ceiling.",
            )
        connection.execute(
            insert(charges).values(call=call, principal=charge.principal, kind=charge.kind, amount=charge.amount, at=at)
        )


def give_back(connection: Connection, call: str) -> None:
    """Return what a call reserved: it changed nothing."""
    connection.execute(delete(charges).where(charges.c.call == call))


def _used(connection: Connection, charge: Charge, at: float) -> int:
    mine = (charges.c.principal == charge.principal, charges.c.kind == charge.kind, charges.c.at > at - charge.window)
    return int(connection.execute(select(func.coalesce(func.sum(charges.c.amount), 0)).where(*mine)).scalar_one())


_WORDS = {"destructive": "destructive calls", "users": "affected users", "writes": "writes"}


def _span(seconds: int) -> str:
    return "an hour" if seconds == 3600 else "a minute" if seconds == 60 else f"{seconds} s"  # noqa: PLR2004
