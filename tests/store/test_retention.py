"""What has been kept long enough goes by itself, and nothing before; of the audit nothing does until it is purged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.store.database.schema import metadata
from saasus_mcp.store.records import DAY, HOUR, BudgetCost, Commitment, HiddenSecret, ProofUse, StoredResult, UndoEntry
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval

ENTRY = UndoEntry("call", NOW, "auth.UpdateRole", "local:me", "default", {}, None)
APPROVAL = pending_approval()
TIMES = {
    "journal": 30 * DAY,
    "undone": 30 * DAY,
    "approvals": 900 + 30 * DAY,
    "notices": 7 * DAY,
    "results": DAY,
    "secrets": 900,
    "confirmations": DAY,
    "charges": DAY,
}
"""Of each table, for how many seconds what was put there now is kept."""


@pytest.fixture
def full(store: Store) -> Store:
    """Return a store in which one thing of every kind was kept now."""
    commitment = Commitment(True, (BudgetCost("local:me", "writes", 1, 9, 60),), ENTRY)
    store.request_approval(APPROVAL, 5)
    store.add_secrets([HiddenSecret("s", "local:me", "default", b"x", NOW + 900)], NOW)
    store.results.add(StoredResult("r", "local:me", "default", "auth.GetTenants", NOW, NOW + DAY, b"x"))
    store.commit("call", {}, NOW, ProofUse("confirmation", "nonce"), commitment=commitment)
    store.commit("undo", {}, NOW, commitment=Commitment(undoes=("call", 0)))
    return store


def kept(store: Store) -> set[str]:
    """Return the tables in which there still is something."""
    with store._database.transaction() as connection:
        return {name for name, table in metadata.tables.items() if connection.execute(table.select()).first()}


@pytest.mark.parametrize("table", TIMES)
def test_each_thing_is_kept_for_its_time_and_no_longer(full: Store, table: str) -> None:
    assert set(TIMES) <= kept(full)
    full.finish_call("later", {}, NOW + TIMES[table])
    assert table in kept(full), "to the second"
    full.finish_call("later", {}, NOW + TIMES[table] + HOUR + 1)
    assert table not in kept(full)
    assert len(full.audit_log.list_records()) == 4


def test_it_is_looked_at_once_an_hour(full: Store) -> None:
    full.finish_call("first", {}, NOW + 890)
    full.finish_call("within the hour", {}, NOW + 1000)
    assert "secrets" in kept(full), "a secret whose time is over is not given out, and goes with the next look"
    assert full.get_secret("s", NOW + 1000) is None
    full.finish_call("an hour later", {}, NOW + 890 + HOUR)
    assert "secrets" not in kept(full)


def test_a_purge_removes_the_selected_records_and_the_expired_ones(full: Store) -> None:
    full.commit(
        "new", {}, NOW + 40 * DAY, commitment=Commitment(undo_entry=replace(ENTRY, call="new", at=NOW + 40 * DAY))
    )
    assert full.purge(NOW + DAY, NOW + DAY, NOW + 41 * DAY, by="local:me") == (2, 1)
    assert [entry.call for entry in full.undo_log.list_entries()] == ["new"]
    begun, purged = full.audit_log.list_records()
    assert begun["call"] == "new"
    assert {"action": "purge", "principal": "local:me", "records": 2}.items() <= purged.items()
    assert full.audit_log.find_breaks() == []
    assert not kept(full) & {"secrets", "results", "approvals", "charges", "confirmations", "undone"}


def test_with_the_journal_that_is_purged_goes_what_was_undone_of_it(full: Store) -> None:
    assert full.purge(0.0, NOW + 1, NOW + 2, by="local:me") == (0, 1)
    assert not kept(full) & {"journal", "undone"}
