"""The service behind the console: what concerns others is neither seen there nor done, whatever is kept in one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console.approvals_view import view_approval, view_approvals
from saasus_mcp.hosting.console.audit_search import AuditFilter, search_page
from saasus_mcp.hosting.console.audit_view import view_audit
from saasus_mcp.hosting.console.policy_view import view_policy
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText, ProfileContext
from saasus_mcp.hosting.console.signin_sessions import LocalSessions
from saasus_mcp.hosting.console.tools_view import view_tools
from saasus_mcp.hosting.console.views import PageRequest, View, view_access, view_limits, view_secrets
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.job_records import JobGrant, JobPause
from saasus_mcp.store.records import BudgetCost, Commitment, Freeze
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW, pending_approval

OWNER = Approver("local:me", is_owner=True)
OPERATOR = Approver("token:olga", frozenset({"operators"}))
TESTER = Approver("token:tina", frozenset({"testers"}))
ASKED = pending_approval(principal="token:bob", profile="production")


@contextmanager
def refused(message_id: str) -> Iterator[None]:
    with pytest.raises(CallRefused) as caught:
        yield
    assert caught.value.message.id == message_id


@pytest.fixture
def service(catalogue: Catalogue, store: Store) -> ConsoleService:
    """Before two profiles with the same SaaS, and so with one store; each has people of its own."""
    contexts = [
        ProfileContext("production", frozenset({"operators"}), lambda: store, "production", "saas"),
        ProfileContext("staging", frozenset({"testers"}), lambda: store, "staging", "saas"),
    ]
    return ConsoleService(
        list_contexts=lambda: contexts,
        catalogue=catalogue,
        policy=PRESETS["guarded"],
        read_policy=lambda: PolicyText(""),
        encryptor=Encryptor.ephemeral(),
        clock=lambda: NOW,
    )


def test_of_two_profiles_in_one_store_each_persons_own_is_seen_and_decided(
    service: ConsoleService, store: Store
) -> None:
    store.request_approval(ASKED, 5)
    store.request_approval(replace(ASKED, code="WXYZ-6789", binding="1" * 64, profile="staging"), 5)
    assert [found.record.code for found in service.list_approvals(OPERATOR)] == ["ABCD-2345"]
    with refused("hosting.unknown_approval"):
        service.approve(OPERATOR, "WXYZ-6789", "Harbor Lights Inc.")
    with refused("hosting.unknown_approval"):
        service.reject(OPERATOR, "WXYZ-6789", "")
    assert [each.status for each in store.list_approvals(NOW)] == ["pending", "pending"]


def test_everything_is_frozen_by_the_owner_of_the_machine_alone(service: ConsoleService) -> None:
    frozen: list[Freeze | None] = []
    service = replace(service, freeze_all=frozen.append)
    actions: list[Callable[[Approver], None]] = [
        lambda who: service.freeze(who, "", "an incident"),
        lambda who: service.unfreeze(who, ""),
    ]
    for action in actions:
        with refused("hosting.unknown_profile"):
            action(OPERATOR)
    assert frozen == []
    for action in actions:
        action(OWNER)
    assert frozen == [Freeze(NOW, "local:me", "an incident"), None]


def test_a_freeze_of_everything_is_recorded_once_and_seen_by_the_owner_alone(
    service: ConsoleService, store: Store
) -> None:
    common = Store.in_memory()
    service = replace(service, freeze_all=lambda _: None, common_store=lambda: common)
    service.freeze(OWNER, "", "an incident")
    service.unfreeze(OWNER, "")
    service.freeze(OPERATOR, "production", "here only")
    assert [(record["action"], record["via"]) for record in common.audit_log.list_records()] == [
        ("freeze", "console"),
        ("unfreeze", "console"),
    ]
    assert [(record["action"], record["profile"]) for record in store.audit_log.list_records()] == [
        ("freeze", "production")
    ]
    assert [context.name for context in service.audit_contexts(OWNER)] == ["production", "staging", "decisions"]
    assert [context.name for context in service.audit_contexts(OPERATOR)] == ["production"]
    common.close()


def test_a_freeze_whose_end_cannot_be_recorded_stays(
    service: ConsoleService, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="The disk is full")

    monkeypatch.setattr(store, "record_decision", full)
    with pytest.raises(StoreError):
        service.freeze(OPERATOR, "production", "an incident")
    assert store.active_freeze() is not None, "a freeze holds though it could not be recorded"
    with pytest.raises(StoreError):
        service.unfreeze(OPERATOR, "production")
    assert store.active_freeze() is not None


def test_a_freeze_of_everything_whose_end_cannot_be_recorded_stays(
    service: ConsoleService, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything: list[Freeze | None] = []
    common = Store.in_memory()
    service = replace(service, freeze_all=everything.append, common_store=lambda: common)
    store.freeze(Freeze(NOW, "local:me", "an incident"))

    def full(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="The disk is full")

    monkeypatch.setattr(common, "record_decision", full)
    with pytest.raises(StoreError):
        service.freeze(OWNER, "", "an incident")
    assert everything == [Freeze(NOW, "local:me", "an incident")], "a freeze holds though it could not be recorded"
    with pytest.raises(StoreError):
        service.unfreeze(OWNER, "")
    assert everything[1:] == []
    assert store.active_freeze() is not None
    common.close()


def test_a_freeze_of_one_profile_outlasts_that_of_everything(service: ConsoleService, store: Store) -> None:
    service.freeze(OPERATOR, "production", "an incident")
    local = replace(service, freeze_all=lambda _: None)
    local.unfreeze(OWNER, "")
    assert [each.profile for each in store.active_freezes()] == ["production"]
    local.unfreeze(OWNER, "production")
    assert store.active_freezes() == []


@pytest.mark.parametrize("who", [OWNER, OPERATOR])
def test_a_job_that_the_model_paused_is_a_persons_to_resume_after_a_freeze(
    service: ConsoleService, store: Store, who: Approver
) -> None:
    service = replace(service, freeze_all=lambda _: None, common_store=Store.in_memory)
    grant = JobGrant("job_import_users", "token:bob", "production", "plan", "confirmation", "x", False, {"s": "d"}, 9)
    store.commit("f" * 32, {}, NOW, commitment=Commitment(writes=True, profile="production", grant=grant))
    store.pause_job("f" * 32, JobPause(NOW, "token:bob", "model"), {"action": "pause"})
    service.freeze(OPERATOR, "production", "an incident")
    service.unfreeze(who, "" if who is OWNER else "production")
    job = store.jobs.get("f" * 32)
    assert job is not None
    assert job.pause is not None
    assert job.pause.side == "freeze"


def test_an_approver_freezes_and_unfreezes_their_own_profile_alone(service: ConsoleService, store: Store) -> None:
    service.freeze(OPERATOR, "production", "an incident")
    service.freeze(TESTER, "staging", "a drill")
    store.freeze(Freeze(NOW, "local:root", "everything"))
    with refused("hosting.unknown_profile"):
        service.unfreeze(TESTER, "production")
    with refused("hosting.unknown_profile"):
        service.freeze(TESTER, "production", "")
    service.unfreeze(TESTER, "staging", "production")
    service.unfreeze(TESTER, "staging", "")
    assert [each.profile for each in store.active_freezes()] == ["", "production"]
    service.unfreeze(OPERATOR, "production")
    assert [each.profile for each in store.active_freezes()] == [""]


def test_the_owner_of_the_machine_lifts_each_freeze_of_a_store_that_several_profiles_share(
    service: ConsoleService, store: Store
) -> None:
    everything: list[Freeze | None] = []
    context = ProfileContext("saas", frozenset(), lambda: store)
    local = replace(service, list_contexts=lambda: [context], freeze_all=everything.append)
    for name in ("", "production", "staging"):
        store.freeze(Freeze(NOW, "token:olga", "", name))
    local.unfreeze(OWNER, "saas", "staging")
    assert [each.profile for each in store.active_freezes()] == ["", "production"]
    local.unfreeze(OWNER, "saas")
    assert [each.profile for each in store.active_freezes()] == ["production"]


def test_no_page_shows_an_approver_anything_of_another_profile(service: ConsoleService, store: Store) -> None:
    """Everything that a store keeps is there twice, once for each profile; only one of the two may be seen."""
    for who, profile, code in (("token:bob", "production", "ABCD-2345"), ("token:eve", "staging", "WXYZ-6789")):
        cost = BudgetCost(who, "writes", 1, 10, 60)
        record = {"principal": who, "profile": profile, "operation": f"auth.{profile}"}
        store.commit(f"call-{profile}", record, NOW, commitment=Commitment(writes=True, profile=profile, costs=(cost,)))
        store.request_approval(replace(ASKED, code=code, binding=code, principal=who, profile=profile, name=who), 5)
        store.freeze(Freeze(NOW, who, f"reason of {who}", profile))
    session = ConsoleSession(OPERATOR, "", NOW, NOW + 1)
    pages: dict[str, View] = {
        "approvals": view_approvals,
        "approval": view_approval,
        "audit": view_audit,
        "limits": view_limits,
    }
    pages |= {
        "tools": view_tools,
        "policy": view_policy,
        "secrets": view_secrets,
        "access": lambda page: view_access(LocalSessions(), page),
    }
    shown = {}
    for name, view in pages.items():
        query, path = {"profile": "staging", "verify": "1"}, {"code": "WXYZ-6789"}
        asked = PageRequest(service, query, path, session, Reader.of("en"))
        shown[name] = view(asked)
    assert shown["approval"] is None
    for name, page in shown.items():
        text = repr({key: value for key, value in page.values.items() if key != "contexts"}) if page else ""
        assert not {"token:eve", "staging", "WXYZ"} & set(re.findall(r"token:eve|staging|WXYZ", text)), name
    shown["audit"] = view_audit(PageRequest(service, {"verify": "1"}, {}, session, Reader.of("en")))
    for name in ("approvals", "audit", "limits"):
        assert "token:bob" in repr(shown[name]), name


def test_a_rare_record_is_looked_for_piece_by_piece_and_none_is_passed_over(
    service: ConsoleService, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.hosting.console.audit_search.SCAN_LIMIT", 3)
    store.record_refusal("rare", {"principal": "token:eve", "profile": "production"}, NOW)
    for number in range(7):
        store.record_refusal(f"common-{number}", {"principal": "token:bob", "profile": "production"}, NOW)
    [context] = service.contexts_of(OPERATOR)
    wanted = AuditFilter(WordSearch(""), since=0.0, principal="eve")
    looked = [search_page(service, context, wanted, None)]
    while (older := looked[-1][1]) is not None:
        looked.append(search_page(service, context, wanted, older))
    assert [[entry.record["call"] for entry in found] for found, _ in looked] == [[], [], ["rare"]]


@pytest.mark.parametrize("day", ["nan", "2026-13-01", "0001-01-01", "9999-12-31", "x"])
def test_an_invalid_day_becomes_the_default(service: ConsoleService, day: str) -> None:
    session = ConsoleSession(OPERATOR, "", NOW, NOW + 1)
    shown = view_audit(PageRequest(service, {"from": day, "to": day}, {}, session, Reader.of("en")))
    assert (shown.values["wanted"]["from"], shown.values["wanted"]["to"]) == ("2026-09-14", "")
