"""The ids of the keys that a store was written under, in the store."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from saasus_mcp.store.audit import key_check
from saasus_mcp.store.audit.hash_chain import MacKeys, key_id
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.schema import audit, keys


def list_key_ids(connection: Connection) -> tuple[str, ...]:
    """The ids of the keys that the store was written under."""
    return tuple(connection.execute(select(keys.c.id).order_by(keys.c.id)).scalars())


def require_store_key(connection: Connection, given: MacKeys, name: str) -> bool:
    """See that a store may be written to under these keys. Gives whether it has been before.

    Raises:
        WrongKey: none of them is the store's.
    """
    there = list_key_ids(connection)
    used = bool(there) or connection.execute(select(audit.c.writer).limit(1)).first() is not None
    key_check.require_matching_key(there, given, name, used=used)
    return bool(there)


def register_key(connection: Connection, given: MacKeys, name: str) -> bool:
    """The same, in the transaction of a record: the first key becomes one of the store's.

    Returns:
        Whether the key was changed: the store was written under another one before.

    Raises:
        WrongKey: none of them is the store's.
    """
    if key_id(given[0]) in list_key_ids(connection):
        return False
    acquire_lock(connection, "keys")
    if key_id(given[0]) in list_key_ids(connection):
        return False
    changed = require_store_key(connection, given, name)
    connection.execute(insert(keys).values(id=key_id(given[0])))
    return changed
