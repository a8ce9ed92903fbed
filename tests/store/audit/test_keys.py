"""Whose store it is: a process without a key of it writes nothing there, and a change of the key is recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from saasus_mcp.store.audit.keys import list_key_ids
from saasus_mcp.store.database.schema import notices
from saasus_mcp.store.errors import StoreError, WrongKey
from saasus_mcp.store.records import CallOutcome, Commitment, Freeze
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval
from tests.support.databases import KEY, execute, open_stores

OTHER = b"o" * 32
WRITES: dict[str, Callable[[Store], object]] = {
    "a call": lambda store: store.commit("c", {}, NOW, commitment=Commitment(writes=True)),
    "a read": lambda store: store.commit("c", {}, NOW),
    "an end": lambda store: store.finish_call("c", {}, NOW, CallOutcome()),
    "a refusal": lambda store: store.record_refusal("c", {}, NOW),
    "a decision": lambda store: store.record_decision({"action": "freeze"}, NOW),
    "an approval": lambda store: store.decide_approval(
        "ABCD-2345", "approved", by="me", at=NOW, expires_at=NOW + 9, record={}
    ),
    "a purge": lambda store: store.audit_log.purge(NOW + 1, by="me", at=NOW),
}


def notice_kinds(store: Store) -> list[str]:
    """Return the kinds of the events in the outbox."""
    with store._database.read_transaction() as connection:
        return list(connection.execute(select(notices.c.kind)).scalars())


def used(where: Path | str, saas_id: str, *keys: bytes) -> None:
    with closing(open_stores(where, keys)) as opened, closing(opened.open_saas(saas_id)) as store:
        store.request_approval(pending_approval(), 5)
        store.commit("before", {}, NOW)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_process_with_another_key_writes_nothing(where: Path | str, write: Callable[[Store], object]) -> None:
    used(where, "saas", KEY)
    with (
        closing(open_stores(where, (OTHER,))) as opened,
        closing(opened.open_saas("saas")) as store,
        pytest.raises(StoreError, match=r"sealing key|failed verification"),
    ):
        write(store)
    with closing(open_stores(where)) as opened, closing(opened.open_saas("saas")) as store:
        assert [record["call"] for record in store.audit_log.list_records()] == ["before"]
        assert store.list_approvals(NOW)[0].status == "pending"
        assert store.audit_log.find_breaks() == []


def test_a_process_with_another_key_cannot_tell_that_the_audit_is_broken_and_alarms_nobody(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(open_stores(where, (OTHER,))) as opened, closing(opened.open_saas("saas")) as store:
        assert not store.verify_audit_log((), NOW).own_key
    with closing(open_stores(where)) as opened, closing(opened.open_saas("saas")) as store:
        assert "audit_broken" not in notice_kinds(store)
        execute(store, "UPDATE audit SET record = '[]'")
        assert store.verify_audit_log((), NOW).breaks
        assert "audit_broken" in notice_kinds(store)


def test_it_can_freeze_all_the_same(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(open_stores(where, (OTHER,))) as opened, closing(opened.open_saas("saas")) as store:
        store.freeze(Freeze(NOW, "local:me", "an incident"))
        assert store.active_freeze()


def test_it_does_not_start_before_that_store_nor_before_a_new_one_beside_it(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(open_stores(where, (OTHER,))) as opened:
        for saas_id in ("saas", "new"):
            with pytest.raises(WrongKey, match="SAASUS_MCP_SEALING_KEYS_FILE"):
                opened.require_key(saas_id)
    with closing(open_stores(where, (OTHER, KEY))) as opened:
        opened.require_key("saas")
        opened.require_key("new")


def test_a_key_is_changed_with_the_old_one_behind_it_and_that_is_recorded_once(where: Path | str) -> None:
    used(where, "saas", KEY)
    used(where, "saas", KEY, OTHER)
    used(where, "saas", OTHER, KEY)
    used(where, "saas", OTHER, KEY)
    with closing(open_stores(where, (OTHER, KEY))) as opened, closing(opened.open_saas("saas")) as store:
        changes = [record for record in store.audit_log.list_records() if record["event"] == "decided"]
        assert [record["action"] for record in changes] == ["key_change"]
        assert store.audit_log.find_breaks() == []
    used(where, "saas", OTHER)


def test_a_store_whose_key_id_is_gone_is_not_written_to(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(open_stores(where)) as opened:
        with closing(opened.open_saas("saas")) as store:
            execute(store, "DELETE FROM keys")
        with pytest.raises(WrongKey) as caught:
            opened.require_key("saas")
        assert caught.value.message.id == "store.key_id_removed"


def test_a_key_id_is_of_one_store(where: Path | str) -> None:
    used(where, "one", KEY)
    used(where, "other", KEY)
    with closing(open_stores(where)) as opened:
        found = []
        for saas_id in ("one", "other"):
            with closing(opened.open_saas(saas_id)) as store, store._database.transaction() as connection:
                found.append(list_key_ids(connection))
    assert found[0] != found[1], "an id can be copied from no other store"
