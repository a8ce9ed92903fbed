"""The rejection of an approval of a list holds for each of its calls, on each database."""

from __future__ import annotations

from saasus_mcp.store.database.retention import purge_expired
from saasus_mcp.store.database.schema import covered_calls
from saasus_mcp.store.records import DAY, UNDO_LOG_DAYS
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval

PARTS = ["a" * 64, "b" * 64]


def reject_list(store: Store, until: float) -> None:
    assert store.request_approval(pending_approval(), 5, [*PARTS, *PARTS]) is not None
    store.decide_approval("ABCD-2345", "rejected", by="local:me", at=NOW, retry_at=until)


def test_a_rejected_list_is_found_by_each_of_its_calls_until_its_end(store: Store) -> None:
    reject_list(store, NOW + 600)
    own = pending_approval().subject
    for subject in (*PARTS, own):
        found = store.find_rejected(subject, NOW + 599)
        assert found is not None
        assert found.code == "ABCD-2345"
        assert store.find_rejected(subject, NOW + 600) is None
    assert set(store.list_rejected("local:me", NOW + 599)) == {*PARTS, own}
    assert store.list_rejected("local:me", NOW + 600) == {}
    assert store.list_rejected("local:other", NOW) == {}
    assert store.find_rejected("c" * 64, NOW) is None


def test_a_request_for_a_call_of_a_rejected_list_gets_the_rejection(store: Store) -> None:
    reject_list(store, NOW + 600)
    again = pending_approval(code="WXYZ-6789", binding="d" * 64, subject=PARTS[1])
    answer = store.request_approval(again, 5)
    assert answer is not None
    assert (answer.code, answer.status) == ("ABCD-2345", "rejected")


def test_a_list_that_is_pending_or_approved_stops_none_of_its_calls(store: Store) -> None:
    assert store.request_approval(pending_approval(), 5, PARTS) is not None
    assert store.find_rejected(PARTS[0], NOW) is None
    assert store.decide_approval("ABCD-2345", "approved", by="local:other", at=NOW)
    assert store.find_rejected(PARTS[0], NOW) is None
    assert store.list_rejected("local:me", NOW) == {}


def test_the_calls_of_a_list_are_kept_as_long_as_its_approval(store: Store) -> None:
    reject_list(store, NOW + 600)
    with store.audit_log.write_transaction() as connection:
        purge_expired(connection, NOW)
        assert len(connection.execute(covered_calls.select()).all()) == len(PARTS)
        purge_expired(connection, NOW + 900 + (UNDO_LOG_DAYS + 1) * DAY)
        assert connection.execute(covered_calls.select()).all() == []
