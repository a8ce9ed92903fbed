"""The ids of the keys that a store was written under, in the store."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from saasus_mcp.store import key_check
from saasus_mcp.store.chain import Keys, key_id
from saasus_mcp.store.locks import hold
from saasus_mcp.store.tables import audit, keys


def known(connection: Connection) -> tuple[str, ...]:
    """The ids of the keys that the store was written under."""
    return tuple(connection.execute(select(keys.c.id).order_by(keys.c.id)).scalars())


def check(connection: Connection, given: Keys, name: str) -> bool:
    """See that a store may be written to under these keys. Gives whether it has been before.

    Raises:
        WrongKey: none of them is the store's.
    """
    there = known(connection)
    used = bool(there) or connection.execute(select(audit.c.writer).limit(1)).first() is not None
    key_check.check(there, given, name, used=used)
    return bool(there)


def require(connection: Connection, given: Keys, name: str) -> bool:
    """The same, in the transaction of a record: the first key becomes one of the store's.

    Returns:
        Whether the key was changed: the store was written under another one before.

    Raises:
        WrongKey: none of them is the store's.
    """
    if key_id(given[0]) in known(connection):
        return False
    hold(connection, "keys")
    if key_id(given[0]) in known(connection):
        return False
    changed = check(connection, given, name)
    connection.execute(insert(keys).values(id=key_id(given[0])))
    return changed
