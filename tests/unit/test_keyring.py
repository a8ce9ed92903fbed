"""Whose store it is: a process without a key of it writes nothing there, and a change of the key is recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.store import Commitment, Ending, Freeze, Store, StoreError, WrongKey
from saasus_mcp.store.keyring import known
from tests.approvals import NOW, pending
from tests.backends import KEY, execute, stores

OTHER = b"o" * 32
WRITES: dict[str, Callable[[Store], object]] = {
    "a call": lambda store: store.commit("c", {}, NOW, None, Commitment(writes=True)),
    "a read": lambda store: store.commit("c", {}, NOW),
    "an end": lambda store: store.end("c", {}, NOW, Ending()),
    "a refusal": lambda store: store.refuse("c", {}, NOW),
    "a decision": lambda store: store.decided({"deed": "freeze"}, NOW),
    "an approval": lambda store: store.decide("ABCD-2345", "approved", by="me", at=NOW, expires_at=NOW + 9, record={}),
    "a purge": lambda store: store.trail.purge(NOW + 1, by="me", at=NOW),
}


def used(where: Path | str, saas_id: str, *keys: bytes) -> None:
    with closing(stores(where, keys)) as opened, closing(opened.of(saas_id)) as store:
        store.request_approval(pending(), 5)
        store.commit("before", {}, NOW)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_process_with_another_key_writes_nothing(where: Path | str, write: Callable[[Store], object]) -> None:
    used(where, "saas", KEY)
    with (
        closing(stores(where, (OTHER,))) as opened,
        closing(opened.of("saas")) as store,
        pytest.raises(StoreError, match=r"sealing key|failed verification"),
    ):
        write(store)
    with closing(stores(where)) as opened, closing(opened.of("saas")) as store:
        assert [record["call"] for record in store.audited()] == ["before"]
        assert store.approvals(NOW)[0].status == "pending"
        assert store.trail.verify() == []


def test_it_can_freeze_all_the_same(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(stores(where, (OTHER,))) as opened, closing(opened.of("saas")) as store:
        store.freeze(Freeze(NOW, "local:me", "an incident"))
        assert store.frozen()


def test_it_does_not_start_before_that_store_nor_before_a_new_one_beside_it(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(stores(where, (OTHER,))) as opened:
        for saas_id in ("saas", "new"):
            with pytest.raises(WrongKey, match="SAASUS_MCP_SEALING_KEYS_FILE"):
                opened.require_key(saas_id)
    with closing(stores(where, (OTHER, KEY))) as opened:
        opened.require_key("saas")
        opened.require_key("new")


def test_a_key_is_changed_with_the_old_one_behind_it_and_that_is_recorded_once(where: Path | str) -> None:
    used(where, "saas", KEY)
    used(where, "saas", KEY, OTHER)
    used(where, "saas", OTHER, KEY)
    used(where, "saas", OTHER, KEY)
    with closing(stores(where, (OTHER, KEY))) as opened, closing(opened.of("saas")) as store:
        changes = [record for record in store.audited() if record["event"] == "decided"]
        assert [record["deed"] for record in changes] == ["key_change"]
        assert store.trail.verify() == []
    used(where, "saas", OTHER)


def test_a_store_whose_key_id_is_gone_is_not_written_to(where: Path | str) -> None:
    used(where, "saas", KEY)
    with closing(stores(where)) as opened:
        with closing(opened.of("saas")) as store:
            execute(store, "DELETE FROM keys")
        with pytest.raises(WrongKey, match="the key id was removed"):
            opened.require_key("saas")


def test_a_key_id_is_of_one_store(where: Path | str) -> None:
    used(where, "one", KEY)
    used(where, "other", KEY)
    with closing(stores(where)) as opened:
        found = []
        for saas_id in ("one", "other"):
            with closing(opened.of(saas_id)) as store, store._database.transaction() as connection:
                found.append(known(connection))
    assert found[0] != found[1], "an id can be copied from no other store"
