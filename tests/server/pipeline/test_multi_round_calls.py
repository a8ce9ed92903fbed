"""The rounds of protocol 2026-07-28, driven by hand: the client holds the state, so it may send anything."""

from __future__ import annotations

import base64

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.approval.confirmation import CONFIRMATION_LIFETIME, QUESTION_PURPOSE
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SECRET_PURPOSE as SECRETS
from tests.support.arguments import altered_arguments, complete_arguments
from tests.support.gate import (
    ACCEPT,
    APPROVAL_CODE,
    NOT_ASKED,
    NOW,
    GateSession,
    change_target,
    expected_name,
    question_name,
    question_params,
    reply_text,
    run_over_operations,
    start_session,
    type_name,
)
from tests.support.pipeline import Era, accept_question

MODERN: Era = "2026-07-28"
FEW = 4
"""Of how many operations an attack is tried that the operation plays no part in."""


def grave(catalogue: Catalogue, *levels: str) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in (levels or ("destructive",))]


def refused(stage: GateSession, result: object) -> str:
    """Return the text of a refusal, for which nothing was sent."""
    assert stage.api.writes == []
    assert isinstance(result, types.CallToolResult)
    assert result.is_error
    return reply_text(result)


def flip_bit(state: str) -> str:
    """Return the state with one flipped bit that keeps its form."""
    raw = bytearray(base64.urlsafe_b64decode(state))
    raw[-1] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode()


@pytest.mark.slow
async def test_the_answer_with_its_state_is_good_for_one_send(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            assert name == expected_name(catalogue, operation)
            first = await stage.call_round(operation, answer=type_name(name), state=state)
            assert not first.model_dump().get("is_error"), reply_text(first)
            for _ in range(2):
                again = await stage.call_round(operation, answer=type_name(name), state=state)
                assert isinstance(again, types.CallToolResult)
                assert again.is_error
                assert "already used" in reply_text(again)
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_an_answer_that_was_never_asked_for_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name = expected_name(catalogue, operation)
            for answer in (type_name(name), ACCEPT):
                assert "does not match a question" in refused(stage, await stage.call_round(operation, answer=answer))

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_a_state_that_is_not_ours_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            answer = type_name(expected_name(catalogue, operation))
            few = operation in grave(catalogue)[:FEW]
            for state in ("A" * 400, *(("", "x", "e30=", "\N{HIRAGANA LETTER A}", "..", "null") if few else ())):
                assert "does not match a question" in refused(
                    stage, await stage.call_round(operation, answer=answer, state=state)
                )

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_a_state_that_was_tampered_with_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            for bad in (flip_bit(state), state[:-8], state[:40], state[::-1]):
                assert "does not match a question" in refused(
                    stage, await stage.call_round(operation, answer=type_name(name), state=bad)
                )

        assert await run_over_operations(stage, grave(catalogue)[:FEW], attack) == {}


async def test_a_state_forged_under_another_key_or_for_another_purpose_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            asked = stage.sealer.decrypt_token(state, QUESTION_PURPOSE)
            assert asked["name"] == name
            for bad in (
                Encryptor.ephemeral().encrypt_token(asked, QUESTION_PURPOSE),
                stage.sealer.encrypt_token(asked, SECRETS),
            ):
                assert "does not match a question" in refused(
                    stage, await stage.call_round(operation, answer=type_name(name), state=bad)
                )

        assert await run_over_operations(stage, grave(catalogue)[:FEW], attack) == {}


async def test_the_state_of_a_call_with_other_arguments_is_refused(catalogue: Catalogue) -> None:
    tried = 0
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            nonlocal tried
            name, state = await stage.request_question(operation)
            for other in altered_arguments(operation, complete_arguments(operation)):
                tried += 1
                given = await stage.call_round(operation, other, type_name(name), state)
                assert NOT_ASKED in reply_text(given) or "about another call" in refused(stage, given)

        assert await run_over_operations(stage, grave(catalogue), attack) == {}
    assert tried >= 2 * (FEW - 1), "nearly every destructive call has arguments to change"


async def test_the_state_of_another_tool_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            others = [other for other in grave(catalogue) if other is not operation]
            for other in (others[0], others[-1], catalogue.find("auth.ResetSaasUserPassword")):
                given = await stage.call_round(other, answer=type_name(name), state=state)
                assert "about another call" in refused(stage, given)

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_the_state_of_another_principal_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            stage.switch_principal("mallory")
            given = await stage.call_round(operation, answer=type_name(name), state=state)
            assert "about another call" in refused(stage, given)

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_an_answer_that_comes_too_late_is_refused(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            stage.clock.now = NOW + CONFIRMATION_LIFETIME
            given = await stage.call_round(operation, answer=type_name(name), state=state)
            assert "expired" in refused(stage, given)

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_an_answer_about_a_target_that_has_changed_is_asked_again(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            change_target(stage.api, operation)
            given = await stage.call_round(operation, answer=type_name(name), state=state)
            assert stage.api.writes == []
            if NOT_ASKED in reply_text(given):  # as the target is now, the call could not do anything
                return
            assert isinstance(given, types.InputRequiredResult)
            assert question_params(given).message.startswith("The target changed")
            new = await stage.call_round(
                operation, answer=type_name(question_name(question_params(given))), state=given.request_state
            )
            assert isinstance(new, types.CallToolResult)
            assert not new.is_error, reply_text(new)
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_a_state_without_an_answer_only_asks_again(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            for given in (
                await stage.call_round(operation, state=state),
                await stage.call_round(operation, answer=type_name(name), state=state, key="another-question"),
            ):
                assert stage.api.writes == []
                assert isinstance(given, types.InputRequiredResult)

        assert await run_over_operations(stage, grave(catalogue)[:FEW], attack) == {}


async def test_a_plain_yes_is_no_name(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            _, state = await stage.request_question(operation)
            stage.clock.now += 10
            assert "name typed does not match" in refused(
                stage, await stage.call_round(operation, answer=ACCEPT, state=state)
            )

        assert await run_over_operations(stage, grave(catalogue), attack) == {}


async def test_a_person_who_mistyped_may_answer_the_same_question_again(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attempt(operation: Operation) -> None:
            name, state = await stage.request_question(operation)
            refused(stage, await stage.call_round(operation, answer=type_name(name + "?"), state=state))
            right = await stage.call_round(operation, answer=type_name(f"  {name} "), state=state)
            assert isinstance(right, types.CallToolResult)
            assert not right.is_error
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, grave(catalogue)[:FEW], attempt) == {}


@pytest.mark.slow
async def test_no_answer_and_no_state_takes_a_critical_call_past_its_approval(catalogue: Catalogue) -> None:
    async with start_session(catalogue, MODERN, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            name = expected_name(catalogue, operation)
            _, borrowed = await stage.request_question(catalogue.find("auth.DeleteTenantUser"))
            for state, answer in ((None, type_name(name)), ("x", ACCEPT), (borrowed, type_name(name))):
                words = refused(stage, await stage.call_round(operation, answer=answer, state=state))
                assert APPROVAL_CODE.search(words), words

        assert await run_over_operations(stage, grave(catalogue, "critical"), attack) == {}


@pytest.mark.slow
async def test_an_old_client_cannot_smuggle_an_answer_in(catalogue: Catalogue) -> None:
    decline = types.ElicitResult(action="decline")
    async with start_session(catalogue, "legacy", lambda _: decline) as stage:

        async def attack(operation: Operation) -> None:
            for answer, state in ((type_name(expected_name(catalogue, operation)), None), (ACCEPT, "x")):
                refused(stage, await stage.call_round(operation, answer=answer, state=state))

        assert await run_over_operations(stage, grave(catalogue, "destructive", "critical"), attack) == {}
