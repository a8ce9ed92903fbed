"""The desk behind the console: what concerns others is neither seen there nor done, whatever is kept in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.console.audit import audit
from saasus_mcp.hosting.console.desk import Desk, Room, Written
from saasus_mcp.hosting.console.sessions import Approver, Session
from saasus_mcp.hosting.console.views import Asked
from saasus_mcp.permissions.policy import PRESETS
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Freeze, Store, StoreError
from tests.approvals import NOW, pending

OWNER = Approver("local:me", everywhere=True)
OPERATOR = Approver("token:olga", frozenset({"operators"}))
ASKED = pending(principal="token:bob", profile="production")


@pytest.fixture
def desk(catalogue: Catalogue, store: Store) -> Desk:
    """Before two profiles with the same SaaS, and so with one store; each has people of its own."""
    rooms = [
        Room("production", frozenset({"operators"}), lambda: store, "production", "saas"),
        Room("staging", frozenset({"testers"}), lambda: store, "staging", "saas"),
    ]
    return Desk(lambda: rooms, catalogue, PRESETS["guarded"], lambda: Written(""), Sealer.ephemeral(), lambda: NOW)


def test_of_two_profiles_in_one_store_each_persons_own_is_seen_and_decided(desk: Desk, store: Store) -> None:
    store.request_approval(ASKED, 5)
    store.request_approval(replace(ASKED, code="WXYZ-6789", binding="1" * 64, profile="staging"), 5)
    assert [found.approval.code for found in desk.asked(OPERATOR)] == ["ABCD-2345"]
    with pytest.raises(Refused, match="No approval with this code"):
        desk.approve(OPERATOR, "WXYZ-6789", "Acme")
    with pytest.raises(Refused, match="No approval with this code"):
        desk.reject(OPERATOR, "WXYZ-6789", "")
    assert [each.status for each in store.approvals(NOW)] == ["pending", "pending"]


def test_everything_is_frozen_by_the_owner_of_the_machine_alone(desk: Desk) -> None:
    frozen: list[Freeze | None] = []
    desk = replace(desk, everything=frozen.append)
    deeds: list[Callable[[Approver], None]] = [
        lambda who: desk.freeze(who, "", "an incident"),
        lambda who: desk.unfreeze(who, ""),
    ]
    for deed in deeds:
        with pytest.raises(Refused, match="no such profile"):
            deed(OPERATOR)
    assert frozen == []
    for deed in deeds:
        deed(OWNER)
    assert frozen == [Freeze(NOW, "local:me", "an incident"), None]


def test_a_freeze_of_everything_is_recorded_once_and_seen_by_the_owner_alone(desk: Desk, store: Store) -> None:
    common = Store.in_memory()
    desk = replace(desk, everything=lambda _: None, common=lambda: common)
    desk.freeze(OWNER, "", "an incident")
    desk.unfreeze(OWNER, "")
    desk.freeze(OPERATOR, "production", "here only")
    assert [(record["deed"], record["via"]) for record in common.audited()] == [
        ("freeze", "console"),
        ("unfreeze", "console"),
    ]
    assert [(record["deed"], record["profile"]) for record in store.audited()] == [("freeze", "production")]
    assert [room.name for room in desk.audited(OWNER)] == ["production", "staging", "decisions"]
    assert [room.name for room in desk.audited(OPERATOR)] == ["production"]
    common.close()


def test_what_cannot_be_recorded_stays_frozen(desk: Desk, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    monkeypatch.setattr(store, "decided", full)
    with pytest.raises(StoreError):
        desk.freeze(OPERATOR, "production", "an incident")
    assert store.frozen() is not None, "a freeze holds though it could not be recorded"
    with pytest.raises(StoreError):
        desk.unfreeze(OPERATOR, "production")
    assert store.frozen() is not None


def test_who_lets_everything_go_lets_every_profile_go_too(desk: Desk, store: Store) -> None:
    desk.freeze(OPERATOR, "production", "an incident")
    assert store.frozen() is not None
    replace(desk, everything=lambda _: None).unfreeze(OWNER, "")
    assert store.frozen() is None


def test_a_rare_record_is_looked_for_piece_by_piece_and_none_is_passed_over(
    desk: Desk, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.hosting.console.desk.LOOKED_AT", 3)
    store.refuse("rare", {"principal": "token:eve", "profile": "production"}, NOW)
    for number in range(7):
        store.refuse(f"common-{number}", {"principal": "token:bob", "profile": "production"}, NOW)
    [room] = desk.mine(OPERATOR)
    looked = [desk.audit(room, {"principal": "eve"}, 7.0, None)]
    while (older := looked[-1].older) is not None:
        looked.append(desk.audit(room, {"principal": "eve"}, 7.0, older))
    assert [[record["call"] for record in each.records] for each in looked] == [[], [], ["rare"]]


@pytest.mark.parametrize("days", ["nan", "inf", "-inf", "x"])
def test_a_number_of_days_that_is_none_is_the_usual_one(desk: Desk, days: str) -> None:
    shown = audit(desk, Asked({"days": days}, {}, Session(OPERATOR, "", NOW, NOW + 1), "en"))
    assert shown.values["wanted"]["days"] == "7"
