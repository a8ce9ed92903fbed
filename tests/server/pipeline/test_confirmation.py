"""Confirmation in all protocol versions: without a confirmation no destructive call is sent, whatever the client does."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from tests.support.gate import (
    ACCEPT,
    APPROVAL_CODE,
    NOW,
    Person,
    change_target,
    expected_name,
    question_name,
    reply_text,
    run_over_operations,
    start_session,
    type_name,
)
from tests.support.pipeline import ERAS, Era, Responder, accept_question

ACCEPT_ACTION: Literal["accept"] = "accept"


def named(params: types.ElicitRequestFormParams, content: dict[str, Any]) -> types.ElicitResult:
    """Return an acceptance. Its content may contain the name to type, as `{name}`."""
    name = question_name(params)
    filled = {key: value.format(name=name) if isinstance(value, str) else value for key, value in content.items()}
    return types.ElicitResult(action=ACCEPT_ACTION, content=filled)


NOT_A_YES: dict[str, Responder] = {
    "declines": lambda _: types.ElicitResult(action="decline"),
    "cancels": lambda _: types.ElicitResult(action="cancel"),
    "types another name": lambda _: type_name("Another Tenant"),
    "accepts with an empty form": lambda _: types.ElicitResult(action=ACCEPT_ACTION, content={}),
    "ticks a box instead of typing": lambda _: ACCEPT,
}
NEARLY_A_YES: dict[str, Responder] = {
    "declines with the name typed": lambda asked: types.ElicitResult(
        action="decline", content={"name": question_name(asked)}
    ),
    "accepts and types nothing": lambda _: types.ElicitResult(action=ACCEPT_ACTION),
    "types an empty name": lambda _: type_name(""),
    "types yes": lambda _: type_name("yes"),
    "types the name in other letters": lambda asked: type_name(question_name(asked).swapcase()),
    "types only the beginning": lambda asked: type_name(question_name(asked)[:-1]),
    "types more than the name": lambda asked: named(asked, {"name": "{name} please"}),
    "types it into another field": lambda asked: named(asked, {"confirm": True, "Name": "{name}"}),
    "sends a list of names": lambda asked: types.ElicitResult(
        action=ACCEPT_ACTION, content={"name": [question_name(asked)]}
    ),
    "sends a number": lambda _: types.ElicitResult(action=ACCEPT_ACTION, content={"name": 1}),
    "sends true as the name": lambda _: types.ElicitResult(action=ACCEPT_ACTION, content={"name": True}),
}


def of_level(catalogue: Catalogue, *levels: str) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in levels]


def test_the_attacks_below_reach_every_grave_operation(catalogue: Catalogue) -> None:
    assert len(of_level(catalogue, "destructive")) >= 16
    assert len(of_level(catalogue, "critical")) >= 23


@pytest.mark.parametrize("era", ERAS)
async def test_a_person_who_types_the_name_has_a_destructive_call_sent_once(catalogue: Catalogue, era: Era) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, era, person) as stage:

        async def attempt(operation: Operation) -> None:
            person.seen.clear()
            result = await stage.call(operation)
            assert not result.is_error, reply_text(result)
            assert len(stage.api.writes) == 1
            assert [question_name(params) for params in person.seen] == [expected_name(catalogue, operation)]

        assert await run_over_operations(stage, of_level(catalogue, "destructive"), attempt) == {}


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("manner", NOT_A_YES)
async def test_no_destructive_call_is_sent_when_the_person(catalogue: Catalogue, era: Era, manner: str) -> None:
    await check_nothing_sent(catalogue, era, NOT_A_YES[manner], of_level(catalogue, "destructive"))


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("manner", NEARLY_A_YES)
async def test_nearly_a_yes_is_a_no_when_the_person(catalogue: Catalogue, era: Era, manner: str) -> None:
    await check_nothing_sent(catalogue, era, NEARLY_A_YES[manner], of_level(catalogue, "destructive")[:1])


async def check_nothing_sent(catalogue: Catalogue, era: Era, answering: Responder, operations: list[Operation]) -> None:
    """Check that each operation is asked about once, nothing is sent, and the audit log tells who declined."""
    person, attacked = Person(answering), list[str]()
    async with start_session(catalogue, era, person) as stage:

        async def attack(operation: Operation) -> None:
            attacked.append(operation.key)
            person.seen.clear()
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert len(person.seen) == 1
            assert result.is_error
            assert "Outcome: not_applied" in reply_text(result)

        assert await run_over_operations(stage, operations, attack) == {}
        noted = [record for record in stage.store.audit_log.list_records() if record["event"] == "refused"]
        refused = [record for record in noted if record["refused"] != "confirmation"]  # that it was asked
        assert [record["operation"] for record in refused] == attacked
        cancelled = answering is NOT_A_YES["cancels"]
        assert {record["refused"] for record in refused} == {"client_cancel" if cancelled else "declined"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_gets_an_approval_code_and_sends_nothing(catalogue: Catalogue, era: Era) -> None:
    async with start_session(catalogue, era) as stage:

        async def attack(operation: Operation) -> None:
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert result.is_error
            assert APPROVAL_CODE.search(reply_text(result)), reply_text(result)
            assert stage.pending(result).name == expected_name(catalogue, operation)

        assert await run_over_operations(stage, of_level(catalogue, "destructive", "critical"), attack) == {}


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_accepts_everything_cannot_have_a_critical_call_sent(
    catalogue: Catalogue, era: Era
) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, era, person) as stage:

        async def attack(operation: Operation) -> None:
            for _ in range(2):
                result = await stage.call(operation)
                assert stage.api.writes == []
                assert result.is_error
                assert APPROVAL_CODE.search(reply_text(result)), reply_text(result)
                assert "Outcome: not_applied" in reply_text(result)

        assert await run_over_operations(stage, of_level(catalogue, "critical"), attack) == {}
    assert person.seen == [], "a critical call is never decided by what the client answers"


@pytest.mark.parametrize("era", ERAS)
async def test_a_target_that_changes_while_the_person_is_asked_is_asked_about_again(
    catalogue: Catalogue, era: Era
) -> None:
    now_at: list[Operation] = []

    def yes_then_no(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        if len(person.seen) == 1:
            change_target(stage.api, now_at[0])
            return accept_question(params)
        return types.ElicitResult(action="decline")

    person = Person(yes_then_no)
    async with start_session(catalogue, era, person) as stage:

        async def attack(operation: Operation) -> None:
            now_at[:] = [operation]
            person.seen.clear()
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert result.is_error
            assert [params.message.startswith("The target changed") for params in person.seen] == [False, True]

        assert await run_over_operations(stage, of_level(catalogue, "destructive"), attack) == {}


async def test_a_target_that_never_holds_still_is_given_up_on(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenantUser")

    def ever_changing_api(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        change_target(stage.api, operation)
        return accept_question(params)

    person = Person(ever_changing_api)
    async with start_session(catalogue, "legacy", person) as stage:

        async def attack(_: Operation) -> None:
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert "keeps changing" in reply_text(result)

        assert await run_over_operations(stage, [operation], attack) == {}
    assert 1 < len(person.seen) < 10


@pytest.mark.parametrize("era", ERAS)
async def test_a_yes_to_one_call_is_no_yes_to_the_next(catalogue: Catalogue, era: Era) -> None:
    def once(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        return accept_question(params) if len(person.seen) == 1 else types.ElicitResult(action="decline")

    person = Person(once)
    async with start_session(catalogue, era, person) as stage:

        async def attack(operation: Operation) -> None:
            person.seen.clear()
            first, second = await stage.call(operation), await stage.call(operation)
            assert (first.is_error, second.is_error) == (False, True)
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, of_level(catalogue, "destructive")[:4], attack) == {}


@pytest.mark.parametrize("era", ERAS)
async def test_a_person_who_answers_too_late_is_asked_again(catalogue: Catalogue, era: Era) -> None:
    def answer_slowly(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        stage.clock.now = NOW + 11 * 60
        return accept_question(params)

    async with start_session(catalogue, era, Person(answer_slowly)) as stage:

        async def attack(operation: Operation) -> None:
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert "expired" in reply_text(result)

        assert await run_over_operations(stage, of_level(catalogue, "destructive"), attack) == {}


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_sensitive_writes_ask_for_a_plain_yes(catalogue: Catalogue, era: Era) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, era, person) as stage:

        async def attempt(operation: Operation) -> None:
            person.seen.clear()
            result = await stage.call(operation)
            if stage.fully_shown(result):
                assert [question_name(params) for params in person.seen] == [""]
            else:
                assert person.seen == []
                result = await stage.call(operation)
            assert not result.is_error, reply_text(result)
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, of_level(catalogue, "write_sensitive"), attempt) == {}


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("content", [{}, {"confirm": False}])
async def test_no_sensitive_write_is_sent_unless_the_box_is_ticked(
    catalogue: Catalogue, era: Era, content: dict[str, Any]
) -> None:
    person = Person(lambda _: types.ElicitResult(action="accept", content=content))
    async with start_session(catalogue, era, person) as stage:

        async def attack(operation: Operation) -> None:
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert result.is_error

        assert await run_over_operations(stage, of_level(catalogue, "write_sensitive"), attack) == {}
