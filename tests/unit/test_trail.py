"""The audit's chain: what was altered, removed, reordered or cut off is found; what was purged is not missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from saasus_mcp.store import Head, Store

KEY = b"k" * 32
NOW = 1_790_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def filled(folder: Path, records: int = 6) -> Store:
    store = Store.at(folder, "saas", KEY)
    for number in range(records):
        store.commit(f"call-{number}", {"operation": "auth.GetTenants", "number": number}, NOW + number)
    return store


def tamper(folder: Path, statement: str) -> None:
    [file] = folder.glob("*.sqlite3")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def faults(store: Store, *heads: Head) -> list[str]:
    return [found.fault for found in store.trail.verify(heads)]


def test_an_untouched_chain_holds_and_so_do_those_of_several_writers(folder: Path) -> None:
    filled(folder).close()
    again = filled(folder)
    assert faults(again) == []
    assert len(again.trail.heads()) == 2, "each process writes a chain of its own"
    again.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit SET record = replace(record, 'GetTenants', 'GetRoles') WHERE number = 3", "altered"),
        ("UPDATE audit SET at = at + 1 WHERE number = 3", "altered"),
        ("UPDATE audit SET event = 'refused' WHERE number = 3", "altered"),
        ("UPDATE audit SET call = 'call-9' WHERE number = 3", "altered"),
        ("DELETE FROM audit WHERE number = 3", "missing"),
        ("DELETE FROM audit WHERE number = 1", "missing"),
        ("UPDATE audit SET number = CASE number WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE number END", "missing"),
    ],
)
def test_a_record_that_was_tampered_with_is_found(folder: Path, statement: str, found: str) -> None:
    store = filled(folder)
    tamper(folder, statement)
    assert any(fault.startswith(found) for fault in faults(store)), faults(store)
    store.close()


def test_a_chain_is_followed_over_every_piece_that_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.store.trail.PIECE", 2)
    store = filled(folder, 7)
    assert (faults(store), store.trail.count()) == ([], 7)
    tamper(folder, "DELETE FROM audit WHERE number = 3")
    assert [fault.split(":")[0] for fault in faults(store)] == ["missing"]
    store.close()


def test_the_newest_records_are_read_from_the_end(folder: Path) -> None:
    store = filled(folder)
    newest = store.trail.newest(2)
    older = store.trail.newest(10, newest[-1][0])
    assert [record["call"] for _, record in (*newest, *older)] == [f"call-{number}" for number in reversed(range(6))]
    store.close()


def test_a_chain_made_under_another_key_does_not_hold(folder: Path) -> None:
    filled(folder).close()
    forged = Store.at(folder, "saas", b"f" * 32)
    assert len(faults(forged)) == 6
    forged.close()


def test_a_chain_whose_end_was_cut_is_found_by_an_exported_head(folder: Path) -> None:
    store = filled(folder)
    [head] = store.trail.heads()
    tamper(folder, "DELETE FROM audit WHERE number > 4")
    assert faults(store) == [], "from within, the cut cannot be seen"
    assert faults(store, head) == ["cut off: the exported head is not there"]
    store.close()


def test_a_chain_that_was_written_anew_differs_from_the_exported_head(folder: Path) -> None:
    store = filled(folder)
    [head] = store.trail.heads()
    assert faults(store, Head(head.writer, head.number, "0" * 64)) == ["rewritten: it is not the exported head"]
    store.close()


def test_purging_keeps_the_rest_of_the_chain_whole(folder: Path) -> None:
    store = filled(folder)
    [head] = store.trail.heads()
    assert store.trail.purge(NOW + 3) == 3
    assert [record["number"] for record in store.audited()] == [3, 4, 5]
    assert faults(store, head) == []
    tamper(folder, "DELETE FROM audit WHERE number = 4")
    assert faults(store) == ["missing: the next record is 5"]
    store.close()


def test_what_was_purged_whole_is_not_missed(folder: Path) -> None:
    store = filled(folder)
    [head] = store.trail.heads()
    assert store.trail.purge(NOW + 100) == 6
    assert faults(store, head) == []
    store.commit("later", {}, NOW + 200)
    assert faults(store) == []
    store.close()


@pytest.mark.parametrize(
    "late",
    [lambda store: store.end("call-0", {"ok": True}, NOW), lambda store: store.refuse("x", {}, NOW)],
    ids=["an end", "a refusal"],
)
def test_ends_and_refusals_are_links_of_the_same_chain(folder: Path, late: Callable[[Store], None]) -> None:
    store = filled(folder, 1)
    late(store)
    assert faults(store) == []
    tamper(folder, "UPDATE audit SET record = '{\"ok\":false}' WHERE number = 2")
    assert faults(store) == ["altered, or put in from elsewhere"]
    store.close()
