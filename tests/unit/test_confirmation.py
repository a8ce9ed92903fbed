"""Judging a reply: a yes to exactly the question that was asked, in time, or a refusal that says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.permissions.confirmation import (
    LIFETIME,
    READING_SECONDS,
    Answer,
    Confirmations,
    NotAPerson,
    Outdated,
    Prompt,
    Reply,
)
from saasus_mcp.permissions.proof import Binding, Proof
from saasus_mcp.permissions.question.again import STRICTER, why_again
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.target import Sight

NOW = 1_790_000_000.0
LATER = NOW + 10
"""When a person has read the question."""
BINDING = Binding("auth.DeleteTenantUser", "r" * 64, "local:me", "default", "saas")
SIGHT = Sight("Café 株式会社", {"target.id": "t-1", "target.name": "Café 株式会社"})
TYPED = Prompt("Delete?", SIGHT.name)
PLAIN = Prompt("Go ahead?", None)


@pytest.fixture
def confirmations() -> Confirmations:
    return Confirmations(Sealer.ephemeral())


def accepted(**content: Any) -> Answer:
    return Answer("accept", content)


def refused(confirmations: Confirmations, reply: Reply, binding: Binding = BINDING, now: float = LATER) -> str:
    with pytest.raises(Refused) as caught:
        confirmations.settle(reply, binding, SIGHT, now)
    assert caught.value.mend
    return caught.value.why


def test_the_right_name_is_a_proof_by_who_called(confirmations: Confirmations) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    proof = confirmations.settle(Reply(accepted(name=SIGHT.name), state), BINDING, SIGHT, NOW + LIFETIME - 1)
    assert isinstance(proof, Proof)
    assert (proof.spend.kind, proof.by) == ("confirmation", "local:me")


def test_each_question_has_a_proof_of_its_own(confirmations: Confirmations) -> None:
    reply = accepted(name=SIGHT.name)
    states = [confirmations.ask(BINDING, TYPED, SIGHT, NOW) for _ in range(20)]
    proofs = [confirmations.settle(Reply(reply, state), BINDING, SIGHT, NOW) for state in states]
    assert len({proof.spend.id for proof in proofs if isinstance(proof, Proof)}) == 20


@pytest.mark.parametrize(
    "typed", ["Café 株式会社", "  Café 株式会社\n", "Cafe\u0301 株式会社", "Café   株式会社", "Café\u3000株式会社"]
)
def test_a_name_is_compared_as_people_write_it(confirmations: Confirmations, typed: str) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    assert isinstance(confirmations.settle(Reply(accepted(name=typed), state), BINDING, SIGHT, NOW), Proof)


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
def test_anything_but_the_name_is_a_no(confirmations: Confirmations, content: dict[str, Any]) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, Reply(Answer("accept", content), state)) == "declined"


@pytest.mark.parametrize("value", [False, None, 1, "true", "yes", [True], {"confirm": True}], ids=repr)
def test_anything_but_a_ticked_box_is_a_no(confirmations: Confirmations, value: Any) -> None:
    state = confirmations.ask(BINDING, PLAIN, SIGHT, NOW)
    assert refused(confirmations, Reply(accepted(confirm=value), state)) == "declined"
    assert isinstance(confirmations.settle(Reply(accepted(confirm=True), state), BINDING, SIGHT, NOW), Proof)


def test_a_no_is_a_no_whatever_was_typed(confirmations: Confirmations) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, Reply(Answer("decline", {"name": SIGHT.name}), state)) == "declined"


@pytest.mark.parametrize(
    ("answer", "seconds", "why"),
    [
        (Answer("cancel"), 0.2, "client_cancel"),
        (Answer("cancel"), 300.0, "client_cancel"),
        (Answer("failed"), 300.0, "client_failed"),
        (Answer("decline"), 0.0, "fast_no"),
        (Answer("decline"), READING_SECONDS - 0.01, "fast_no"),
        (Answer("decline"), -3600.0, "fast_no"),
        (Answer("decline"), READING_SECONDS, "declined"),
        (accepted(), 0.1, "fast_no"),
        (accepted(name="yes"), 0.1, "fast_no"),
        (accepted(name="yes"), READING_SECONDS, "declined"),
        (Answer("cancel", at_terminal=True), 0.1, "declined"),
        (Answer("decline", at_terminal=True), 0.1, "declined"),
        (Answer("accept", {"name": "x"}, at_terminal=True), 0.1, "declined"),
    ],
    ids=repr,
)
def test_a_no_is_a_persons_only_where_one_had_time_to_read(
    confirmations: Confirmations, answer: Answer, seconds: float, why: str
) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    with pytest.raises(Refused) as caught:
        confirmations.settle(Reply(answer, state), BINDING, SIGHT, NOW + seconds)
    assert caught.value.why == why
    assert isinstance(caught.value, NotAPerson) == (why != "declined")
    assert ("person chose" in caught.value.message) == (answer.action in ("decline", "cancel") and why == "declined")


def test_a_no_to_no_question_of_ours_is_nobodys(confirmations: Confirmations) -> None:
    for state in (None, "x", Confirmations(Sealer.ephemeral()).ask(BINDING, TYPED, SIGHT, NOW)):
        with pytest.raises(NotAPerson):
            confirmations.heed(Reply(Answer("decline"), state), NOW + 100)


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
def test_a_yes_is_bound_to_the(confirmations: Confirmations, other: Binding) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, Reply(accepted(name=SIGHT.name), state), other) == "unasked"


@pytest.mark.parametrize("state", [None, "", "x", "null"])
def test_a_reply_to_no_question_is_refused(confirmations: Confirmations, state: str | None) -> None:
    assert refused(confirmations, Reply(accepted(name=SIGHT.name), state)) == "unasked"


def test_a_question_of_another_server_is_none_of_ours(confirmations: Confirmations) -> None:
    foreign = Confirmations(Sealer.ephemeral()).ask(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, Reply(accepted(name=SIGHT.name), foreign)) == "unasked"


@pytest.mark.parametrize("seconds", [LIFETIME, LIFETIME + 1, 10**9])
def test_a_question_ends(confirmations: Confirmations, seconds: float) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    assert refused(confirmations, Reply(accepted(name=SIGHT.name), state), now=NOW + seconds) == "expired"


def test_a_target_that_changed_wants_another_question_even_for_the_right_name(confirmations: Confirmations) -> None:
    state = confirmations.ask(BINDING, TYPED, SIGHT, NOW)
    reply = Reply(accepted(name=SIGHT.name), state)
    for changed in (
        replace(SIGHT, fields={**SIGHT.fields, "target.id": "t-2"}),
        replace(SIGHT, fields={}),
        replace(SIGHT, why_not="HTTP 500"),
    ):
        assert confirmations.settle(reply, BINDING, changed, NOW) == Outdated(SIGHT.bound)
    assert isinstance(confirmations.settle(reply, BINDING, SIGHT, NOW), Proof)


def test_a_name_that_is_wanted_now_is_asked_for_and_no_change_of_the_target_is_claimed(
    confirmations: Confirmations,
) -> None:
    state = confirmations.ask(BINDING, PLAIN, SIGHT, NOW)
    ruled = confirmations.settle(Reply(accepted(confirm=True), state), BINDING, SIGHT, NOW, typed=True)
    assert isinstance(ruled, Outdated)
    assert why_again(ruled.bound, SIGHT) == (STRICTER,)


def test_a_binding_has_one_digest_for_what_it_says_and_another_for_anything_else() -> None:
    assert BINDING.digest() == replace(BINDING).digest()
    moved = replace(BINDING, profile="defaults", saas_id="aas")
    assert len({BINDING.digest(), moved.digest(), replace(BINDING, profile="").digest()}) == 3
