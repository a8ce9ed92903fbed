"""Audit logs with records, and what their verification finds."""

from __future__ import annotations

from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores

NOW = 1_790_000_000.0


def filled(kept: Stores, records: int = 6) -> Store:
    store = kept.open_saas("saas")
    for number in range(records):
        store.commit(f"call-{number}", {"operation": "auth.GetTenants", "number": number}, NOW + number)
    return store


def purged(store: Store, before: float) -> int:
    return store.audit_log.purge(before, by="local:me", at=NOW + 1000)


def calls(store: Store) -> list[str]:
    """Return the calls in the audit, without the decisions."""
    return [record["call"] for record in store.audit_log.list_records() if record["event"] != "decided"]


def faults(store: Store, *heads: ChainHead) -> list[str]:
    return [str(found.fault) for found in store.audit_log.find_breaks(heads)]
