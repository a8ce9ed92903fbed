"""No single change of what is kept of the audit goes unnoticed by a verification, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, delete, insert, select, update

from saasus_mcp.store.database.schema import audit, keys, purged
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores
from tests.support.databases import open_stores

NOW = 1_790_000_000.0
LAST = "the last call"
ANOTHER = {"number": 77, "at": NOW + 0.5, "purge_number": 99}
"""What a number is changed into; a text is changed into another of its kind."""


@dataclass(frozen=True)
class Pair:
    """Two SaaS, each with the chains of several writers, one of them purged in part and one as a whole."""

    one: Store
    other: Store


@pytest.fixture
def pair(kept: Stores, where: Any) -> Iterator[Pair]:
    filled(kept, "one").close()
    filled(kept, "other").close()
    with (
        closing(open_stores(where)) as again,
        closing(again.open_saas("one")) as one,
        closing(again.open_saas("other")) as other,
    ):
        for store in (one, other):
            assert store.audit_log.purge(NOW + 5, by="local:me", at=NOW + 50) == 6
            store.commit("late", {"operation": "auth.GetRoles"}, NOW + 60)
        last(kept, "one")
        last(kept, "other")
        assert one.audit_log.find_breaks() == other.audit_log.find_breaks() == []
        yield Pair(one, other)


def last(kept: Stores, saas_id: str) -> None:
    """One more writer, whose chain nothing names: that its end was cut off only an exported head can show."""
    with closing(kept.open_saas(saas_id)) as store:
        store.commit(LAST, {"operation": "auth.GetRoles"}, NOW + 70)


def filled(kept: Stores, saas_id: str) -> Store:
    """Three writers; the first one's records are all older than the purge."""
    for writer in range(3):
        store = kept.open_saas(saas_id)
        for number in range(4):
            store.commit(f"c-{writer}-{number}", {"operation": "auth.GetTenants"}, NOW + writer * 3 + number)
        if writer < 2:
            store.close()
    return store


def rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    order = list(table.primary_key.columns)
    return [dict(row._mapping) for row in connection.execute(select(table).order_by(*order))]


def of(table: Table, row: dict[str, Any]) -> Any:
    return [column == row[column.name] for column in table.primary_key.columns]


def changed(name: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return ANOTHER[name]
    return ("0" if value[:1] != "0" else "1") + value[1:]


@pytest.mark.slow
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_change_of_one_row_mark_key_or_saas_is_found(pair: Pair, data: st.DataObject) -> None:
    with pair.one._database.transaction() as here, pair.other._database.transaction() as there:
        before = {table: rows(here, table) for table in (audit, purged, keys)}
        elsewhere = {table: rows(there, table) for table in (audit, purged, keys)}
    with pair.one._database.transaction() as here:
        tamper(here, before, elsewhere, data)
    found = pair.one.audit_log.find_breaks()
    assert pair.other.audit_log.find_breaks() == []
    with pair.one._database.transaction() as here:
        for table, were in before.items():
            here.execute(delete(table))
            here.execute(insert(table), were)
    assert pair.one.audit_log.find_breaks() == []
    assert found, "the change was not found"


def tamper(connection: Connection, here: Any, elsewhere: Any, data: st.DataObject) -> None:
    """One change that somebody could make who has the database and no key."""
    table = data.draw(st.sampled_from([audit, audit, audit, purged, purged, keys]), "table")
    row = data.draw(st.sampled_from(here[table]), "row")
    ways = ["change", "delete", "from elsewhere"] + (["swap", "copy"] if table is not keys else [])
    way = data.draw(st.sampled_from(ways), "way")
    assume(way != "delete" or row.get("call") != LAST)
    if way == "delete":
        connection.execute(delete(table).where(*of(table, row)))
    elif way == "change":
        column = data.draw(st.sampled_from([column.name for column in table.columns]), "column")
        connection.execute(update(table).where(*of(table, row)).values({column: changed(column, row[column])}))
    elif way == "from elsewhere":
        foreign = data.draw(st.sampled_from(elsewhere[table]), "foreign")
        connection.execute(delete(table).where(*of(table, row)))
        connection.execute(insert(table).values(foreign))
    elif way == "copy":
        place = {"writer": "f" * 16} | ({"number": 1} if table is audit else {})
        connection.execute(insert(table).values({**row, **place}))
    else:
        other = data.draw(st.sampled_from([each for each in here[table] if each != row]), "other")
        fixed = [column.name for column in table.primary_key.columns]
        connection.execute(
            update(table).where(*of(table, row)).values({k: v for k, v in other.items() if k not in fixed})
        )
        connection.execute(
            update(table).where(*of(table, other)).values({k: v for k, v in row.items() if k not in fixed})
        )
