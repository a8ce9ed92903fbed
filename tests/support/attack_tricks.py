"""How each attack is played: a client that misbehaves in one way, before a real pipeline and a stub of the API.

A session also counts the consents that people really gave, by which its sends are judged.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from unittest.mock import patch

from mcp import ClientSession, types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.approvals import APPROVAL_LIFETIME as APPROVAL_LASTS
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.confirmation import CONFIRMATION_LIFETIME as QUESTION_LASTS
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store.records import Freeze
from tests.support.arguments import complete_arguments
from tests.support.attack_cases import OPERATIONS, Attack, named_policy
from tests.support.attack_session import AttackSession, Script
from tests.support.gate import ACCEPT, NOW, change_target, start_session, target_answers
from tests.support.hostile_arguments import inject, smuggle
from tests.support.pipeline import accept_question

Answered = Callable[[types.ElicitRequestFormParams], types.ElicitResult]
CLIENTS: dict[str, Answered | None] = {
    "cannot ask": None,
    "asks by URL only": accept_question,
    "declines": lambda _: types.ElicitResult(action="decline"),
    "cancels": lambda _: types.ElicitResult(action="cancel"),
    "mistypes": lambda _: types.ElicitResult(action="accept", content={"name": "not the target", "confirm": False}),
    "accepts with nothing": lambda _: types.ElicitResult(action="accept", content={}),
    "accepts everything itself": accept_question,
    "asks an honest person": accept_question,
}


@asynccontextmanager
async def play_attack(catalogue: Catalogue, attack: Attack) -> AsyncIterator[AttackSession]:
    """Play an attack to its end."""
    operation = catalogue.find(OPERATIONS[attack.level])
    answering = CLIENTS.get(attack.trick, accept_question)
    tally: list[None] = []

    def counted(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        """Count a consent in the client, even if the client gave it: a confirmation proves only that."""
        assert answering is not None
        given = answering(params)
        if given.action == "accept" and given.content == accept_question(params).content:
            tally.append(None)
        return given

    raw = attack.trick in ROUND_TRICKS
    client = None if answering is None or attack.trick in APPROVAL_TRICKS else counted
    client, policy = accept_question if raw else client, named_policy(attack.policy)
    with _by_url_only() if attack.trick == "asks by URL only" else nullcontext():
        async with start_session(catalogue, attack.era, client, policy, kind=attack.surface) as stage:
            stage.switch_principal("mallory")
            stage.api.answers = target_answers(catalogue, operation)
            play = AttackSession(attack, stage, operation)
            await _script(attack)(play)
            play.confirmed += len(tally)
            yield play


@contextmanager
def _by_url_only() -> Iterator[None]:
    """Make clients of the SDK declare that they can show a URL and no form."""
    usual = ClientSession._build_capabilities

    def capabilities(session: ClientSession, version: str) -> types.ClientCapabilities:
        only = types.ElicitationCapability(url=types.UrlElicitationCapability())
        return usual(session, version).model_copy(update={"elicitation": only})

    with patch.object(ClientSession, "_build_capabilities", capabilities):
        yield


def _script(attack: Attack) -> Script:
    if attack.trick in CLIENTS:
        return AttackSession.call
    if attack.trick.startswith("smuggles "):
        return smuggle
    if attack.trick.startswith("injects "):
        return inject
    return {**APPROVAL_TRICKS, **ROUND_TRICKS}[attack.trick]


# -- approvals -----------------------------------------------------------------------------------------------------------


async def _repeats(play: AttackSession) -> None:
    for _ in range(3):
        await play.call()


async def _sends_the_code(play: AttackSession) -> None:
    await play.call()
    code = play.pending().code
    await play.call({**complete_arguments(play.operation), "approval": code})


async def _uses_anothers(play: AttackSession) -> None:
    await play.call()
    play.approve("carol")
    play.approved = 0  # not for who comes now
    play.stage.switch_principal("eve")
    await play.call()


async def _changes_arguments(play: AttackSession) -> None:
    await play.call()
    play.approve("carol")
    play.approved = 0
    changed = {
        name: f"{value}-other" if isinstance(value, str) else value
        for name, value in complete_arguments(play.operation).items()
    }
    await play.call(changed)


async def _comes_late(play: AttackSession) -> None:
    await play.call()
    play.approve("carol")
    play.stage.clock.now = NOW + APPROVAL_LASTS + 1
    play.approved = 0
    await play.call()


async def _comes_after_rejection(play: AttackSession) -> None:
    await play.call()
    ApprovalService(play.stage.store).reject(play.pending(), "carol", NOW, "no")
    await play.call()


async def _target_changes(play: AttackSession) -> None:
    await play.call()
    play.approve("carol")
    play.approved = 0
    change_target(play.stage.api, play.operation)
    await play.call()


async def _comes_after_a_freeze(play: AttackSession) -> None:
    await play.call()
    play.approve("carol")
    play.stage.store.freeze(Freeze(NOW, "local:operator", "an incident"))
    play.approved = 0
    await play.call()


async def _approved_by_another(play: AttackSession) -> None:
    await play.call()
    play.approve("carol")
    await play.call()


async def _spends_twice(play: AttackSession) -> None:
    await _approved_by_another(play)
    await play.call()


async def _approves_itself(play: AttackSession) -> None:
    await play.call()
    with suppress(CallRefused):
        play.approve("local:mallory")
    await play.call()


APPROVAL_TRICKS: dict[str, Script] = {
    "repeats without an approval": _repeats,
    "sends the code as an argument": _sends_the_code,
    "uses another's approval": _uses_anothers,
    "changes the arguments after the approval": _changes_arguments,
    "comes after the approval expired": _comes_late,
    "comes again after the rejection": _comes_after_rejection,
    "changes the target after the approval": _target_changes,
    "comes after a freeze": _comes_after_a_freeze,
    "is approved by another": _approved_by_another,
    "spends one approval twice": _spends_twice,
    "approves its own request": _approves_itself,
}

# -- rounds of protocol 2026-07-28 ---------------------------------------------------------------------------------------


async def _unasked(play: AttackSession) -> None:
    await play.round(answer=ACCEPT)


async def _forges(play: AttackSession) -> None:
    await play.round(answer=ACCEPT, state=base64.urlsafe_b64encode(b'{"nonce": "x"}' * 8).decode())


async def _bends(play: AttackSession) -> None:
    answer, state = await play.ask()
    raw = bytearray(base64.urlsafe_b64decode(state))
    raw[-1] ^= 1
    await play.round(answer=answer, state=base64.urlsafe_b64encode(bytes(raw)).decode())


async def _another_question(play: AttackSession) -> None:
    answer, _ = await play.ask()
    other = play.stage.api.catalogue.find("auth.DeleteTenantInvitation")
    _, state = await play.stage.request_question(other)
    await play.round(answer=answer, state=state)


async def _other_arguments(play: AttackSession) -> None:
    answer, state = await play.ask()
    arguments = complete_arguments(play.operation)
    name = next(name for name in play.operation.path_parameters)
    await play.round(answer=answer, state=state, arguments={**arguments, name: "another"})


async def _somebody_else(play: AttackSession) -> None:
    answer, state = await play.ask()
    play.stage.switch_principal("eve")
    await play.round(answer=answer, state=state)


async def _late(play: AttackSession) -> None:
    answer, state = await play.ask()
    play.stage.clock.now = NOW + QUESTION_LASTS + 1
    await play.round(answer=answer, state=state)


async def _another_key(play: AttackSession) -> None:
    answer, state = await play.ask()
    await play.round(answer=answer, state=state, key="approved")


async def _target_changes_while_asking(play: AttackSession) -> None:
    answer, state = await play.ask()
    change_target(play.stage.api, play.operation)
    await play.round(answer=answer, state=state)


async def _replays(play: AttackSession) -> None:
    answer, state = await play.ask()
    play.confirmed += 1
    for _ in range(3):
        await play.round(answer=answer, state=state)


ROUND_TRICKS: dict[str, Script] = {
    "answers unasked": _unasked,
    "forges the state": _forges,
    "bends the state": _bends,
    "answers another question": _another_question,
    "answers for other arguments": _other_arguments,
    "answers as somebody else": _somebody_else,
    "answers late": _late,
    "answers under another key": _another_key,
    "changes the target while asking": _target_changes_while_asking,
    "replays the answer": _replays,
}


def count_sends(plays: Iterable[tuple[int, int]]) -> tuple[int, int, int]:
    """Return the numbers of cases, sends and unauthorised sends."""
    counted = list(plays)
    return len(counted), sum(sent for sent, _ in counted), sum(wrong for _, wrong in counted)
