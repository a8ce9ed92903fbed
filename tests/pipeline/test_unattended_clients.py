"""Clients that declare elicitation and answer it by themselves: the call waits for an approval, and nobody is said to have decided."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.confirmation import READING_SECONDS, Answer, Prompt, Reply
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.store import Store
from tests.pipeline.attacks import CODE, UNSHOWN, Clock, Person, Scene, over, scene, text
from tests.policies import policy, rule
from tests.support import ERAS, ME, Era, StubApi, pipeline

NOW = 1_790_000_000.0
BY_ITSELF: dict[str, tuple[types.ElicitResult, float, str]] = {
    "claude -p": (types.ElicitResult(action="cancel"), 0.22, "client_cancel"),
    "codex exec": (types.ElicitResult(action="decline"), 0.03, "fast_no"),
    "cancels after a minute": (types.ElicitResult(action="cancel"), 60.0, "client_cancel"),
    "declines just too soon": (types.ElicitResult(action="decline"), READING_SECONDS - 0.1, "fast_no"),
    "accepts an empty form": (types.ElicitResult(action="accept", content={}), 0.1, "fast_no"),
}


def grave(catalogue: Catalogue) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in ("write_sensitive", "destructive")]


def refusals(stage: Scene) -> list[str]:
    noted = [record["refused"] for record in stage.store.audited() if record["event"] == "refused"]
    return [why for why in noted if why != "confirmation"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("manner", BY_ITSELF)
async def test_an_unattended_client_gets_an_approval_code_for_each_call_that_wants_a_confirmation(
    catalogue: Catalogue, era: Era, manner: str
) -> None:
    answer, seconds, why = BY_ITSELF[manner]
    async with scene(catalogue, era, Person(lambda _: answer), reads=seconds) as stage:

        async def attempt(operation: Operation) -> None:
            said = text(await stage.call(operation))
            assert stage.api.writes == []
            assert CODE.search(said), said
            if UNSHOWN in said:  # the client was not asked at all
                return
            assert "It is not known whether a person saw the question" in said
            assert "person chose" not in said

        assert await over(stage, grave(catalogue), attempt) == {}
        assert set(refusals(stage)) == {why, "approval"}


@pytest.mark.parametrize("era", ERAS)
async def test_after_the_approval_the_call_goes_once_and_the_client_is_not_asked_again(
    catalogue: Catalogue, era: Era
) -> None:
    person = Person(lambda _: types.ElicitResult(action="cancel"))
    async with scene(catalogue, era, person, reads=0.2) as stage:

        async def attempt(operation: Operation) -> None:
            approval = stage.pending(await stage.call(operation))
            stage.approvals.approve(approval, approval.name, "terminal:someone", stage.clock())
            person.seen.clear()
            again = await stage.call(operation)
            assert not again.is_error, text(again)
            assert len(stage.api.writes) == 1
            assert person.seen == []
            assert (await stage.call(operation)).is_error
            assert len(stage.api.writes) == 1

        assert await over(stage, grave(catalogue)[:3], attempt) == {}


@pytest.mark.parametrize("action", ["cancel", "decline", "failed"])
async def test_a_no_never_sends_a_call_that_was_approved_meanwhile(
    catalogue: Catalogue, store: Store, action: Literal["cancel", "decline", "failed"]
) -> None:
    """The approval is given while the question is open; then the client says no by itself."""
    api, clock = StubApi(catalogue), Clock(NOW)
    behind = pipeline(api, store, policy(rule("all", "confirm")), clock=clock)
    call = Call("auth_delete_tenant", {"tenant_id": "t-1"}, ME)
    first = await behind.run(call)
    assert isinstance(first, ToolAnswer)
    [pending] = store.approvals(NOW)
    approvals = behind.settling._approvals

    class Approving:
        async def ask(self, question: Prompt) -> Answer | None:
            approvals.approve(pending, pending.name, "terminal:someone", NOW)
            return Answer(action)

    given = await behind.run(Call(call.name, call.arguments, ME, asker=Approving()))
    assert isinstance(given, ToolAnswer)
    assert api.writes == []
    assert given.why in ("client_cancel", "fast_no", "client_failed")
    again = await behind.run(call)
    assert isinstance(again, ToolAnswer)
    assert again.ok, again.text


@pytest.mark.parametrize("action", ["cancel", "decline"])
async def test_a_no_holds_where_the_policy_asks_no_more(catalogue: Catalogue, store: Store, action: Any) -> None:
    api = StubApi(catalogue)
    strict = pipeline(api, store, policy(rule("all", "confirm")), clock=Clock(NOW))

    class Later:
        async def ask(self, question: Prompt) -> Answer | None:
            return None

    asking = await strict.run(Call("auth_delete_tenant", {"tenant_id": "t-1"}, ME, asker=Later()))
    assert isinstance(asking, Asking)
    lax = pipeline(api, store, policy(rule("all", "allow")), clock=Clock(NOW))
    reply = Reply(Answer(action), asking.state)
    given = await lax.run(Call("auth_delete_tenant", {"tenant_id": "t-1"}, ME, reply=reply))
    assert isinstance(given, ToolAnswer)
    assert (given.ok, api.writes, store.approvals(NOW)) == (False, [], [])
