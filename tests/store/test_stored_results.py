"""Stored results: how many, how large, and how long."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.records import StoredResult
from saasus_mcp.store.store import Store
from saasus_mcp.store.stored_results import DELETE_EXPIRED, MAX_RESULT_BYTES, MAX_RESULTS, SIZES
from tests.support.approvals import NOW
from tests.support.databases import execute
from tests.support.saas_store import open_saas_store


def kept(number: int, size: int = 10, principal: str = "me") -> StoredResult:
    return StoredResult(f"r{number}", principal, "default", "auth.GetTenants", NOW + number, NOW + 1000, b"x" * size)


@pytest.mark.slow
def test_the_results_of_a_principal_are_bounded_in_number_and_size_and_the_newest_stay(store: Store) -> None:
    store.results.add(kept(0, principal="them"))
    for number in range(MAX_RESULTS + 5):
        store.results.add(kept(number + 1))
    mine = store.results.list_results("me", "default", NOW)
    assert [each.id for each in mine] == [f"r{number}" for number in range(MAX_RESULTS + 5, 5, -1)]
    assert {each.sealed for each in mine} == {b""}, "a list holds no answers"
    for number in (201, 202, 203):
        store.results.add(kept(number, MAX_RESULT_BYTES // 2 - 1))
    assert [each.id for each in store.results.list_results("me", "default", NOW)] == ["r203", "r202"]
    assert store.results.get("r203", "me", "default", NOW) == kept(203, MAX_RESULT_BYTES // 2 - 1)
    assert [each.id for each in store.results.list_results("them", "default", NOW)] == ["r0"]


def test_an_answer_whose_time_is_over_is_not_found(store: Store) -> None:
    store.results.add(kept(1))
    assert store.results.get("r1", "me", "default", NOW + 999) is not None
    assert store.results.get("r1", "me", "default", NOW + 1000) is None
    assert store.results.list_results("me", "default", NOW + 1000) == []
    assert store.results.get("r1", "me", "staging", NOW) is None


def test_expired_results_are_found_without_reading_the_others_in_a_store_of_an_earlier_release_too(
    tmp_path: Path,
) -> None:
    """A hundred results of 300 KB took 20 ms to read, for every large answer."""
    with closing(open_saas_store(tmp_path, "saas")) as store:
        execute(store, "DROP INDEX results_by_end")
    with closing(open_saas_store(tmp_path, "saas")) as store:
        assert "SEARCH results USING INDEX results_by_end (expires_at<?)" in plan(store, DELETE_EXPIRED, at=NOW)
        assert plan(store, SIZES, principal="me") == ["SEARCH results USING INDEX results_by_principal (principal=?)"]


def plan(store: Store, statement: PreparedStatement, **values: float | str) -> list[str]:
    """Return the steps by which SQLite executes a statement."""
    with store._database.transaction() as connection:
        sql, ordered = statement.compiled_sql(connection.dialect, values)
        return [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ordered)]
