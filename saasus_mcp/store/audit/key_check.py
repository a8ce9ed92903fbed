"""Whether a process has a key of the store that it is about to write to. Imports no database library: a server asks at its start."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from saasus_mcp.store.audit.hash_chain import MacKeys, derive_store_keys, key_id
from saasus_mcp.store.state_files import STORE_SUFFIX, StoreError

WRONG_KEY_HINT = (
    "Use the key that the store was written with: in SAASUS_MCP_SEALING_KEYS, SAASUS_MCP_SEALING_KEYS_FILE or "
    "sealing.key in the state folder. To change the key, list the new key first and the old key after it. If the "
    "key is lost, move the store elsewhere; a new one is created."
)


class WrongKey(StoreError):
    """None of this process's keys is a key of this store: what it wrote would break the audit for everybody else."""

    reason: ClassVar[str] = "wrongkey"


def require_matching_key(there: Collection[str], given: MacKeys, name: str, *, used: bool) -> None:
    """See that a store may be written to.

    Args:
        there: the ids of the keys that the store was written under.
        given: this process's keys of the store.
        name: of the store.
        used: whether it has audit records.

    Raises:
        WrongKey: none of the keys is the store's.
    """
    own = [key_id(key) for key in given]
    if there and not set(own) & set(there):
        raise WrongKey(
            f"The sealing key does not belong to the store {name}, which was written under key {', '.join(sorted(there))}, "
            f"and this process has {', '.join(own)}.",
            WRONG_KEY_HINT,
        )
    if used and not there:
        raise WrongKey(
            f"The sealing key cannot be checked: the store {name} has audit records but no key id, so the key id was removed.",
            WRONG_KEY_HINT,
        )


def require_key_of_file(file: Path, keys: MacKeys) -> bool:
    """The same for the store in a file, before it is opened.

    Returns:
        Whether a key is known there; a store that is new or of another version knows none.

    Raises:
        WrongKey: none of the keys is the store's.
    """
    if not file.is_file() or not file.stat().st_size:
        return False
    name = store_name(file)
    try:
        with closing(sqlite3.connect(file)) as connection:
            there = [str(row[0]) for row in connection.execute("SELECT id FROM keys")]
            used = connection.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return False  # opening it says what is wrong with it
    require_matching_key(there, derive_store_keys(keys, name), name, used=used)
    return bool(there)


def store_name(file: Path) -> str:
    """The name of the store in a file, which the MACs of its audit cover."""
    return file.name.removesuffix(STORE_SUFFIX)
