"""The ids of the keys of a store, kept in the store."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from saasus_mcp.store.audit import key_check
from saasus_mcp.store.audit.hash_chain import MacKeys, key_id
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.schema import audit, keys


def list_key_ids(connection: Connection) -> tuple[str, ...]:
    """Return the ids of the store's keys."""
    return tuple(connection.execute(select(keys.c.id).order_by(keys.c.id)).scalars())


def require_store_key(connection: Connection, given: MacKeys, name: str) -> bool:
    """Check keys against the store, and return True if the store has keys.

    Raises:
        WrongKey: no key belongs to the store.
    """
    ids = list_key_ids(connection)
    used = bool(ids) or connection.execute(select(audit.c.writer).limit(1)).first() is not None
    key_check.require_matching_key(ids, given, name, used=used)
    return bool(ids)


def register_key(connection: Connection, given: MacKeys, name: str) -> bool:
    """Check keys in the transaction of a record, and register the first one.

    Returns:
        True if the key was changed: the store has an older key.

    Raises:
        WrongKey: no key belongs to the store.
    """
    if key_id(given[0]) in list_key_ids(connection):
        return False
    acquire_lock(connection, "keys")
    if key_id(given[0]) in list_key_ids(connection):
        return False
    changed = require_store_key(connection, given, name)
    connection.execute(insert(keys).values(id=key_id(given[0])))
    return changed
