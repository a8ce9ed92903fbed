"""The store of one SaaS in a folder, as a server opens it."""

from __future__ import annotations

from pathlib import Path

from saasus_mcp.store.audit.hash_chain import MacKeys
from saasus_mcp.store.state_files import prepare_store_file
from saasus_mcp.store.store import Store


def open_saas_store(folder: Path, saas_id: str, keys: MacKeys = ()) -> Store:
    """Open the store of one SaaS in a folder, or create it. Without its keys, the audit log cannot be verified."""
    return Store.open_file(prepare_store_file(folder, saas_id), keys)
