"""The directory of people, filled by the audit log."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from saasus_mcp.common.person import Person
from saasus_mcp.store.database import retention
from saasus_mcp.store.errors import WritesFrozen
from saasus_mcp.store.records import AUDIT_DAYS, DAY, Commitment, Freeze
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW

HANAKO = Person("佐藤花子", "hanako@example.jp")


def record_of(principal: str = "oidc:idp|1", person: Person = HANAKO) -> Mapping[str, str]:
    return {"operation": "auth.GetRoles", "principal": principal, "profile": "p", **person.to_audit()}


def test_a_call_makes_its_person_known(store: Store) -> None:
    store.commit("c1", record_of(), NOW)
    store.commit("c2", record_of("token:bob", Person()), NOW)
    assert store.audit_log.people.find(["oidc:idp|1", "token:bob", "nobody"]) == {"oidc:idp|1": HANAKO}


def test_the_latest_name_counts(store: Store) -> None:
    store.commit("c1", record_of(), NOW)
    married = Person("鈴木花子", HANAKO.email)
    store.record_refusal("c2", record_of(person=married), NOW + 1)
    assert store.audit_log.people.find(["oidc:idp|1"]) == {"oidc:idp|1": married}


@pytest.mark.parametrize("less", [Person(HANAKO.name), Person("", HANAKO.email)])
def test_a_record_that_says_less_takes_nothing_away(store: Store, less: Person) -> None:
    store.commit("c1", record_of(), NOW)
    store.commit("c2", record_of(person=less), NOW + 2 * DAY)
    assert store.audit_log.people.find(["oidc:idp|1"]) == {"oidc:idp|1": HANAKO}


def test_a_person_whose_call_was_not_committed_is_written_with_the_next(store: Store) -> None:
    store.freeze(Freeze(NOW, "me", "", profile="p"))
    with pytest.raises(WritesFrozen):
        store.commit("c1", record_of(), NOW, commitment=Commitment(writes=True, profile="p"))
    store.record_decision({"action": "reveal", **record_of()}, NOW)
    assert store.audit_log.people.find(["oidc:idp|1"]) == {"oidc:idp|1": HANAKO}


@pytest.mark.parametrize(("days", "known"), [(AUDIT_DAYS - 1, True), (AUDIT_DAYS + 1, False)])
def test_somebody_who_is_not_seen_any_longer_is_forgotten(store: Store, days: int, known: bool) -> None:
    store.commit("c1", record_of(), NOW)
    with store._database.transaction() as connection:
        retention.purge_expired(connection, NOW + days * DAY)
    assert bool(store.audit_log.people.find(["oidc:idp|1"])) == known
