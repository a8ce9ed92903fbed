"""Approvals outside the client: an approval in a terminal lets exactly one call be sent once, and nothing else."""

from __future__ import annotations

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.timezones import format_clock
from saasus_mcp.permissions.approval.approvals import APPROVAL_LIFETIME, MAX_PENDING, WAIT_AFTER_REJECTION
from saasus_mcp.permissions.policy.presets import PRESETS, PresetPolicy
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from tests.support.arguments import altered_arguments, complete_arguments
from tests.support.gate import (
    APPROVAL_CODE,
    NOT_ASKED,
    NOW,
    GateSession,
    change_target,
    expected_name,
    reply_text,
    run_over_operations,
    start_session,
)
from tests.support.outages import lose_commits
from tests.support.pipeline import ERAS, Era, accept_question

PERSON = "local:person-in-a-terminal"
FEW = 6
"""Of how many operations a rule is tried that the operation plays no part in."""


def critical(catalogue: Catalogue) -> list[Operation]:
    return [operation for operation in catalogue if operation.level == "critical"]


async def request_approval(stage: GateSession, operation: Operation) -> str:
    """Return the approval code of a refused call, for which nothing was sent."""
    sent = len(stage.api.writes)
    result = await stage.call(operation)
    assert len(stage.api.writes) == sent
    assert result.is_error
    return stage.pending(result).code


async def approve_call(stage: GateSession, operation: Operation) -> str:
    """Return the code of a call that was approved by typing the name."""
    code = await request_approval(stage, operation)
    approval = stage.approvals.find_pending(code.lower().replace("-", ""), stage.clock())
    stage.approvals.approve(approval, approval.name, PERSON, stage.clock())
    return code


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_an_approved_call_is_sent_exactly_once(catalogue: Catalogue, era: Era) -> None:
    codes: list[str] = []
    async with start_session(catalogue, era, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await approve_call(stage, operation)
            first = await stage.call(operation)
            assert not first.is_error, reply_text(first)
            assert len(stage.api.writes) == 1
            codes.append(code)
            again = await stage.call(operation)
            assert again.is_error
            assert stage.pending(again).code != code
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, critical(catalogue), attack) == {}
        proofs = [record for record in stage.store.audit_log.list_records() if "proof" in record]
    assert [record["proof_id"] for record in proofs] == codes
    assert {(record["event"], record["proof"], record["by"]) for record in proofs} == {("begun", "approval", PERSON)}


async def test_asking_again_before_the_decision_gives_the_same_code_until_the_same_time(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            until = format_clock(stage.clock() + APPROVAL_LIFETIME, Reader.of("en", None).zone)
            answers: list[types.CallToolResult] = []
            for _ in range(3):
                answers.append(await stage.call(operation))
                stage.clock.now += APPROVAL_LIFETIME / 4
            assert len({stage.pending(answer).code for answer in answers}) == 1
            assert [f" by {until}" in reply_text(answer) for answer in answers] == [True] * 3

        assert await run_over_operations(stage, critical(catalogue)[:FEW], attack) == {}


@pytest.mark.slow
async def test_an_approval_is_not_used_by_a_call_with_other_arguments(catalogue: Catalogue) -> None:
    tried = 0
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            nonlocal tried
            code = await approve_call(stage, operation)
            for other in list(altered_arguments(operation, complete_arguments(operation)))[: MAX_PENDING - 1]:
                tried += 1
                result = await stage.call(operation, other)
                assert stage.api.writes == []
                assert NOT_ASKED in reply_text(result) or stage.pending(result).code != code

        assert await run_over_operations(stage, critical(catalogue), attack) == {}
    assert tried >= FEW


async def test_an_approval_holds_for_the_same_call_with_its_fields_in_another_order(catalogue: Catalogue) -> None:
    with_fields = [each for each in critical(catalogue) if len(complete_arguments(each)) > 1]
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:

        async def attempt(operation: Operation) -> None:
            await approve_call(stage, operation)
            result = await stage.call(operation, dict(reversed(complete_arguments(operation).items())))
            assert not result.is_error, reply_text(result)
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, with_fields[:FEW], attempt) == {}


async def test_an_approval_is_not_used_by_another_principal(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "legacy", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await approve_call(stage, operation)
            stage.switch_principal(f"mallory-{operation.key}")
            assert await request_approval(stage, operation) != code
            assert stage.api.writes == []

        assert await run_over_operations(stage, critical(catalogue)[:FEW], attack) == {}


@pytest.mark.slow
async def test_an_approval_ends_fifteen_minutes_after_it_was_given(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await approve_call(stage, operation)
            stage.clock.now = NOW + APPROVAL_LIFETIME
            assert await request_approval(stage, operation) != code
            assert stage.api.writes == []

        assert await run_over_operations(stage, critical(catalogue), attack) == {}


async def test_a_request_for_approval_ends_after_fifteen_minutes(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "legacy", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await request_approval(stage, operation)
            approval = stage.approvals.find_pending(code, stage.clock())
            stage.clock.now = NOW + APPROVAL_LIFETIME
            with pytest.raises(CallRefused):
                stage.approvals.approve(approval, approval.name, PERSON, stage.clock())
            with pytest.raises(CallRefused):
                stage.approvals.find_pending(code, stage.clock())
            assert await request_approval(stage, operation) != code

        assert await run_over_operations(stage, critical(catalogue)[:FEW], attack) == {}


@pytest.mark.slow
async def test_a_rejected_call_waits_ten_minutes_and_then_asks_again(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await request_approval(stage, operation)
            stage.approvals.reject(stage.approvals.find_pending(code, NOW), PERSON, NOW, "not today")
            for seconds in (WAIT_AFTER_REJECTION - 1,):
                stage.clock.now = NOW + seconds
                words = reply_text(await stage.call(operation))
                assert "rejected" in words
                assert "not today" in words
                assert not APPROVAL_CODE.search(words)
            stage.clock.now = NOW + WAIT_AFTER_REJECTION
            assert await request_approval(stage, operation) != code

        assert await run_over_operations(stage, critical(catalogue), attack) == {}


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_a_target_that_changed_after_the_approval_needs_a_new_one(catalogue: Catalogue, era: Era) -> None:
    async with start_session(catalogue, era, accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await approve_call(stage, operation)
            change_target(stage.api, operation)
            result = await stage.call(operation)
            assert stage.api.writes == []
            assert result.is_error or "Nothing would change" in reply_text(result)
            assert NOT_ASKED in reply_text(result) or stage.pending(result).code != code

        assert await run_over_operations(stage, critical(catalogue), attack) == {}


async def test_an_approval_is_given_only_by_typing_the_name(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "legacy", accept_question) as stage:

        async def attack(operation: Operation) -> None:
            code = await request_approval(stage, operation)
            approval = stage.approvals.find_pending(code, NOW)
            assert approval.name == expected_name(catalogue, operation)
            for typed in ("", "yes", code, approval.name.swapcase(), approval.name[:-1]):
                with pytest.raises(CallRefused):
                    stage.approvals.approve(approval, typed, PERSON, NOW)
            assert await request_approval(stage, operation) == code

        assert await run_over_operations(stage, critical(catalogue)[:FEW], attack) == {}


async def test_a_sixth_pending_request_is_refused_until_one_is_decided(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "legacy", accept_question) as stage:
        stage.switch_principal("flooder")
        asked, sixth = critical(catalogue)[:MAX_PENDING], critical(catalogue)[MAX_PENDING]
        codes = [await request_approval(stage, operation) for operation in asked]
        assert len(set(codes)) == MAX_PENDING
        refused = reply_text(await stage.call(sixth))
        assert "pending already" in refused
        assert not APPROVAL_CODE.search(refused)
        assert await request_approval(stage, asked[0]) == codes[0], "what is pending already is still found"
        stage.switch_principal("somebody else")
        assert await request_approval(stage, sixth)
        stage.switch_principal("flooder")
        stage.approvals.reject(stage.approvals.find_pending(codes[0], NOW), PERSON, NOW)
        assert await request_approval(stage, sixth)
        assert stage.api.writes == []


@pytest.mark.slow
async def test_where_the_client_cannot_ask_an_approval_stands_in_for_every_confirmation(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "legacy") as stage:

        async def attempt(operation: Operation) -> None:
            await approve_call(stage, operation)
            result = await stage.call(operation)
            assert not result.is_error, reply_text(result)
            assert len(stage.api.writes) == 1

        asking = [operation for operation in catalogue if operation.level in ("write_sensitive", "destructive")]
        assert await run_over_operations(stage, asking, attempt) == {}


async def test_a_policy_can_want_approval_where_a_client_could_ask(catalogue: Catalogue) -> None:
    hardened = PresetPolicy("hardened", {**PRESETS["guarded"].by_level, "destructive": "approve"})
    async with start_session(catalogue, "2026-07-28", accept_question, hardened) as stage:
        operation = catalogue.find("auth.DeleteTenantUser")
        result = await stage.call_round(operation)
        assert isinstance(result, types.CallToolResult)
        assert APPROVAL_CODE.search(reply_text(result))
        assert stage.api.writes == []


@pytest.mark.parametrize("written", [True, False])
async def test_a_commit_that_was_lost_may_have_used_up_the_approval(catalogue: Catalogue, written: bool) -> None:
    operation = critical(catalogue)[0]
    async with start_session(catalogue, "2026-07-28", accept_question) as stage:
        code = await approve_call(stage, operation)
        with lose_commits(stage.store, written=written):
            lost = await stage.call(operation)
        assert lost.is_error
        assert stage.api.writes == []
        assert (lost.meta or {})["saasus.io/applied"] == "not_applied"
        assert "the consent to it may have been used up" in reply_text(lost)
        again = await stage.call(operation)
        if written:
            assert stage.pending(again).code != code
        else:
            assert not again.is_error, reply_text(again)
