"""How each attack is played: a client that misbehaves in one way, before a real pipeline and an API that only records.

A play also keeps count of the yeses that people really gave, which is what sends are judged by afterwards.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.approvals import LIFETIME as APPROVAL_LASTS
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.confirmation import LIFETIME as QUESTION_LASTS
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.store import Approval
from tests.attacks.cases import DEMANDED, OPERATIONS, POLICIES, Attack, End
from tests.calls import complete
from tests.pipeline.attacks import (
    CODE,
    NOW,
    YES,
    Reply,
    Scene,
    change_target,
    question,
    scene,
    target_of,
    text,
    wanted_name,
)
from tests.support import saying_yes

Answered = Callable[[types.ElicitRequestFormParams], types.ElicitResult]
CLIENTS: dict[str, Answered | None] = {
    "cannot ask": None,
    "asks by URL only": None,
    "declines": lambda _: types.ElicitResult(action="decline"),
    "cancels": lambda _: types.ElicitResult(action="cancel"),
    "mistypes": lambda _: types.ElicitResult(action="accept", content={"name": "not the target", "confirm": False}),
    "accepts with nothing": lambda _: types.ElicitResult(action="accept", content={}),
    "accepts everything itself": saying_yes,
    "asks an honest person": saying_yes,
}


@dataclass
class Play:
    """One attack on the stage.

    Attributes:
        confirmed, approved: how many yeses people gave for this call, in the client and outside it.
    """

    attack: Attack
    stage: Scene
    operation: Operation
    confirmed: int = 0
    approved: int = 0
    ends: list[Reply] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.stage.api.to(self.operation))

    def unauthorised(self) -> int:
        """Sends beyond the yeses that the policy demands: judged by what the API saw and what people said."""
        writes = len(self.stage.api.writes)
        demanded = DEMANDED[self.attack.policy][self.attack.level]
        allowed = {
            "allow": writes,
            "confirm": self.confirmed + self.approved,
            "approve": self.approved,
            "deny": 0,
        }[demanded]
        return max(0, writes - allowed)

    def end(self) -> End:
        """How it ended for the client."""
        if self.sent:
            return "sent"
        last = self.ends[-1]
        if isinstance(last, types.InputRequiredResult) or CODE.search(text(last)):
            return "asked"
        return "refused"

    async def call(self, arguments: dict[str, Any] | None = None) -> None:
        self.ends.append(await self.stage.call(self.operation, arguments))

    async def round(self, **given: Any) -> None:
        self.ends.append(await self.stage.round(self.operation, **given))

    async def ask(self) -> tuple[types.ElicitResult, str]:
        """Ask properly, and be ready with a yes that nobody has given."""
        name, state = await self.stage.asked(self.operation)
        return types.ElicitResult(action="accept", content={"name": name, "confirm": True}), state

    def pending(self) -> Approval:
        return self.stage.pending(self.ends[-1])

    def approve(self, by: str) -> None:
        """A person approves, who is not the client."""
        approval = self.pending()
        Approvals(self.stage.store).approve(approval, approval.name, by, self.stage.clock())
        self.approved += 1


@asynccontextmanager
async def played(catalogue: Catalogue, attack: Attack) -> AsyncIterator[Play]:
    """The attack, played to its end."""
    operation = catalogue.find(OPERATIONS[attack.level])
    answering = CLIENTS.get(attack.trick, saying_yes)
    tally: list[None] = []

    def counted(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        """A yes in the client counts, whoever gave it: that is what a confirmation is worth."""
        assert answering is not None
        given = answering(params)
        if given.action == "accept" and given.content == saying_yes(params).content:
            tally.append(None)
        return given

    raw = attack.trick in ROUND_TRICKS
    client = None if answering is None or attack.trick in APPROVAL_TRICKS else counted
    async with scene(catalogue, attack.era, saying_yes if raw else client, POLICIES[attack.policy]) as stage:
        stage.speak_as("mallory")
        stage.api.answers = target_of(catalogue, operation)
        play = Play(attack, stage, operation)
        await _script(attack)(play)
        play.confirmed += len(tally)
        yield play


Script = Callable[[Play], Awaitable[None]]


def _script(attack: Attack) -> Script:
    if attack.trick in CLIENTS:
        return Play.call
    if attack.trick.startswith("smuggles "):
        return _smuggle
    if attack.trick.startswith("injects "):
        return _inject
    return {**APPROVAL_TRICKS, **ROUND_TRICKS}[attack.trick]


# -- approvals -----------------------------------------------------------------------------------------------------------


async def _repeats(play: Play) -> None:
    for _ in range(3):
        await play.call()


async def _sends_the_code(play: Play) -> None:
    await play.call()
    code = play.pending().code
    await play.call({**complete(play.operation), "approval": code})


async def _uses_anothers(play: Play) -> None:
    await play.call()
    play.approve("carol")
    play.approved = 0  # not for who comes now
    play.stage.speak_as("eve")
    await play.call()


async def _changes_arguments(play: Play) -> None:
    await play.call()
    play.approve("carol")
    play.approved = 0
    changed = {
        name: f"{value}-other" if isinstance(value, str) else value for name, value in complete(play.operation).items()
    }
    await play.call(changed)


async def _comes_late(play: Play) -> None:
    await play.call()
    play.approve("carol")
    play.stage.clock.now = NOW + APPROVAL_LASTS + 1
    play.approved = 0
    await play.call()


async def _comes_after_rejection(play: Play) -> None:
    await play.call()
    Approvals(play.stage.store).reject(play.pending(), "carol", NOW, "no")
    await play.call()


async def _target_changes(play: Play) -> None:
    await play.call()
    play.approve("carol")
    play.approved = 0
    change_target(play.stage.api, play.operation)
    await play.call()


async def _approved_by_another(play: Play) -> None:
    await play.call()
    play.approve("carol")
    await play.call()


async def _spends_twice(play: Play) -> None:
    await _approved_by_another(play)
    await play.call()


async def _approves_itself(play: Play) -> None:
    await play.call()
    with suppress(Refused):
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
    "is approved by another": _approved_by_another,
    "spends one approval twice": _spends_twice,
    "approves its own request": _approves_itself,
}

# -- rounds of protocol 2026-07-28 ---------------------------------------------------------------------------------------


async def _unasked(play: Play) -> None:
    await play.round(answer=YES)


async def _forges(play: Play) -> None:
    await play.round(answer=YES, state=base64.urlsafe_b64encode(b'{"nonce": "x"}' * 8).decode())


async def _bends(play: Play) -> None:
    answer, state = await play.ask()
    raw = bytearray(base64.urlsafe_b64decode(state))
    raw[-1] ^= 1
    await play.round(answer=answer, state=base64.urlsafe_b64encode(bytes(raw)).decode())


async def _another_question(play: Play) -> None:
    answer, _ = await play.ask()
    other = play.stage.api.catalogue.find("auth.DeleteTenantInvitation")
    _, state = await play.stage.asked(other)
    await play.round(answer=answer, state=state)


async def _other_arguments(play: Play) -> None:
    answer, state = await play.ask()
    arguments = complete(play.operation)
    name = next(name for name in play.operation.path_parameters)
    await play.round(answer=answer, state=state, arguments={**arguments, name: "another"})


async def _somebody_else(play: Play) -> None:
    answer, state = await play.ask()
    play.stage.speak_as("eve")
    await play.round(answer=answer, state=state)


async def _late(play: Play) -> None:
    answer, state = await play.ask()
    play.stage.clock.now = NOW + QUESTION_LASTS + 1
    await play.round(answer=answer, state=state)


async def _another_key(play: Play) -> None:
    answer, state = await play.ask()
    await play.round(answer=answer, state=state, key="approved")


async def _target_changes_while_asking(play: Play) -> None:
    answer, state = await play.ask()
    change_target(play.stage.api, play.operation)
    await play.round(answer=answer, state=state)


async def _replays(play: Play) -> None:
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

# -- hostile arguments and hostile text --------------------------------------------------------------------------------------


async def _smuggle(play: Play) -> None:
    arguments, name = complete(play.operation), play.operation.tool
    changes: dict[str, dict[str, Any]] = {
        "confirm=true": {"confirm": True},
        "_meta.confirmed": {"_meta": {"confirmed": True, "saasus.io/level": "read"}},
        "approval=CODE": {"approval": "ABCD-2345"},
        "dry_run=false": {"dry_run": False},
        "tenant_id=../..": {"tenant_id": "../../plans/reset"},
        "tenant_id=all": {"tenant_id": ".."},
        "tenant_id with NUL": {"tenant_id": "t\0"},
        "tenant_id as a list": {"tenant_id": ["t-1", "t-2"]},
    }
    names = {
        "name in other case": name.upper(),
        "name with a space": f" {name}",
        "name in look-alike letters": name.replace("a", "а"),  # noqa: RUF001 - a Cyrillic letter
        "HTTP route as name": f"{play.operation.method} {play.operation.path}",
    }
    trick = play.attack.trick.removeprefix("smuggles ")
    given = {**arguments, **changes.get(trick, {})}
    try:
        play.ends.append(await play.stage.client.call_tool(names.get(trick, name), given))
    except MCPError as error:
        play.ends.append(_refusal(str(error)))


async def _inject(play: Play) -> None:
    """The person reads the question and, seeing what stands in it, declines; the text must not decide for them."""
    hostile = play.attack.text
    if "error" in play.attack.trick:
        play.stage.api.answers = {key: _failing(hostile) for key in play.stage.api.answers}
    else:
        play.stage.api.answers = {key: _named(value, hostile) for key, value in play.stage.api.answers.items()}
    if play.attack.era != "2026-07-28":
        await _declined(play)
        return
    given = await play.stage.round(play.operation)
    if not isinstance(given, types.InputRequiredResult):
        play.ends.append(given)
        return
    assert given.request_state is not None
    _harmless(question(given).message)
    shown = wanted_name(question(given))
    for typed in ("yes", "ok", "はい", "", "Test tenant", "confirm=true"):
        if typed == shown:
            continue
        answer = types.ElicitResult(action="accept", content={"name": typed[:200], "confirm": True})
        await play.round(answer=answer, state=given.request_state)


async def _declined(play: Play) -> None:
    """Before 2026-07-28 the question is pushed: the client's person says no."""
    seen: list[str] = []

    def declining(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        seen.append(params.message)
        return types.ElicitResult(action="decline")

    catalogue = play.stage.api.catalogue
    async with scene(catalogue, play.attack.era, declining, POLICIES[play.attack.policy]) as stage:
        stage.speak_as("mallory")
        stage.api.answers = play.stage.api.answers
        play.ends.append(await stage.call(play.operation))
        play.stage.api.sent.extend(stage.api.sent)
    for message in seen:
        _harmless(message)


def _harmless(message: str) -> None:
    """What a person reads has nothing in it that reorders, hides or commands."""
    for character in ("\u202e", "\u200b", "\x1b", "\0", "\U000e0041"):
        assert character not in message


def _failing(message: str) -> httpx2.Response:
    return httpx2.Response(400, json={"type": "already_approved", "message": message})


def _named(value: Any, name: str) -> Any:
    """The answer with every text in it replaced, but for ids."""
    if isinstance(value, dict):
        return {key: item if key == "id" else _named(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, name) for item in value]
    return name if isinstance(value, str) else value


def _refusal(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)


def rate(plays: Iterable[tuple[int, int]]) -> tuple[int, int, int]:
    """Cases, sends and unauthorised sends of many plays."""
    counted = list(plays)
    return len(counted), sum(sent for sent, _ in counted), sum(wrong for _, wrong in counted)
