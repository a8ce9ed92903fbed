"""The audit's chain: what was altered, removed, reordered or cut off is found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from saasus_mcp.store.audit.chain_verification import verify_chains
from saasus_mcp.store.audit.excerpts import encode_bounded
from saasus_mcp.store.audit.hash_chain import GENESIS_MAC, ChainHead, ChainRecord, derive_store_keys, record_mac
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import audit
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores
from tests.support.audit_chains import NOW, faults, filled
from tests.support.databases import KEY, execute, open_stores

OTHER = b"o" * 32


def test_an_untouched_chain_holds_and_so_do_those_of_several_writers(kept: Stores) -> None:
    filled(kept).close()
    again = filled(kept)
    assert faults(again) == []
    assert len(again.audit_log.chain_heads()) == 2, "each process writes a chain of its own"
    again.close()


def test_the_heads_of_several_writers_are_where_each_of_them_ends(kept: Stores) -> None:
    filled(kept, 6).close()
    store = filled(kept, 2)
    heads = store.audit_log.chain_heads()
    assert sorted(head.number for head in heads) == [2, 6]
    assert faults(store, *heads) == []
    execute(store, "DELETE FROM audit WHERE number = 6")
    assert "cut off: the exported head is missing" in faults(store, *heads)
    store.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit SET record = replace(record, 'GetTenants', 'GetRoles') WHERE number = 3", "modified"),
        ("UPDATE audit SET at = at + 1 WHERE number = 3", "modified"),
        ("UPDATE audit SET event = 'refused' WHERE number = 3", "modified"),
        ("UPDATE audit SET call = 'call-9' WHERE number = 3", "modified"),
        ("UPDATE audit SET call = 'call-2b', event = 'egun' WHERE number = 3", "modified"),
        ("DELETE FROM audit WHERE number = 3", "missing"),
        ("DELETE FROM audit WHERE number = 1", "missing"),
        ("UPDATE audit SET number = CASE number WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE number END", "missing"),
    ],
)
def test_a_record_that_was_tampered_with_is_found(kept: Stores, statement: str, found: str) -> None:
    store = filled(kept)
    execute(store, statement)
    assert any(fault.startswith(found) for fault in faults(store)), faults(store)
    store.close()


def test_a_chain_is_followed_over_every_piece_that_is_read(kept: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.store.audit.reader.BATCH_SIZE", 2)
    store = filled(kept, 7)
    assert (faults(store), store.audit_log.count_records()) == ([], 7)
    execute(store, "DELETE FROM audit WHERE number = 3")
    assert [fault.split(":")[0] for fault in faults(store)] == ["missing"]
    store.close()


def test_the_newest_records_are_read_from_the_end(kept: Stores) -> None:
    store = filled(kept)
    newest = store.audit_log.newest_records(2)
    older = store.audit_log.newest_records(10, newest[-1][0])
    assert [record["call"] for _, record in (*newest, *older)] == [f"call-{number}" for number in reversed(range(6))]
    store.close()


def read_under(where: Path | str, *keys: bytes) -> list[str]:
    """Return the faults that a process with these keys finds."""
    with closing(open_stores(where, keys)) as opened, closing(opened.open_saas("saas")) as store:
        return faults(store)


def test_each_record_vouches_for_the_one_before() -> None:
    def link(number: int, record: str, before: str) -> ChainRecord:
        bare = ChainRecord("w", number, NOW, "call", "begun", record, "", "")
        return bare._replace(mac=record_mac(KEY, before, bare))

    first, other = link(1, "{}", GENESIS_MAC), link(1, '{"operation":"another"}', GENESIS_MAC)
    second = link(2, "{}", first.mac)
    assert verify_chains([KEY], [first, second], (), exported=(), linked=()).breaks == ()
    assert [found.number for found in verify_chains([KEY], [other, second], (), exported=(), linked=()).breaks] == [
        2
    ], "both are ours, and not of one chain"


def written_under(where: Path | str, *keys: bytes) -> None:
    with closing(open_stores(where, keys)) as opened:
        filled(opened).close()


def test_a_chain_made_under_another_key_does_not_hold(where: Path | str) -> None:
    written_under(where, KEY)
    [said] = read_under(where, OTHER)
    assert said.startswith("not verified: the sealing key in use is not a key of this store")


def test_chains_of_before_and_after_a_change_of_the_key_hold_while_the_old_one_is_kept(where: Path | str) -> None:
    written_under(where, KEY)
    written_under(where, KEY, OTHER)
    written_under(where, OTHER, KEY)
    assert read_under(where, OTHER, KEY) == []
    assert read_under(where, b"3" * 32, OTHER, KEY) == []
    assert len(read_under(where, OTHER)) == 12, "what was written under the old key cannot be verified without it"


def test_an_old_key_cannot_go_on_with_a_chain_that_another_one_began(where: Path | str) -> None:
    written_under(where, OTHER, KEY)
    with closing(open_stores(where, (OTHER, KEY))) as opened, closing(opened.open_saas("saas")) as store:
        [head] = store.audit_log.chain_heads()
        link = ChainRecord(head.writer, head.number + 1, NOW + 9, "forged", "begun", "{}", "", "")
        [old] = derive_store_keys([KEY], store.audit_log.name)
        forged = record_mac(old, head.mac, link)
        with store._database.transaction() as connection:
            connection.execute(insert(audit), {**link._asdict(), "mac": forged})
        assert len(faults(store)) == 1


def test_a_doubtful_record_after_a_database_failure_is_not_chained(
    where: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_stores(where)) as opened, closing(filled(opened)) as store:
        dialect = store._database._engine.dialect
        commit = dialect.do_commit

        def committed_unheard(connection: Any) -> None:
            commit(connection)
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))

        monkeypatch.setattr(dialect, "do_commit", committed_unheard)
        with pytest.raises(StoreError):
            store.commit("unheard", {}, NOW + 10, commitment=Commitment(writes=True))
        monkeypatch.undo()
        store.commit("after", {}, NOW + 11)
        assert [record["call"] for record in store.audit_log.list_records()][-2:] == ["unheard", "after"]
        assert faults(store) == []


def test_a_record_of_a_read_that_may_have_been_written_is_not_built_on(
    where: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_stores(where)) as opened, closing(filled(opened)) as store:
        add = store._database.execute_alone

        def added_unheard(statement: PreparedStatement, *rows: Mapping[str, Any]) -> None:
            add(statement, *rows)
            raise StoreError.of("store.unusable", reason="the connection was lost")

        monkeypatch.setattr(store._database, "execute_alone", added_unheard)
        with pytest.raises(StoreError):
            store.commit("unheard", {}, NOW + 10)
        monkeypatch.undo()
        store.commit("after", {}, NOW + 11)
        store.commit("and after", {}, NOW + 12)
        assert [record["call"] for record in store.audit_log.list_records()][-3:] == ["unheard", "after", "and after"]
        assert faults(store) == []


def test_a_locked_file_is_waited_for_and_then_said(tmp_path: Path) -> None:
    with closing(open_stores(tmp_path)) as opened, closing(filled(opened)) as store:
        store.record_refusal("first", {}, NOW + 10)
        raw = store._database._raw
        assert raw is not None
        raw.cursor().execute("PRAGMA busy_timeout=10")
        with store._database.transaction(), pytest.raises(StoreError, match="locked"):
            store.record_refusal("held up", {}, NOW + 11)
        store.record_refusal("last", {}, NOW + 12)
        assert [record["call"] for record in store.audit_log.list_records()][-2:] == ["first", "last"]
        assert faults(store) == []


def test_a_chain_whose_end_was_cut_is_found_by_an_exported_head(kept: Stores) -> None:
    store = filled(kept)
    [head] = store.audit_log.chain_heads()
    execute(store, "DELETE FROM audit WHERE number > 4")
    assert faults(store) == [], "from within, the cut cannot be seen"
    assert faults(store, head) == ["cut off: the exported head is missing"]
    store.close()


def test_a_rewritten_chain_differs_from_the_exported_head(kept: Stores) -> None:
    store = filled(kept)
    [head] = store.audit_log.chain_heads()
    assert faults(store, ChainHead(head.writer, head.number, "0" * 64)) == ["rewritten: it is not the exported head"]
    store.close()


@pytest.mark.parametrize(
    "late",
    [lambda store: store.finish_call("call-0", {"ok": True}, NOW), lambda store: store.record_refusal("x", {}, NOW)],
    ids=["an end", "a refusal"],
)
def test_ends_and_refusals_are_links_of_the_same_chain(kept: Stores, late: Callable[[Store], None]) -> None:
    store = filled(kept, 1)
    late(store)
    assert faults(store) == []
    execute(store, "UPDATE audit SET record = '{\"ok\":false}' WHERE number = 2")
    assert faults(store) == ["modified, inserted from another chain, or signed with a key that was not supplied"]
    store.close()


def test_a_record_that_waits_too_long_for_those_before_it_is_not_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.store.audit.log.BUSY_SECONDS", 0.0)
    with store.audit_log.write_transaction() as connection:
        with pytest.raises(StoreError) as caught:
            store.record_refusal("impatient", {}, 1.0)
        assert caught.value.message.id == "store.busy"
        store.audit_log.append(connection, "first", "decided", {}, at=1.0)
    store.record_refusal("next", {}, 1.0)
    assert [record["call"] for record in store.audit_log.list_records()] == ["first", "next"]
    assert store.audit_log.find_breaks() == []


def test_ends_that_wait_are_recorded_with_the_next_record_and_at_the_close(tmp_path: Path) -> None:
    with closing(open_stores(tmp_path)) as opened:
        with closing(filled(opened)) as store:
            store.finish_call("call-0", {"ok": True}, NOW + 10)
            assert all(store.finish_read_soon(f"call-{number}", {"ok": True}, NOW + 10 + number) for number in (1, 2))
            store.commit("next", {}, NOW + 13)
            recorded = [(record["call"], record["event"]) for record in store.audit_log.list_records()]
            assert recorded[-3:] == [("call-1", "ended"), ("call-2", "ended"), ("next", "begun")]
            assert store.finish_read_soon("call-3", {"ok": True}, NOW + 14)
        again = opened.open_saas("saas")
        assert again.audit_log.list_records()[-1]["call"] == "call-3"
        assert faults(again) == []


def test_ends_that_cannot_be_recorded_are_logged_and_the_chain_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_stores(tmp_path)) as opened, closing(filled(opened)) as store:
        store.finish_call("call-0", {"ok": True}, NOW + 10)
        execute(
            store,
            "CREATE TRIGGER full BEFORE INSERT ON audit WHEN NEW.call = 'call-2' BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        assert all(store.finish_read_soon(f"call-{number}", {"ms": 7}, NOW + 10 + number) for number in (1, 2))
        store.record_waiting()
        assert [(record.levelname, "call-1" in record.message, "call-2" in record.message) for record in caplog.records] == [
            ("ERROR", True, False), ("ERROR", False, True)
        ]  # fmt: skip
        assert '"ms":7' in caplog.text
        store.commit("next", {}, NOW + 13)
        assert [record["call"] for record in store.audit_log.list_records()][-2:] == ["call-0", "next"]
        assert faults(store) == []


def test_an_end_that_comes_while_another_thread_adds_a_record_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_stores(tmp_path)) as opened, closing(filled(opened)) as store:
        store.finish_call("call-0", {"ok": True}, NOW + 10)
        encoder = "saasus_mcp.store.audit.log.encode_bounded"

        def encode_late(record: Mapping[str, Any]) -> str:
            monkeypatch.setattr(encoder, encode_bounded)
            console = threading.Thread(target=store.record_refusal, args=("other", {}, NOW + 11))
            console.start()
            console.join()
            return encode_bounded(record)

        monkeypatch.setattr(encoder, encode_late)
        assert store.finish_read_soon("call-1", {"ok": True}, NOW + 11)
        store.record_waiting()
        assert [record["call"] for record in store.audit_log.list_records()][-2:] == ["other", "call-1"]
        assert faults(store) == []
