"""The write that tells whether a database takes writes: it changes nothing, and a database that is full or locked refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores
from saasus_mcp.store.tokens import TokenStore
from tests.support.outages import database_behind, empty_database, fill_database


@pytest.fixture(params=["store", "accounts"])
def owner(request: pytest.FixtureRequest, kept: Stores) -> Iterator[Store | TokenStore]:
    with closing(kept.open_saas("saas") if request.param == "store" else kept.open_tokens()) as opened:
        yield opened


def rows(owner: Store | TokenStore) -> int:
    database = database_behind(owner)
    with database.transaction() as connection:
        schema = (connection.get_execution_options().get("schema_translate_map") or {}).get(None)
        table = f'"{schema}".heartbeats' if schema else "heartbeats"
        found: int = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608
        return found


def test_it_leaves_nothing_behind_however_often_it_is_made(owner: Store | TokenStore) -> None:
    for _ in range(3):
        owner.check_writable()
    assert rows(owner) == 0


def test_a_store_of_before_it_existed_gets_its_table(kept: Stores) -> None:
    with closing(kept.open_saas("saas")) as before:
        before.check_writable()
    with closing(kept.open_saas("saas")) as again:
        again.check_writable()
        assert rows(again) == 0


@pytest.mark.parametrize("looked", [False, True], ids=["before the first", "after one"])
def test_a_file_that_cannot_grow_refuses_it_and_takes_it_again_when_it_can(*, looked: bool) -> None:
    store = Store.in_memory()
    if looked:
        store.check_writable()
    fill_database(store)
    for _ in range(3):
        with pytest.raises(StoreError, match="full"):
            store.check_writable()
    assert store.active_freeze() is None, "what is there can still be read"
    empty_database(store)
    store.check_writable()
