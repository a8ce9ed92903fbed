"""Clients that answer questions themselves: the call waits for an approval, and no decision of a person is recorded."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.approval.confirmation import (
    MIN_READING_SECONDS,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
)
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.store.store import Store
from tests.support.gate import (
    APPROVAL_CODE,
    NOT_FULLY_SHOWN,
    Clock,
    GateSession,
    Person,
    reply_text,
    run_over_operations,
    start_session,
)
from tests.support.pipeline import ERAS, PRINCIPAL, Era, StubApi, build_pipeline
from tests.support.policies import build_policy, build_rule

NOW = 1_790_000_000.0
BY_ITSELF: dict[str, tuple[types.ElicitResult, float, str]] = {
    "claude -p": (types.ElicitResult(action="cancel"), 0.22, "client_cancel"),
    "codex exec": (types.ElicitResult(action="decline"), 0.03, "fast_no"),
    "cancels after a minute": (types.ElicitResult(action="cancel"), 60.0, "client_cancel"),
    "declines just too soon": (types.ElicitResult(action="decline"), MIN_READING_SECONDS - 0.1, "fast_no"),
    "accepts an empty form": (types.ElicitResult(action="accept", content={}), 0.1, "fast_no"),
}


def grave(catalogue: Catalogue) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in ("write_sensitive", "destructive")]


def refusals(stage: GateSession) -> list[str]:
    noted = [record["refused"] for record in stage.store.audit_log.list_records() if record["event"] == "refused"]
    return [why for why in noted if why != "confirmation"]


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("manner", BY_ITSELF)
async def test_an_unattended_client_gets_an_approval_code_for_each_call_that_wants_a_confirmation(
    catalogue: Catalogue, era: Era, manner: str
) -> None:
    answer, seconds, why = BY_ITSELF[manner]
    expected = {why}
    async with start_session(catalogue, era, Person(lambda _: answer), reads=seconds) as stage:

        async def attempt(operation: Operation) -> None:
            said = reply_text(await stage.call(operation))
            assert stage.api.writes == []
            assert APPROVAL_CODE.search(said), said
            if NOT_FULLY_SHOWN in said:  # the client was not asked at all
                expected.add("approval")
                return
            assert "It is not known whether a person saw the question" in said
            assert "person chose" not in said

        assert await run_over_operations(stage, grave(catalogue), attempt) == {}
        assert set(refusals(stage)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_after_the_approval_the_call_goes_once_and_the_client_is_not_asked_again(
    catalogue: Catalogue, era: Era
) -> None:
    person = Person(lambda _: types.ElicitResult(action="cancel"))
    async with start_session(catalogue, era, person, reads=0.2) as stage:

        async def attempt(operation: Operation) -> None:
            approval = stage.pending(await stage.call(operation))
            stage.approvals.approve(approval, approval.name, "terminal:someone", stage.clock())
            person.seen.clear()
            again = await stage.call(operation)
            assert not again.is_error, reply_text(again)
            assert len(stage.api.writes) == 1
            assert person.seen == []
            assert (await stage.call(operation)).is_error
            assert len(stage.api.writes) == 1

        assert await run_over_operations(stage, grave(catalogue)[:3], attempt) == {}


@pytest.mark.parametrize("action", ["cancel", "decline", "failed"])
async def test_a_no_never_sends_a_call_that_was_approved_meanwhile(
    catalogue: Catalogue, store: Store, action: Literal["cancel", "decline", "failed"]
) -> None:
    """The approval is given while the question is open; then the client says no by itself."""
    api, clock = StubApi(catalogue), Clock(NOW)
    behind = build_pipeline(api, store, build_policy(build_rule("all", "confirm")), clock=clock)
    call = Call("auth_delete_tenant", {"tenant_id": "t-1"}, PRINCIPAL)
    first = await behind.run(call)
    assert isinstance(first, ToolAnswer)
    [pending] = store.list_approvals(NOW)
    approvals = behind.approval_gate.approvals

    class ApprovingPerson:
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
            approvals.approve(pending, pending.name, "terminal:someone", NOW)
            return ClientAnswer(action)

    given = await behind.run(Call(call.name, call.arguments, PRINCIPAL, elicitor=ApprovingPerson()))
    assert isinstance(given, ToolAnswer)
    assert api.writes == []
    assert given.why in ("client_cancel", "fast_no", "client_failed")
    again = await behind.run(call)
    assert isinstance(again, ToolAnswer)
    assert again.ok, again.text


@pytest.mark.parametrize("action", ["cancel", "decline"])
async def test_a_rejection_holds_after_the_policy_stops_asking(catalogue: Catalogue, store: Store, action: Any) -> None:
    api = StubApi(catalogue)
    strict = build_pipeline(api, store, build_policy(build_rule("all", "confirm")), clock=Clock(NOW))

    class DeferredAnswer:
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
            return None

    asking = await strict.run(Call("auth_delete_tenant", {"tenant_id": "t-1"}, PRINCIPAL, elicitor=DeferredAnswer()))
    assert isinstance(asking, PendingElicitation)
    lax = build_pipeline(api, store, build_policy(build_rule("all", "allow")), clock=Clock(NOW))
    reply = ConfirmationReply(ClientAnswer(action), asking.state)
    given = await lax.run(Call("auth_delete_tenant", {"tenant_id": "t-1"}, PRINCIPAL, reply=reply))
    assert isinstance(given, ToolAnswer)
    assert (given.ok, api.writes, store.list_approvals(NOW)) == (False, [], [])
