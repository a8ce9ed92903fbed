"""Chains of the audit log name each other, so that none can be removed or cut unnoticed."""

from __future__ import annotations

import pytest

from saasus_mcp.store.stores import Stores
from tests.support.audit_chains import NOW, faults, filled
from tests.support.databases import execute


def test_a_chain_that_another_one_named_cannot_be_cut_before_that(kept: Stores) -> None:
    filled(kept).close()
    store = filled(kept, 1)
    execute(store, "DELETE FROM audit WHERE number = 6")
    assert faults(store) == ["cut off: a record that another record names is missing"]
    store.close()


def test_chains_that_go_on_name_each_other_once_an_hour(kept: Stores) -> None:
    here, there = filled(kept), filled(kept, 2)
    here.commit("later", {}, NOW + 3700)
    there.commit("last", {}, NOW + 3800)
    [(place, _)] = here.audit_log.newest_records(1)
    theirs = f"DELETE FROM audit WHERE writer = '{place.writer}'"  # noqa: S608 - what an attacker runs
    execute(here, f"{theirs} AND number > 2")
    assert faults(here) == [], "what was written since, nothing names yet"
    here.commit("later still", {}, NOW + 7400)
    execute(here, theirs)
    assert faults(here) == ["cut off: a record that another record names is missing"]
    here.close()
    there.close()


def test_a_writer_that_rested_for_a_day_begins_another_chain(kept: Stores) -> None:
    store = filled(kept)
    store.commit("next day", {}, NOW + 2 * 86_400)
    assert sorted(head.number for head in store.audit_log.chain_heads()) == [1, 6]
    assert faults(store) == []
    store.close()


def test_more_chains_than_a_record_names_are_named_by_the_next(kept: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.store.audit.cross_links.HEADS_PER_RECORD", 0)
    for _ in range(5):
        filled(kept, 1).close()
    monkeypatch.setattr("saasus_mcp.store.audit.cross_links.HEADS_PER_RECORD", 2)
    store = kept.open_saas("saas")
    store.commit("first", {}, NOW + 10)
    for hour in range(1, 3):
        store.commit("hourly", {}, NOW + hour * 3700)
    execute(store, "DELETE FROM audit WHERE call = 'call-0'")
    assert len([fault for fault in faults(store) if fault.startswith("cut off")]) == 5
    store.close()


@pytest.mark.parametrize(("hours", "remembered"), [(2, True), (47, True), (49, False)])
def test_a_chain_is_named_for_two_days_after_its_last_record_and_then_forgotten(
    kept: Stores, hours: int, remembered: bool
) -> None:
    quiet, busy = filled(kept, 1), filled(kept, 1)
    for hour in range(hours):
        busy.commit("hourly", {}, NOW + (hour + 1) * 3601)
    quiet.commit("behind", {}, NOW + 3500)  # a clock that stands behind, within the hour of its last link
    busy.commit("last", {}, NOW + (hours + 1) * 3601)
    execute(busy, "DELETE FROM audit WHERE call = 'behind'")
    assert faults(busy) == (["cut off: a record that another record names is missing"] if remembered else [])
    quiet.close()
    busy.close()
