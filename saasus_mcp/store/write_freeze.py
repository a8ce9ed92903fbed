"""The freeze: a stop of all writes of a profile, or of every profile."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, String, Table, bindparam, delete, insert, literal_column, or_, select
from sqlalchemy.sql.elements import ColumnElement

from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import freezes
from saasus_mcp.store.errors import WritesFrozen
from saasus_mcp.store.records import Freeze

FreezeLookup = Callable[[Connection], list[Freeze]]
"""Returns the freeze of all stores: of their folder (store.folder_stores), or of the database that they share."""
ALL_PROFILES: ColumnElement[str] = literal_column("''")
"""The profile of a freeze of everything. A literal, because a prepared statement binds only named values."""


class FreezeTable:
    """The freezes in one table: of a store, or of all stores in a database."""

    def __init__(self, table: Table) -> None:
        self._table = table
        profile, own = bindparam("profile", type_=String), table.c.profile
        relevant = or_(own == ALL_PROFILES, own == profile, profile == ALL_PROFILES)
        fields = (table.c[name] for name in ("at", "by", "reason", "profile"))
        self._select = PreparedStatement(select(*fields).where(relevant).order_by(own))

    def list_active(self, connection: Connection, profile: str = "") -> list[Freeze]:
        """Return the freezes of a profile, or all freezes without one. A freeze of every profile comes first."""
        return [Freeze(*row) for row in self._select.fetch(connection, {"profile": profile})]

    def freeze(self, connection: Connection, freeze: Freeze) -> None:
        """Freeze a profile, or every profile. After the transaction, no further write starts."""
        self.unfreeze(connection, freeze.profile)
        values = {"profile": freeze.profile, "at": freeze.at, "by": freeze.by, "reason": freeze.reason}
        connection.execute(insert(self._table).values(**values))

    def unfreeze(self, connection: Connection, profile: str = "") -> None:
        """Lift the freeze of a profile, or without one the freeze of every profile. Other freezes stay."""
        acquire_lock(connection, "freeze")
        connection.execute(delete(self._table).where(self._table.c.profile == profile))


STORE_FREEZES = FreezeTable(freezes)
"""The freezes of one store."""


def refuse_if_frozen(connection: Connection, global_freeze: FreezeLookup, profile: str) -> None:
    """Refuse a write of a frozen profile. A shared lock makes a new freeze wait for writes in progress.

    Raises:
        WritesFrozen: the writes of the profile are frozen, in all stores or in this one.
    """
    acquire_lock(connection, "freeze", shared=True)
    freeze = next(iter(global_freeze(connection) or STORE_FREEZES.list_active(connection, profile)), None)
    if freeze is not None:
        command = unfreeze_command(freeze)
        frozen = WritesFrozen(_explain(freeze), message("store.frozen_hint", command=command))
        frozen.profile, frozen.command = freeze.profile, command
        raise frozen


def unfreeze_command(freeze: Freeze) -> str:
    """Return the command that lifts a freeze."""
    return f"saasus-mcp unfreeze --profile {freeze.profile}" if freeze.profile else "saasus-mcp unfreeze"


def _explain(freeze: Freeze) -> Message:
    by, profile, reason = Quoted(freeze.by, bare=True), Quoted(freeze.profile), Quoted(freeze.reason)
    if freeze.profile:
        if freeze.reason:
            return message("store.frozen.profile_reason", by=by, profile=profile, reason=reason)
        return message("store.frozen.profile", by=by, profile=profile)
    return (
        message("store.frozen.all_reason", by=by, reason=reason)
        if freeze.reason
        else message("store.frozen.all", by=by)
    )
