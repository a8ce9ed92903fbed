"""The rounds of protocol 2026-07-28, driven by hand: the client holds the state, so the client may send anything."""

from __future__ import annotations

import base64

from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.confirmation import LIFETIME, PURPOSE
from saasus_mcp.permissions.handles import PURPOSE as SECRETS
from saasus_mcp.permissions.seal import Sealer
from tests.calls import altered, complete
from tests.pipeline.attacks import (
    CODE,
    IN_VAIN,
    NOW,
    YES,
    Scene,
    change_target,
    expected_name,
    over,
    question,
    scene,
    text,
    typing,
    wanted_name,
)
from tests.support import Era, saying_yes

MODERN: Era = "2026-07-28"
FEW = 4
"""Of how many operations an attack is tried that the operation plays no part in."""


def grave(catalogue: Catalogue, *levels: str) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in (levels or ("destructive",))]


def refused(stage: Scene, result: object) -> str:
    """The words of a refusal; nothing was sent."""
    assert stage.api.writes == []
    assert isinstance(result, types.CallToolResult)
    assert result.is_error
    return text(result)


def flipped(state: str) -> str:
    """The state with one bit changed where it matters least to its form."""
    raw = bytearray(base64.urlsafe_b64decode(state))
    raw[-1] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode()


async def test_the_answer_with_its_state_is_good_for_one_send(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            assert name == expected_name(catalogue, operation)
            first = await stage.round(operation, answer=typing(name), state=state)
            assert not first.model_dump().get("is_error"), text(first)
            for _ in range(2):
                again = await stage.round(operation, answer=typing(name), state=state)
                assert isinstance(again, types.CallToolResult)
                assert again.is_error
                assert "already used" in text(again)
            assert len(stage.api.writes) == 1

        assert await over(stage, grave(catalogue), attack) == {}


async def test_an_answer_that_was_never_asked_for_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name = expected_name(catalogue, operation)
            for answer in (typing(name), YES):
                assert "does not match a question" in refused(stage, await stage.round(operation, answer=answer))

        assert await over(stage, grave(catalogue), attack) == {}


async def test_a_state_that_is_not_ours_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            answer = typing(expected_name(catalogue, operation))
            few = operation in grave(catalogue)[:FEW]
            for state in ("A" * 400, *(("", "x", "e30=", "\N{HIRAGANA LETTER A}", "..", "null") if few else ())):
                assert "does not match a question" in refused(
                    stage, await stage.round(operation, answer=answer, state=state)
                )

        assert await over(stage, grave(catalogue), attack) == {}


async def test_a_state_that_was_tampered_with_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            for bad in (flipped(state), state[:-8], state[:40], state[::-1]):
                assert "does not match a question" in refused(
                    stage, await stage.round(operation, answer=typing(name), state=bad)
                )

        assert await over(stage, grave(catalogue)[:FEW], attack) == {}


async def test_a_state_forged_under_another_key_or_for_another_purpose_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            asked = stage.sealer.read(state, PURPOSE)
            assert asked["name"] == name
            for bad in (Sealer.ephemeral().token(asked, PURPOSE), stage.sealer.token(asked, SECRETS)):
                assert "does not match a question" in refused(
                    stage, await stage.round(operation, answer=typing(name), state=bad)
                )

        assert await over(stage, grave(catalogue)[:FEW], attack) == {}


async def test_the_state_of_a_call_with_other_arguments_is_refused(catalogue: Catalogue) -> None:
    tried = 0
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            nonlocal tried
            name, state = await stage.asked(operation)
            for other in altered(operation, complete(operation)):
                tried += 1
                given = await stage.round(operation, other, typing(name), state)
                assert "about another call" in refused(stage, given) or IN_VAIN in text(given)

        assert await over(stage, grave(catalogue), attack) == {}
    assert tried >= 2 * 15, "nearly every destructive call has arguments to change"


async def test_the_state_of_another_tool_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            others = [other for other in grave(catalogue) if other is not operation]
            for other in (others[0], others[-1], catalogue.find("auth.ResetSaasUserPassword")):
                given = await stage.round(other, answer=typing(name), state=state)
                assert "about another call" in refused(stage, given)

        assert await over(stage, grave(catalogue), attack) == {}


async def test_the_state_of_another_principal_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            stage.speak_as("mallory")
            given = await stage.round(operation, answer=typing(name), state=state)
            assert "about another call" in refused(stage, given)

        assert await over(stage, grave(catalogue), attack) == {}


async def test_an_answer_that_comes_too_late_is_refused(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            stage.clock.now = NOW + LIFETIME
            given = await stage.round(operation, answer=typing(name), state=state)
            assert "expired" in refused(stage, given)

        assert await over(stage, grave(catalogue), attack) == {}


async def test_an_answer_about_a_target_that_has_changed_is_asked_again(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            change_target(stage.api, operation)
            given = await stage.round(operation, answer=typing(name), state=state)
            assert stage.api.writes == []
            if IN_VAIN in text(given):  # as the target is now, the call could not do anything
                return
            assert isinstance(given, types.InputRequiredResult)
            assert question(given).message.startswith("The target changed")
            new = await stage.round(operation, answer=typing(wanted_name(question(given))), state=given.request_state)
            assert isinstance(new, types.CallToolResult)
            assert not new.is_error, text(new)
            assert len(stage.api.writes) == 1

        assert await over(stage, grave(catalogue), attack) == {}


async def test_a_state_without_an_answer_only_asks_again(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            for given in (
                await stage.round(operation, state=state),
                await stage.round(operation, answer=typing(name), state=state, key="another-question"),
            ):
                assert stage.api.writes == []
                assert isinstance(given, types.InputRequiredResult)

        assert await over(stage, grave(catalogue)[:FEW], attack) == {}


async def test_a_plain_yes_is_no_name(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            _, state = await stage.asked(operation)
            stage.clock.now += 10
            assert "name typed does not match" in refused(stage, await stage.round(operation, answer=YES, state=state))

        assert await over(stage, grave(catalogue), attack) == {}


async def test_a_person_who_mistyped_may_answer_the_same_question_again(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attempt(operation: Operation) -> None:
            name, state = await stage.asked(operation)
            refused(stage, await stage.round(operation, answer=typing(name + "?"), state=state))
            right = await stage.round(operation, answer=typing(f"  {name} "), state=state)
            assert isinstance(right, types.CallToolResult)
            assert not right.is_error
            assert len(stage.api.writes) == 1

        assert await over(stage, grave(catalogue)[:FEW], attempt) == {}


async def test_no_answer_and_no_state_takes_a_critical_call_past_its_approval(catalogue: Catalogue) -> None:
    async with scene(catalogue, MODERN, saying_yes) as stage:

        async def attack(operation: Operation) -> None:
            name = expected_name(catalogue, operation)
            _, borrowed = await stage.asked(catalogue.find("auth.DeleteTenantUser"))
            for state, answer in ((None, typing(name)), ("x", YES), (borrowed, typing(name))):
                words = refused(stage, await stage.round(operation, answer=answer, state=state))
                assert CODE.search(words), words

        assert await over(stage, grave(catalogue, "critical"), attack) == {}


async def test_an_old_client_cannot_smuggle_an_answer_in(catalogue: Catalogue) -> None:
    decline = types.ElicitResult(action="decline")
    async with scene(catalogue, "legacy", lambda _: decline) as stage:

        async def attack(operation: Operation) -> None:
            for answer, state in ((typing(expected_name(catalogue, operation)), None), (YES, "x")):
                refused(stage, await stage.round(operation, answer=answer, state=state))

        assert await over(stage, grave(catalogue, "destructive", "critical"), attack) == {}
