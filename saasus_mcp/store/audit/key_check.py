"""The check that a process has a key of the store. It imports no database library, because a server checks at its start."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from saasus_mcp.common.messages import message
from saasus_mcp.store.audit.hash_chain import MacKeys, derive_store_keys, key_id
from saasus_mcp.store.errors import WrongKey
from saasus_mcp.store.state_files import STORE_SUFFIX


def require_matching_key(ids: Collection[str], keys: MacKeys, name: str, *, used: bool) -> None:
    """Check that a store may be written to.

    Args:
        ids: ids of the store's keys.
        keys: this process's keys of the store.
        name: name of the store.
        used: the store has audit records.

    Raises:
        WrongKey: no key belongs to the store.
    """
    own = [key_id(key) for key in keys]
    if ids and not set(own) & set(ids):
        raise WrongKey.of("store.wrong_key", store=name, expected=tuple(sorted(ids)), given=tuple(own))
    if used and not ids:
        raise WrongKey(message("store.key_id_removed", store=name), message("store.wrong_key_hint"))


def require_key_of_file(file: Path, keys: MacKeys) -> bool:
    """Check keys against the store in a file, before it is opened.

    Returns:
        True if the store has keys. A new store, or one of another version, has none.

    Raises:
        WrongKey: no key belongs to the store.
    """
    if not file.is_file() or not file.stat().st_size:
        return False
    name = store_name(file)
    try:
        with closing(sqlite3.connect(file)) as connection:
            ids = [str(row[0]) for row in connection.execute("SELECT id FROM keys")]
            used = connection.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return False  # opening the store explains it
    require_matching_key(ids, derive_store_keys(keys, name), name, used=used)
    return bool(ids)


def store_name(file: Path) -> str:
    """Return the name of the store in a file. The MACs of its audit log cover it."""
    return file.name.removesuffix(STORE_SUFFIX)
