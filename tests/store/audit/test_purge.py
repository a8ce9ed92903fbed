"""What was purged from the audit log is not missed, and what was not purged is."""

from __future__ import annotations

import time

import pytest

from saasus_mcp.store.audit import purge
from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores
from tests.support.audit_chains import NOW, calls, faults, filled, purged
from tests.support.databases import execute


def test_purging_keeps_the_rest_of_the_chain_whole(kept: Stores) -> None:
    store = filled(kept)
    [head] = store.audit_log.chain_heads()
    assert purged(store, NOW + 3) == 3
    assert calls(store) == ["call-3", "call-4", "call-5"]
    assert faults(store, head) == []
    execute(store, "DELETE FROM audit WHERE number = 5")
    assert faults(store) == ["missing: the next record is 6"]
    store.close()


def test_a_chain_whose_end_was_cut_after_a_purge_is_found_by_an_exported_head(kept: Stores) -> None:
    store = filled(kept)
    [head] = store.audit_log.chain_heads()
    assert purged(store, NOW + 3) == 3
    execute(store, "DELETE FROM audit WHERE number > 4")
    assert faults(store, head) == [
        "cut off: the exported head is missing",
        "cut off: a record that another record names is missing",
    ], "the record of the purge is gone as well, and its mark names it"
    store.close()


def test_a_chain_may_be_purged_again_and_again(kept: Stores) -> None:
    store = filled(kept)
    assert [purged(store, NOW + until) for until in (2, 4, 5)] == [2, 2, 1]
    assert calls(store) == ["call-5"]
    assert faults(store) == []
    store.close()


def test_a_completely_purged_range_is_not_reported_missing(kept: Stores) -> None:
    store = filled(kept)
    [head] = store.audit_log.chain_heads()
    assert purged(store, NOW + 100) == 6
    assert faults(store, head) == []
    store.commit("later", {}, NOW + 200)
    assert faults(store) == []
    store.close()


def test_a_purge_that_is_itself_purged_leaves_every_mark_proven(kept: Stores) -> None:
    filled(kept).close()
    store = filled(kept, 2)
    heads = store.audit_log.chain_heads()
    assert purged(store, NOW + 100) == 8
    assert store.audit_log.purge(NOW + 5000, by="local:boss", at=NOW + 6000) == 1
    assert faults(store, *heads) == []
    assert [record["action"] for record in store.audit_log.list_records()] == ["purge"]
    for head in heads:
        execute(store, f"DELETE FROM purged WHERE writer = '{head.writer}'")  # noqa: S608 - what an attacker runs
    assert "cut off: a record that another record names is missing" in faults(store)
    store.close()


def test_a_purged_chain_stays_named_by_a_record_after_the_record_of_its_purge_is_purged(kept: Stores) -> None:
    filled(kept).close()
    store = filled(kept, 2)
    [quiet] = [head for head in store.audit_log.chain_heads() if head.number == 6]
    assert purged(store, NOW + 100) == 8
    assert store.audit_log.purge(NOW + 900, by="local:boss", at=NOW + 2000) == 0, "the record of the purge is younger"
    assert named_purge(store, quiet) == ("local:me", 3)
    assert store.audit_log.purge(NOW + 1000 + 1, by="local:boss", at=NOW + 3000) == 1
    assert named_purge(store, quiet) == ("local:me", 4), "renewed"
    execute(store, f"DELETE FROM purged WHERE writer = '{quiet.writer}'")  # noqa: S608 - what an attacker runs
    assert faults(store) == ["cut off: a record that another record names is missing"]
    store.close()


def named_purge(store: Store, head: ChainHead) -> tuple[str, int]:
    """Return who purged the chain of a head, by its mark, and the number of the record that names it."""
    [mark] = [each for each in store.audit_log.verify_integrity().purged if each.writer == head.writer]
    assert faults(store) == []
    return mark.by, mark.purge.number


def test_others_can_write_while_many_records_are_purged(kept: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite, a process that deletes everything at once keeps all others from writing."""
    filled(kept).close()
    store, other = filled(kept), kept.open_saas("saas")
    heads, written = store.audit_log.chain_heads(), list[float]()

    def write(_: float) -> None:
        written.append(NOW + 1000 + len(written))
        other.commit("meanwhile", {}, written[-1])

    monkeypatch.setattr(purge, "PURGED_TOGETHER", 4)
    monkeypatch.setattr(time, "sleep", write)
    assert purged(store, NOW + 100) == 12
    assert len(written) == 3
    assert calls(store) == ["meanwhile"] * 3
    assert faults(store, *heads) == []
    execute(store, "DELETE FROM purged WHERE writer = (SELECT min(writer) FROM purged)")
    assert faults(store, *heads) != []
    for each in (store, other):
        each.close()


def test_an_audit_log_that_was_tampered_with_is_not_purged(kept: Stores) -> None:
    store = filled(kept)
    execute(store, "UPDATE audit SET record = '{}' WHERE number = 3")
    before = store.audit_log.list_records()
    with pytest.raises(StoreError) as caught:
        purged(store, NOW + 4)
    assert caught.value.message.id == "store.audit_purge_refused"
    assert store.audit_log.list_records() == before, "what shows the tampering stays"
    store.close()


def test_a_purge_never_removes_what_is_younger_than_it_was_asked(kept: Stores) -> None:
    store = kept.open_saas("saas")
    for at in (0, 10, 1, 11):  # a clock that was set back
        store.commit(f"at-{at}", {}, NOW + at)
    assert purged(store, NOW + 5) == 1
    assert sorted(calls(store)) == ["at-1", "at-10", "at-11"]
    assert faults(store) == []
    store.close()
