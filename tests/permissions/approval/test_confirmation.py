"""Judging a reply: a yes to exactly the question that was asked, in time, or a refusal that says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.confirmation import (
    CONFIRMATION_LIFETIME,
    MIN_READING_SECONDS,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
    ConfirmationService,
    StaleAnswer,
    UnattendedAnswer,
)
from saasus_mcp.permissions.approval.proof import Binding, Proof
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.question.stored_question import explain_stale_question
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.records import CLOCK_TOLERANCE, DAY

NOW = 1_790_000_000.0
LATER = NOW + 10
"""When a person has read the question."""
BINDING = Binding("auth.DeleteTenantUser", "r" * 64, "local:me", "default", "saas")
SIGHT = TargetSnapshot("Café 株式会社", {"target.id": "t-1", "target.name": "Café 株式会社"})
TYPED = ConfirmationPrompt("Delete?", SIGHT.name)
PLAIN = ConfirmationPrompt("Go ahead?", None)


@pytest.fixture
def confirmations() -> ConfirmationService:
    return ConfirmationService(Encryptor.ephemeral())


def accepted(**content: Any) -> ClientAnswer:
    return ClientAnswer("accept", content)


def refused(
    confirmations: ConfirmationService, reply: ConfirmationReply, binding: Binding = BINDING, now: float = LATER
) -> str:
    with pytest.raises(CallRefused) as caught:
        confirmations.verify_reply(reply, binding, SIGHT, now)
    assert caught.value.hint
    return caught.value.reason


def test_the_right_name_is_a_proof_by_who_called(confirmations: ConfirmationService) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    proof = confirmations.verify_reply(
        ConfirmationReply(accepted(name=SIGHT.name), state), BINDING, SIGHT, NOW + CONFIRMATION_LIFETIME - 1
    )
    assert isinstance(proof, Proof)
    assert (proof.use.kind, proof.by) == ("confirmation", "local:me")


def test_each_question_has_a_proof_of_its_own(confirmations: ConfirmationService) -> None:
    reply = accepted(name=SIGHT.name)
    states = [confirmations.seal_question(BINDING, TYPED, SIGHT, NOW) for _ in range(20)]
    proofs = [confirmations.verify_reply(ConfirmationReply(reply, state), BINDING, SIGHT, NOW) for state in states]
    assert len({proof.use.id for proof in proofs if isinstance(proof, Proof)}) == 20


@pytest.mark.parametrize(
    "typed", ["Café 株式会社", "  Café 株式会社\n", "Cafe\u0301 株式会社", "Café   株式会社", "Café\u3000株式会社"]
)
def test_a_name_is_compared_as_people_write_it(confirmations: ConfirmationService, typed: str) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    assert isinstance(
        confirmations.verify_reply(ConfirmationReply(accepted(name=typed), state), BINDING, SIGHT, NOW), Proof
    )


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": ""},
        {"name": "café 株式会社"},
        {"name": "CAFÉ 株式会社"},
        {"name": "Cafe 株式会社"},
        {"name": "Café"},
        {"name": "Ｃａｆé 株式会社"},
        {"name": "Café ㍿"},
        {"name": "Café 株式会社 "[:-2]},
        {"name": ["Café 株式会社"]},
        {"name": {"name": "Café 株式会社"}},
        {"name": True},
        {"name": None},
        {"confirm": True},
        {"Name": "Café 株式会社"},
    ],
    ids=repr,
)
def test_anything_but_the_name_is_a_no(confirmations: ConfirmationService, content: dict[str, Any]) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, ConfirmationReply(ClientAnswer("accept", content), state)) == "declined"


@pytest.mark.parametrize("value", [False, None, 1, "true", "yes", [True], {"confirm": True}], ids=repr)
def test_anything_but_a_ticked_box_is_a_no(confirmations: ConfirmationService, value: Any) -> None:
    state = confirmations.seal_question(BINDING, PLAIN, SIGHT, NOW)
    assert refused(confirmations, ConfirmationReply(accepted(confirm=value), state)) == "declined"
    assert isinstance(
        confirmations.verify_reply(ConfirmationReply(accepted(confirm=True), state), BINDING, SIGHT, NOW), Proof
    )


def test_a_no_is_a_no_whatever_was_typed(confirmations: ConfirmationService) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, ConfirmationReply(ClientAnswer("decline", {"name": SIGHT.name}), state)) == "declined"


@pytest.mark.parametrize(
    ("answer", "seconds", "why"),
    [
        (ClientAnswer("cancel"), 0.2, "client_cancel"),
        (ClientAnswer("cancel"), 300.0, "client_cancel"),
        (ClientAnswer("failed"), 300.0, "client_failed"),
        (ClientAnswer("decline"), 0.0, "fast_no"),
        (ClientAnswer("decline"), MIN_READING_SECONDS - 0.01, "fast_no"),
        (ClientAnswer("decline"), -3600.0, "fast_no"),
        (ClientAnswer("decline"), MIN_READING_SECONDS, "declined"),
        (accepted(), 0.1, "fast_no"),
        (accepted(name="yes"), 0.1, "fast_no"),
        (accepted(name="yes"), MIN_READING_SECONDS, "declined"),
        (ClientAnswer("cancel", at_terminal=True), 0.1, "declined"),
        (ClientAnswer("decline", at_terminal=True), 0.1, "declined"),
        (ClientAnswer("accept", {"name": "x"}, at_terminal=True), 0.1, "declined"),
    ],
    ids=repr,
)
def test_a_no_is_a_persons_only_where_one_had_time_to_read(
    confirmations: ConfirmationService, answer: ClientAnswer, seconds: float, why: str
) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    with pytest.raises(CallRefused) as caught:
        confirmations.verify_reply(ConfirmationReply(answer, state), BINDING, SIGHT, NOW + seconds)
    assert caught.value.reason == why
    assert isinstance(caught.value, UnattendedAnswer) == (why != "declined")
    assert ("person chose" in str(caught.value.message)) == (
        answer.action in ("decline", "cancel") and why == "declined"
    )


def test_a_no_to_no_question_of_ours_is_nobodys(confirmations: ConfirmationService) -> None:
    for state in (None, "x", ConfirmationService(Encryptor.ephemeral()).seal_question(BINDING, TYPED, SIGHT, NOW)):
        with pytest.raises(UnattendedAnswer):
            confirmations.require_not_declined(ConfirmationReply(ClientAnswer("decline"), state), NOW + 100)


@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, operation="auth.DeleteTenant"),
        replace(BINDING, request="s" * 64),
        replace(BINDING, principal="local:you"),
        replace(BINDING, profile="production"),
        replace(BINDING, saas_id="other"),
    ],
    ids=["operation", "request", "principal", "profile", "saas"],
)
def test_a_yes_is_bound_to_the(confirmations: ConfirmationService, other: Binding) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, ConfirmationReply(accepted(name=SIGHT.name), state), other) == "unasked"


@pytest.mark.parametrize("state", [None, "", "x", "null"])
def test_a_reply_to_no_question_is_refused(confirmations: ConfirmationService, state: str | None) -> None:
    assert refused(confirmations, ConfirmationReply(accepted(name=SIGHT.name), state)) == "unasked"


def test_a_question_of_another_server_is_refused(confirmations: ConfirmationService) -> None:
    foreign = ConfirmationService(Encryptor.ephemeral()).seal_question(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, ConfirmationReply(accepted(name=SIGHT.name), foreign)) == "unasked"


@pytest.mark.parametrize(
    "seconds", [-DAY, -CLOCK_TOLERANCE - 1, CONFIRMATION_LIFETIME, CONFIRMATION_LIFETIME + 1, 10**9]
)
def test_a_question_ends_and_is_void_if_it_was_asked_while_the_clock_was_ahead(
    confirmations: ConfirmationService, seconds: float
) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, ConfirmationReply(accepted(name=SIGHT.name), state), now=NOW + seconds) == "expired"


def test_a_target_that_changed_wants_another_question_even_for_the_right_name(
    confirmations: ConfirmationService,
) -> None:
    state = confirmations.seal_question(BINDING, TYPED, SIGHT, NOW)
    reply = ConfirmationReply(accepted(name=SIGHT.name), state)
    for changed in (
        replace(SIGHT, fields={**SIGHT.fields, "target.id": "t-2"}),
        replace(SIGHT, fields={}),
        replace(SIGHT, read_error="HTTP 500"),
    ):
        assert confirmations.verify_reply(reply, BINDING, changed, NOW) == StaleAnswer(SIGHT.encoded)
    assert isinstance(confirmations.verify_reply(reply, BINDING, SIGHT, NOW), Proof)


def test_a_name_that_is_wanted_now_is_asked_for_and_no_change_of_the_target_is_claimed(
    confirmations: ConfirmationService,
) -> None:
    state = confirmations.seal_question(BINDING, PLAIN, SIGHT, NOW)
    ruled = confirmations.verify_reply(
        ConfirmationReply(accepted(confirm=True), state), BINDING, SIGHT, NOW, typed=True
    )
    assert isinstance(ruled, StaleAnswer)
    assert explain_stale_question(ruled.snapshot, SIGHT) == (message("question.policy_stricter").both(),)


def test_a_binding_has_one_digest_for_what_it_says_and_another_for_anything_else() -> None:
    assert BINDING.digest() == replace(BINDING).digest()
    moved = replace(BINDING, profile="defaults", saas_id="aas")
    assert len({BINDING.digest(), moved.digest(), replace(BINDING, profile="").digest()}) == 3
