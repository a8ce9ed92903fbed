"""Approvals by the clock: asked for, found by code, approved or rejected once, over when their time is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.approvals import (
    APPROVAL_LIFETIME,
    CODE_ALPHABET,
    MAX_PENDING,
    WAIT_AFTER_REJECTION,
    ApprovalService,
)
from saasus_mcp.permissions.approval.proof import Binding, Destination, Proof
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store

NOW = 1_790_000_000.0
BINDING = Binding("auth.DeleteTenant", "r" * 64, "local:me", "default", "saas")
SIGHT = TargetSnapshot("Acme 株式会社", {"target.id": "t-1"})
QUESTION = Question(
    "auth_delete_tenant", Text("Delete Acme", "Acmeを削除"), SIGHT.name, Destination("default", "saas"), "local:me"
)


@pytest.fixture
def approvals(store: Store) -> ApprovalService:
    return ApprovalService(store)


def settle(
    approvals: ApprovalService, now: float = NOW, binding: Binding = BINDING, sight: TargetSnapshot = SIGHT
) -> tuple[Proof | None, Approval]:
    return approvals.obtain_proof(binding, sight, QUESTION, now)


def test_an_approval_says_all_that_a_person_needs(approvals: ApprovalService) -> None:
    proof, approval = settle(approvals)
    assert proof is None
    assert (approval.status, approval.operation, approval.principal) == ("pending", "auth.DeleteTenant", "local:me")
    shown = Question.from_json(approval.preview)
    assert (approval.name, shown.headline) == (SIGHT.name, QUESTION.headline)
    assert shown.typed == Text(SIGHT.name, SIGHT.name)
    assert (approval.requested_at, approval.expires_at) == (NOW, NOW + APPROVAL_LIFETIME)
    assert approvals.store.list_approvals(NOW) == [approval]


def test_codes_are_short_readable_and_all_different(approvals: ApprovalService) -> None:
    codes = set()
    for number in range(200):
        binding = replace(BINDING, principal=f"local:{number}")
        codes.add(settle(approvals, binding=binding)[1].code)
    assert len(codes) == 200
    for code in codes:
        assert (len(code), code[4]) == (9, "-")
        assert set(code) <= {*CODE_ALPHABET, "-"}
    assert not set("01OIL") & set(CODE_ALPHABET) - {"L"}


@pytest.mark.parametrize("typed", ["{}", " {} ", "{}\n"])
def test_a_code_is_found_however_it_is_typed(approvals: ApprovalService, typed: str) -> None:
    approval = settle(approvals)[1]
    for code in (approval.code, approval.code.lower(), approval.code.replace("-", "")):
        assert approvals.find_pending(typed.format(code), NOW) == approval


@pytest.mark.parametrize("typed", ["", "ZZZZ-9999", "*", "%", "' OR 1=1 --"])
def test_a_code_that_nobody_was_given_is_not_found(approvals: ApprovalService, typed: str) -> None:
    settle(approvals)
    with pytest.raises(CallRefused, match="No approval"):
        approvals.find_pending(typed, NOW)


def test_an_approved_call_has_a_proof_by_who_approved(approvals: ApprovalService) -> None:
    approval = settle(approvals)[1]
    approvals.approve(approval, " Acme   株式会社 ", "local:person", NOW + 60)
    proof, found = settle(approvals, NOW + 60)
    assert proof is not None
    assert (proof.use.kind, proof.use.id, proof.by) == ("approval", approval.code, "local:person")
    assert found.expires_at == NOW + 60 + APPROVAL_LIFETIME


@pytest.mark.parametrize("typed", ["", "acme 株式会社", "Acme", "t-1", "yes"])
def test_another_name_approves_nothing(approvals: ApprovalService, typed: str) -> None:
    approval = settle(approvals)[1]
    with pytest.raises(CallRefused, match="not the target's name"):
        approvals.approve(approval, typed, "local:person", NOW)
    assert settle(approvals)[0] is None


def test_a_decision_is_made_once(approvals: ApprovalService) -> None:
    approval = settle(approvals)[1]
    approvals.approve(approval, SIGHT.name, "local:person", NOW)
    for again in (
        lambda: approvals.approve(approval, SIGHT.name, "local:other", NOW),
        lambda: approvals.reject(approval, "local:other", NOW),
        lambda: approvals.find_pending(approval.code, NOW),
    ):
        with pytest.raises(CallRefused):
            again()
    assert approvals.store.list_approvals(NOW)[0].decided_by == "local:person"


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 10), (1, 10), (60, 9), (WAIT_AFTER_REJECTION - 1, 1)])
def test_a_rejected_call_says_how_long_it_waits(approvals: ApprovalService, seconds: int, minutes: int) -> None:
    approvals.reject(settle(approvals)[1], "local:person", NOW, "too risky")
    with pytest.raises(CallRefused) as caught:
        settle(approvals, NOW + seconds)
    assert caught.value.reason == "rejected"
    assert "too risky" in str(caught.value.message)
    assert f"in {minutes} minute{'s' if minutes > 1 else ''}." in str(caught.value.hint)


def test_a_rejected_call_waits_even_if_its_target_changed(approvals: ApprovalService) -> None:
    approvals.reject(settle(approvals)[1], "local:person", NOW)
    with pytest.raises(CallRefused):
        settle(approvals, sight=replace(SIGHT, fields={"target.id": "t-2"}))


@pytest.mark.parametrize("seconds", [0, WAIT_AFTER_REJECTION - 1])
def test_a_rejection_holds_back_the_variations_of_the_call_too(approvals: ApprovalService, seconds: int) -> None:
    approvals.reject(settle(approvals)[1], "local:person", NOW, "too risky")
    with pytest.raises(CallRefused, match=r"a variation of this call.*too risky") as caught:
        settle(approvals, NOW + seconds, binding=replace(BINDING, request="s" * 64))
    assert caught.value.reason == "rejected"
    assert settle(approvals, NOW + WAIT_AFTER_REJECTION, binding=replace(BINDING, request="s" * 64))[0] is None


@pytest.mark.parametrize(
    "other",
    [{"target": "t-2"}, {"operation": "auth.DeleteSaasUser"}, {"principal": "local:you"}, {"profile": "staging"}],
    ids=str,
)
def test_a_rejection_holds_back_nothing_else(approvals: ApprovalService, other: dict[str, str]) -> None:
    approvals.reject(settle(approvals)[1], "local:person", NOW)
    assert settle(approvals, binding=replace(BINDING, request="s" * 64, **other))[1].status == "pending"


def test_a_yes_to_one_variation_holds_though_another_was_rejected(approvals: ApprovalService) -> None:
    other = replace(BINDING, request="s" * 64)
    one, two = settle(approvals)[1], settle(approvals, binding=other)[1]
    approvals.reject(one, "local:person", NOW)
    approvals.approve(two, SIGHT.name, "local:person", NOW)
    assert settle(approvals, NOW + 1, binding=other)[0] is not None
    with pytest.raises(CallRefused, match="rejected this call"):
        settle(approvals, NOW + 1)


def test_a_rejection_stays_one_when_its_wait_is_over(approvals: ApprovalService) -> None:
    approvals.reject(settle(approvals)[1], "local:person", NOW)
    for later in (NOW + WAIT_AFTER_REJECTION, NOW + 30 * 86_400):
        assert [each.status for each in approvals.store.list_approvals(later)] == ["rejected"]
    assert settle(approvals, NOW + WAIT_AFTER_REJECTION)[1].status == "pending"


@pytest.mark.parametrize("approve", [True, False])
def test_a_changed_target_voids_what_was_asked_or_approved(approvals: ApprovalService, approve: bool) -> None:
    approval = settle(approvals)[1]
    if approve:
        approvals.approve(approval, SIGHT.name, "local:person", NOW)
    changed = replace(SIGHT, fields={"target.id": "t-2"})
    proof, renewed = settle(approvals, sight=changed)
    assert proof is None
    assert renewed.code != approval.code
    assert settle(approvals, sight=changed)[1].code == renewed.code
    assert {one.code: one.status for one in approvals.store.list_approvals(NOW)} == {
        approval.code: "stale",
        renewed.code: "pending",
    }


def test_a_target_that_keeps_changing_does_not_fill_the_list(approvals: ApprovalService) -> None:
    for turn in range(MAX_PENDING * 3):
        settle(approvals, sight=replace(SIGHT, fields={"turn": turn}))
    assert sum(one.status == "pending" for one in approvals.store.list_approvals(NOW)) == 1


def test_too_many_pending_are_refused_with_a_hint(approvals: ApprovalService) -> None:
    for number in range(MAX_PENDING):
        settle(approvals, binding=replace(BINDING, request=f"{number}" * 64))
    with pytest.raises(CallRefused) as caught:
        settle(approvals)
    assert caught.value.reason == "flooded"
    assert settle(approvals, NOW + APPROVAL_LIFETIME)[1].status == "pending"


def test_an_approval_that_another_version_asked_for_in_another_form_is_asked_for_again(store: Store) -> None:
    approvals = ApprovalService(store)
    _, first = settle(approvals)
    older = replace(first, code="AAAA-2222", preview='{"en": "Delete Acme", "ja": "Acmeを削除"}')
    store.void_approval(first.code)
    assert store.request_approval(older, MAX_PENDING) == older
    approvals.approve(older, SIGHT.name, "local:person", NOW)
    proof, second = settle(approvals)
    assert proof is None
    assert second.code not in (first.code, older.code)
    assert Question.from_json(second.preview).headline == QUESTION.headline
